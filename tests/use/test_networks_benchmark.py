"""The table of networks side by side: what each of them is, and one time for each way of using it."""

from pathlib import Path

from benchmarks.networks import latencies, table
from fer_lightning.use.export import export
from fer_lightning.use.known_faces import known_faces, run_data
from fer_lightning.use.measured import measured
from fer_lightning.use.network import network


def test_run_and_export_stand_in_one_table(short_run: Path, tmp_path: Path) -> None:
    file = export(short_run, out=tmp_path / "a.onnx").file
    faces = known_faces(run_data(short_run), "val")
    names = [str(short_run), str(file)]
    heading, _, *rows = table(names, faces, seconds=0.02).strip().splitlines()[2:]
    assert heading.count("ms a face") == 4
    accuracy = measured(network(file), faces).accuracy_in_words()
    assert [row.split(" | ")[3] for row in rows] == [accuracy] * 2
    assert f"{file.stat().st_size:,}" in rows[1]
    times = latencies(names, batches=(2,), threads=(1,), seconds=0.02)
    assert {key[0] for key in times} == {*names}
    assert all(0 < median <= late for median, late in times.values())

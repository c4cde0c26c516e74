"""The table of networks side by side: what each of them is, and one time for each way of using it."""

import logging
import re
from pathlib import Path

import pytest

from benchmarks.networks import latencies, main, table
from benchmarks.rivals import installed, opened
from fer_lightning.errors import ConfigError
from fer_lightning.use.known_faces import known_faces, run_data
from fer_lightning.use.measured import measured
from fer_lightning.use.network import network
from fer_lightning.use.speed import int8_instructions
from tests.use.brightness_network import write_network


def test_run_and_export_stand_in_one_table(short_run: Path, exported: Path) -> None:
    faces = known_faces(run_data(short_run), "val")
    names = [str(short_run), str(exported)]
    heading, _, *rows = table(names, faces, seconds=0.02).strip().splitlines()[2:]
    assert heading.count("ms a face") == 4
    accuracy = measured(network(exported), faces).accuracy_in_words()
    assert [row.split(" | ")[4] for row in rows] == [accuracy] * 2
    assert f"{exported.stat().st_size:,}" in rows[1]
    times = latencies(names, batches=(2,), threads=(1,), seconds=0.02)
    assert {key[0] for key in times} == {*names}
    assert all(0 < median <= late for median, late in times.values())


def test_networks_of_other_classes_stand_in_no_table(short_run: Path, tmp_path: Path) -> None:
    other = write_network(tmp_path / "other.onnx", ("happy", "sad"))
    with pytest.raises(ConfigError, match=r"brightness has the classes happy, sad, and .* cannot stand in one table"):
        table([str(short_run), str(other)], known_faces(run_data(short_run), "val"))


def test_the_command_writes_the_page(
    short_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "networks.md"
    monkeypatch.setattr(logging, "disable", lambda level: None)  # which would last for all other tests
    monkeypatch.setattr("sys.argv", ["networks", str(short_run), "--seconds", "0.01", "--into", str(page)])
    main()
    text = page.read_text("utf-8")
    assert capsys.readouterr().out.strip() == text.strip()
    assert "### Networks on val of fer2013.csv (PublicTest)" in text
    assert int8_instructions() in text
    assert f"python -m benchmarks.networks {short_run.name} " in text.replace("'", "")
    assert str(short_run.parent) not in text
    assert "| 1.00" in text
    assert re.search(rf"\| {short_run.name} \| float32 \| bfloat16 \| [\d,]+ \| \d", text)
    monkeypatch.setattr("sys.argv", ["networks", str(tmp_path / "none.onnx")])
    with pytest.raises(SystemExit, match="error: give the folder of a run too"):
        main()
    monkeypatch.setattr("sys.argv", ["networks", str(short_run), "--seconds", "nan"])
    with pytest.raises(SystemExit, match="error: --seconds is nan; it must be above 0"):
        main()
    monkeypatch.setattr("sys.argv", ["networks", str(short_run), "--into", str(tmp_path / "no" / "page.md")])
    with pytest.raises(SystemExit, match=r"error: --into .*page.md: its folder is not there"):
        main()


@pytest.mark.skipif(bool(installed(["a.onnx"])), reason="OpenVINO or fer are installed")
def test_what_is_not_installed_is_no_row_and_said_if_asked_for(short_run: Path) -> None:
    assert opened("small") is None
    with pytest.raises(ConfigError, match="the network of fer needs an interpreter"):
        table([str(short_run), "fer"], known_faces(run_data(short_run), "val"))

"""What a server takes on can be measured; the figures are no matter of tests."""

from pathlib import Path

from benchmarks.serve import load_table
from tests.use.brightness_network import write_network


def test_clients_are_counted_and_their_answers_compared(tmp_path: Path) -> None:
    model = write_network(tmp_path / "model.onnx")
    rows = load_table(str(model), 1.0, (1, 8))
    assert [row["serve"] for row in rows] == ["1 client", "8 clients"]
    assert {(row["lost"], row["another's"]) for row in rows} == {("0", "0")}
    assert all(float(row["requests/s"]) > 1 for row in rows)

"""The networks that come with the package fit in it, have their cards, and answer as their cards say."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_lightning.use.network import DEFAULT_NETWORK, LARGEST_NETWORKS, NETWORKS, PACKAGED_MARGIN, packaged
from fer_lightning.use.onnx_network import OnnxNetwork
from tests.scripts import REPOSITORY
from tests.use.photograph import BOX, HOPPER

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_the_default_network_comes_with_the_package() -> None:
    assert DEFAULT_NETWORK in packaged()
    assert {file.stem for file in NETWORKS.glob("*.onnx")} == {*packaged()}


@pytest.mark.parametrize("name", packaged())
def test_a_packaged_network_is_small_and_has_its_card(name: str) -> None:
    file = NETWORKS / f"{name}.onnx"
    size = file.stat().st_size
    assert size <= LARGEST_NETWORKS[name]
    card = OnnxNetwork(file).card
    assert (card.name, card.channels, card.size) == (name, 1, 48)
    assert card.margin == PACKAGED_MARGIN
    assert {*EMOTIONS} <= {*card.class_names}
    page = (REPOSITORY / "docs" / "networks" / f"{name}.md").read_text("utf-8")
    for text in (
        card.sha256,
        card.command,
        f"| **classes** | {', '.join(card.class_names)} |",
        f"{size:,} bytes",
        f"{card.margin:g} times",
    ):
        assert text in page
    assert f"networks/{name}.md" in (REPOSITORY / "docs" / "predict.md").read_text("utf-8")


def test_the_default_finds_one_neutral_face_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from fer_lightning.use.command import main; "
        f"status = main([{str(HOPPER)!r}, '--out', 'found', '--only', 'table']); "
        "print(status, sorted({'torch', 'lightning', 'hydra', 'pandas'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    with (tmp_path / "found" / "faces.csv").open(newline="", encoding="utf-8") as table:
        (row,) = csv.DictReader(table)
    assert (row["label"], row["note"]) == ("neutral", "")
    assert [float(row[name]) for name in ("x", "y", "width", "height")] == pytest.approx(BOX, abs=6)
    head = json.loads((tmp_path / "found" / "faces.jsonl").read_text("utf-8").splitlines()[0])
    assert (head["network"]["name"], tuple(head["network"]["class_names"])) == (DEFAULT_NETWORK, EMOTIONS)

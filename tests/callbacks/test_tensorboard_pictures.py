"""TensorBoard, started for real and asked through the interface that its own pages use."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tensorboard import program

from tests.conftest import Command
from tests.runs import SHORT, run_of


@pytest.fixture(scope="module")
def address(few_faces: Path, tmp_path_factory: pytest.TempPathFactory, run_in: Command) -> str:
    """Of a TensorBoard over the folder of one short run."""
    folder = tmp_path_factory.mktemp("board")
    run = run_of(run_in(folder, "train.py", *SHORT, f"data.path={few_faces}"), folder)
    board = program.TensorBoard()
    board.configure(argv=["tensorboard", "--logdir", str(run), "--port", "0", "--load_fast=false"])
    launched: str = board.launch()
    return launched


def asked(address: str, what: str, content: dict[str, Any] | None = None) -> Any:
    """Its answer, once it has read the run."""
    data = json.dumps(content).encode() if content else None
    request = urllib.request.Request(f"{address}data/plugin/{what}", data, {"Content-Type": "application/json"})
    for _ in range(100):
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.loads(response.read())
        if answer not in ({}, {"sessionGroups": [], "totalSize": 0}):
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: {answer}")


def test_it_shows_curves_pictures_pr_curves_and_hyperparameters(address: str) -> None:
    (scalars,) = asked(address, "scalars/tags").values()
    assert {"train/loss", "val/loss", "val/accuracy", "val/f1", "train/images_per_second"} <= set(scalars)
    (images,) = asked(address, "images/tags").values()
    assert {"train/augmented_faces", "val/confusion", "val/spatial_transformer", "test/predictions"} <= set(images)
    (curves,) = asked(address, "pr_curves/tags").values()
    assert {"test/angry", "test/neutral"} <= set(curves)
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    wanted = {"experimentName": "", "colParams": [], "allowedStatuses": statuses, "startIndex": 0, "sliceSize": 9}
    (session,) = asked(address, "hparams/session_groups", wanted)["sessionGroups"]
    assert session["hparams"]["model"] == "deep_emotion"
    names = {value["name"]["tag"] for value in session["metricValues"]}
    assert "hp/test/accuracy" in names

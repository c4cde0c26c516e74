"""export=true: a run ends with a model.onnx that answers as it does, or says why there is none."""

from importlib import util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_lightning.use.known_faces import known_faces, run_data
from fer_lightning.use.network import network
from tests.conftest import Command

SHORT = (
    "model=small_resnet",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "data=fer2013",
    "callbacks.pictures=null",
    "hydra.run.dir=run",
    "export=true",
)


def test_a_run_ends_with_a_file_that_answers_as_it_does(tmp_path: Path, few_faces: Path, run_command: Command) -> None:
    result = run_command("train.py", *SHORT, f"data.path={few_faces}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "exported     run/model.onnx\ncompared on 24 faces, val of fer2013.csv (PublicTest)" in result.stdout
    faces = known_faces(run_data(tmp_path / "run"), "test").images
    of_run, of_file = (network(tmp_path / "run" / name).probabilities(faces) for name in ("", "model.onnx"))
    np.testing.assert_allclose(of_file, of_run, atol=1e-4)


def _without_onnxscript() -> None:
    found = util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "onnxscript" else found(name, package)

    util.find_spec = find_spec


def test_missing_packages_are_reported_before_training(tmp_path: Path, few_faces: Path, run_in: Any) -> None:
    for extra in ((), ("-m", "seed=1", "hydra.sweep.dir=sweep")):
        result = run_in(tmp_path, "train.py", *extra, *SHORT, f"data.path={few_faces}", before=_without_onnxscript)
        assert result.returncode == 1
        said = result.stdout + result.stderr
        assert "ONNX files need the package onnxscript: pip install 'fer_lightning[export]'" in said
        assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("value", ["yes_please", "1", "null"])
def test_export_is_true_or_false(value: str, tmp_path: Path, few_faces: Path, run_command: Command) -> None:
    result = run_command("train.py", *SHORT[:-1], f"export={value}", f"data.path={few_faces}")
    assert result.returncode == 1
    assert f"export is {value.replace('null', 'None')}; it is true or false\n" in result.stderr

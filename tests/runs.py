"""What tests of the command line share: a short training, and what it leaves behind."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.scripts import REPOSITORY

SHORT = (
    "model=deep_emotion",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "data=fer2013",
    "data.batch_size=64",
    "trainer.log_every_n_steps=1",
)


def nightly(*cases: Any) -> list[Any]:
    """Returns cases of a parametrised test, as it has them, that only `make nightly` runs."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.nightly) for case in cases]


def run_of(result: subprocess.CompletedProcess[str], folder: Path) -> Path:
    assert result.returncode == 0, result.stdout + result.stderr
    found = re.search(r"^run folder   (outputs/train/\S+)$", result.stdout, re.MULTILINE)
    assert found, result.stdout
    return folder / found[1]


def table_of(output: str) -> str:
    return output[output.index("Test split") : output.index("%", output.index("\naccuracy"))]


def metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text())
    return content


def changes(**data: object) -> DictConfig:
    """conf/test.yaml with these values below data."""
    cfg = OmegaConf.load(REPOSITORY / "conf" / "test.yaml")
    assert isinstance(cfg, DictConfig)
    cfg.data.merge_with(data)
    return cfg

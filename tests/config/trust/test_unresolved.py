"""Nothing in the files of a run or a sweep from elsewhere is resolved into a report."""

import json
import os
import shutil
from pathlib import Path

import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.run_record import log_hyperparameters, repeating_overrides
from fer_lightning.config.hydra_files import literal
from fer_lightning.errors import ConfigError
from fer_lightning.report.compare import runs_in, write_comparison
from fer_lightning.report.run_yaml import hydra_value, plain_yaml, run_overrides
from fer_lightning.sweep import report as sweep
from tests.config.trust.foreign_runs import content_of
from tests.conftest import trainer

SECRET = "hunter2-of-the-environment"

ASKED = "${oc.env:FER_SECRET}"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_SECRET", SECRET)


def with_references(folder: Path) -> None:
    """Lets Hydra's files of a run refer to the environment."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(f"- seed=1{ASKED}\n- model=deep_emotion\n")
    choices = dict.fromkeys(("data", "augmentation", "model", "finetune", "loss", "optimizer", "scheduler"), ASKED)
    OmegaConf.save({"hydra": {"runtime": {"choices": choices, "cwd": ASKED}}}, folder / ".hydra" / "hydra.yaml")


def test_a_resumed_run_keeps_the_environment_out_of_its_report(foreign: Path, composed_run: DictConfig) -> None:
    with_references(foreign)
    assert repeating_overrides(foreign, max_epochs=1) == [f"seed=1{ASKED}", "model=deep_emotion"]
    fitting = trainer(foreign)
    fitting.logger = TensorBoardLogger(foreign, "tensorboard", "")
    log_hyperparameters(composed_run, fitting, foreign, {"test/accuracy": 0.5})
    files = content_of(foreign)
    assert ASKED.encode() in b"".join(content for name, content in files.items() if name.startswith("tensorboard/"))
    assert not [name for name, content in files.items() if SECRET.encode() in content]


def test_reports_of_several_runs_keep_it_out_too(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = "row,split,label,prediction,p_a,p_b\n1,x,a,a,0.9,0.1\n2,x,b,a,0.6,0.4\n"
    metrics = {"test_split": "x", "val/accuracy": 0.5, "test/accuracy": 0.5, "test/f1": 0.5, "minutes": 1.0}
    for name in ("0", "1"):
        folder = tmp_path / "sweep" / name
        with_references(folder)
        (folder / "report").mkdir()
        (folder / "report" / "predictions.csv").write_text(predictions)
        (folder / "report" / "metrics.json").write_text(json.dumps(metrics | {"command": "python train.py"}))
    (tmp_path / "sweep" / "jobs.yaml").write_text(f"- [seed=1]\n- [seed=2]\n- ['seed={ASKED}']\n")
    task = [f"seed=1,2{ASKED}"]
    hydra = {"sweep": {"dir": ASKED}, "sweeper": {}, "job": {"name": "train"}, "overrides": {"task": task, "hydra": []}}
    OmegaConf.save({"monitor": "val/accuracy", "hydra": hydra}, tmp_path / "sweep" / "multirun.yaml")
    sweep.main([str(tmp_path / "sweep")])
    printed = capsys.readouterr().out
    assert f"seed=1,2{ASKED}" in printed
    assert SECRET not in printed
    write_comparison(runs_in([tmp_path / "sweep"]), tmp_path / "compared")
    assert ASKED in (tmp_path / "sweep" / "sweep.csv").read_text()
    assert not [name for name, content in content_of(tmp_path).items() if SECRET.encode() in content]


def test_too_little_memory_is_reported_without_it(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text(f"data: {{batch_size: '{ASKED}'}}\ntrainer: {{}}\n")
    told = in_one_message(MemoryError(), tmp_path)
    assert str(told) == "not enough memory: start again with a smaller data.batch_size"


@pytest.mark.parametrize("text", [ASKED, r"\${a}", r"x\\${a}", "$${a} ${", "plain"])
def test_a_literal_config_gives_its_texts_as_they_are(text: str) -> None:
    config = literal({"one": text, "more": [text, {"deep": text}]})
    assert (config.one, config.more[0], config.more[1].deep) == (text, text, text)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[" * 30_000 + "]" * 30_000, "nested deeper than 32 levels"),
        ("a: &a [x]\nb: *a", "holds YAML aliases"),
        ("- " + "x" * 70_000, "is longer than 65,536 characters"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: [", "cannot be read"),
        ("\xff", "cannot be read"),
        ("seed", "is not the list of overrides"),
    ],
)
def test_files_that_hydra_did_not_write_are_refused(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text(content, "latin-1")
    with pytest.raises(ConfigError, match=why) as refused:
        run_overrides(tmp_path)
    assert len(str(refused.value)) < 600


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="pipe is not a file"):
        plain_yaml(tmp_path / "pipe")


def test_what_is_not_there_is_none(foreign: Path) -> None:
    (foreign / ".hydra" / "hydra.yaml").write_text("hydra: [runtime]")
    assert hydra_value(foreign, "runtime", "cwd") is None
    shutil.rmtree(foreign / ".hydra")
    assert run_overrides(foreign) is None

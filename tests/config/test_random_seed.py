"""A run without a seed gets one, and can be repeated; the number of threads, on which bits depend too, is recorded."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from fer_lightning.callbacks.thread_count import ThreadCount
from fer_lightning.config.random_seed import SEED_FILE, record_seed, with_seed
from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.report.provenance import provenance
from fer_lightning.sweep.table import sweep_table
from fer_lightning.training.classifier import EmotionClassifier
from tests.conftest import Command, Compose, trainer
from tests.runs import SHORT, metrics, run_of
from tests.stopped_runs import fitted


def test_a_run_without_a_seed_is_repeated_by_its_command(
    few_faces: Path, run_command: Command, composed: Compose, tmp_path: Path
) -> None:
    options = (*SHORT, f"data.path={few_faces}", "trainer.max_epochs=1", "callbacks.pictures=null")
    result = run_command("train.py", *options, "seed=null")
    run = run_of(result, tmp_path)
    drawn = re.search(r"^seed=null: the seed of this run is (\d+)$", result.stdout, re.MULTILINE)
    assert drawn
    assert OmegaConf.load(run / ".hydra" / "config.yaml").seed == int(drawn[1])
    command = shlex.split(str(metrics(run)["command"]))
    assert command[-1] == f"seed={drawn[1]}"
    assert "seed=null" not in command
    cfg = composed(*command[2:])
    fitted(cfg)
    ours = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, value in torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"].items():
        assert torch.equal(ours[name], value), name


def test_each_job_of_a_sweep_draws_its_own_seed_and_keeps_it(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    seeds = []
    for job in ("0", "1"):
        folder = tmp_path / job
        (folder / ".hydra").mkdir(parents=True)
        OmegaConf.save(composed("seed=null"), folder / ".hydra" / "config.yaml")
        (folder / ".hydra" / "overrides.yaml").write_text("- seed=null\n")
        seeds.append(with_seed(composed("seed=null"), folder).seed)
        record_seed(seeds[-1], folder)
    assert len(set(seeds)) == 2
    assert "seed" not in caplog.text  # the run may still be refused
    OmegaConf.save(composed("seed=null"), tmp_path / "1" / ".hydra" / "config.yaml")  # as Hydra does, if it goes on
    assert with_seed(composed("seed=null"), tmp_path / "1").seed == seeds[1]
    assert OmegaConf.load(tmp_path / "1" / ".hydra" / "config.yaml").seed == seeds[1]
    assert with_seed(composed("seed=null"), tmp_path / "1").data.get("seed", seeds[1]) == seeds[1]
    assert set(sweep_table(tmp_path, "val/accuracy")["seed"]) == set(map(str, seeds))


def test_a_seed_that_is_given_is_taken_as_it_is(composed: Compose, tmp_path: Path) -> None:
    assert with_seed(composed("seed=3"), tmp_path).seed == 3
    assert not (tmp_path / SEED_FILE).exists()


def test_several_processes_do_not_draw_a_seed_each(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"^seed is null, and each of 2 processes would draw another: give one"):
        with_seed(composed("seed=null"), tmp_path)


def test_a_run_that_goes_on_with_other_threads_says_so(
    few_faces: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fit(threads: int, epochs: int, checkpoint: Path | None) -> None:
        torch.set_num_threads(threads)
        fitting = trainer(tmp_path, max_epochs=epochs, callbacks=[ThreadCount()])
        model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.0))
        fitting.fit(model, FERDataModule(few_faces, batch_size=192), ckpt_path=checkpoint, weights_only=True)
        fitting.save_checkpoint(tmp_path / "last.ckpt")

    before = torch.get_num_threads()
    try:
        fit(1, 1, None)
        fit(1, 2, tmp_path / "last.ckpt")
        assert "threads" not in caplog.text
        fit(2, 3, tmp_path / "last.ckpt")
        assert (
            "this run goes on with a number of threads of 2, and had 1 before: its weights will differ" in caplog.text
        )
        assert provenance("python train.py", "cpu")["threads"] == 2
    finally:
        torch.set_num_threads(before)

"""A run writes into its own folder and removes its own checkpoints, whatever its config and its checkpoints say."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from fer_lightning.callbacks.checkpoints import WholeCheckpoints
from fer_lightning.commands.train import train
from fer_lightning.config.build import rebuild
from fer_lightning.config.run_config import run_config
from fer_lightning.config.run_places import keep_to_own_folder, refuse_other_places
from fer_lightning.errors import ConfigError
from tests.config.trust.foreign_runs import changes, content_of, resumed, rewritten, went_on, with_config
from tests.conftest import Compose


def best_state(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(v for key, v in content["callbacks"].items() if key.startswith("BestCheckpoint"))
    return found


def test_a_run_goes_on_in_its_folder_whatever_its_config_says(foreign: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(foreign, tmp_path / "other"))
    before = content_of(other)
    for group, key, below in (
        ("callbacks.checkpoint", "dirpath", "checkpoints"),
        ("callbacks.last_checkpoint", "dirpath", "checkpoints"),
        ("logger.csv", "save_dir", ""),
        ("trainer", "default_root_dir", ""),
    ):
        with_config(foreign, **{f"{group}.{key}": str(other / below)})
    with_config(foreign, logger__csv__name="../other", callbacks__checkpoint__filename="../../other/checkpoints/best")
    went_on(foreign, epochs=2)
    assert content_of(other) == before
    assert torch.load(foreign / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 2
    assert len((foreign / "metrics.csv").read_text().splitlines()) > len(
        (other / "metrics.csv").read_text().splitlines()
    )


@pytest.mark.parametrize(
    "name", ["x/Documents", "x/..", "x/../checkpoints/../x", "last.ckpt", r"x\one_before_last.ckpt"]
)
def test_a_checkpoint_that_names_what_to_remove_is_refused(name: str, foreign: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        best_state(content).update(best_k_models={name: torch.tensor(-1.0)}, kth_best_model_path=name)

    rewritten(foreign / "checkpoints" / "last.ckpt", change)
    with pytest.raises(
        ConfigError, match=r"last\.ckpt is not a checkpoint of this program: callbacks\.best.* is no plain"
    ):
        resumed(foreign)


@pytest.mark.parametrize("state", [{}, {"best_k_models": [1]}, {"kth_value": 1}, {"kth_best_model_path": "other.ckpt"}])
def test_a_damaged_state_of_the_best_checkpoint_is_refused(state: dict[str, Any], foreign: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        best = best_state(content)
        if not state:
            best.clear()
        best.update(state)

    rewritten(foreign / "checkpoints" / "last.ckpt", change)
    with pytest.raises(ConfigError, match=r"last\.ckpt is not a checkpoint of this program: .*callbacks\.best"):
        resumed(foreign)


def test_only_a_checkpoint_in_the_own_folder_is_removed(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run / "folder.ckpt", other):
        folder.mkdir(parents=True)
        (folder / "file.ckpt").touch()
    (run / "notes.txt").touch()
    (run / "link.ckpt").symlink_to(other / "file.ckpt")
    (run / "linked").symlink_to(other)
    checkpoints, before = WholeCheckpoints(run), content_of(tmp_path)
    names = ("folder.ckpt", ".", "..", "notes.txt", "link.ckpt", "linked/file.ckpt", "../other/file.ckpt", "none.ckpt")
    for name in names:
        checkpoints.remove_checkpoint(run / name)
    assert content_of(tmp_path) == before
    assert (run / "link.ckpt").is_symlink()
    checkpoints.remove_checkpoint(run / "folder.ckpt" / "file.ckpt")
    assert not (run / "folder.ckpt" / "file.ckpt").exists()


@pytest.mark.parametrize("name", ["../other.ckpt", "linked/other.ckpt"])
def test_no_checkpoint_is_written_outside_of_the_own_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "linked").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"other\.ckpt is outside of .*run, where this run keeps its checkpoints"):
        WholeCheckpoints(tmp_path / "run").save_checkpoint({}, tmp_path / "run" / name)
    assert not content_of(tmp_path)


@pytest.mark.parametrize("name", ["checkpoints", "train.log", "metrics.csv", "tensorboard/events", "report"])
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_with_a_link_out_of_it_is_not_resumed(name: str, there: bool, foreign: Path, tmp_path: Path) -> None:
    if there:
        (tmp_path / "elsewhere").mkdir()
    link = foreign / name
    shutil.rmtree(link, ignore_errors=True)
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")
    # As Hydra asks for the folder of the run, before it opens its log there.
    folder = OmegaConf.create({"dir": f"${{resumed_or_new:{foreign},x}}"})
    with pytest.raises(Exception, match=r"is a link to .*elsewhere, outside of the run's folder"):
        print(folder.dir)


def test_links_within_a_run_are_no_hindrance(foreign: Path, tmp_path: Path) -> None:
    (foreign / "wandb").mkdir()
    (foreign / "wandb" / "latest-run").symlink_to("run-1")
    (tmp_path / "link").symlink_to(foreign)
    for folder in (foreign, tmp_path / "link"):
        assert OmegaConf.create({"dir": f"${{resumed_or_new:{folder},x}}"}).dir == str(folder)


BEST, LAST = (f"fer_lightning.callbacks.checkpoints.{name}Checkpoint" for name in ("Best", "Last"))
METRICS_CSV = "fer_lightning.callbacks.metrics_csv.MetricsCsv"

OUTSIDE: dict[str, Any] = {
    "another folder": {"callbacks.more": {"_target_": BEST, "dirpath": "/x/y"}},
    "one in the home": {"callbacks.more": {"_target_": BEST, "dirpath": "~/x"}},
    "where one is": {"callbacks.more": {"_target_": LAST, "dirpath": "Pictures"}},
    "a bucket": {"callbacks.more": {"_target_": LAST, "dirpath": "s3://x"}},
    "by its name": {"callbacks.more": {"_target_": BEST, "filename": "../../x"}},
    "by another logger": {"logger.more": {"_target_": METRICS_CSV, "save_dir": "/tmp/x"}},
    "below a logger's": {"logger.tensorboard.sub_dir": "../../x"},
    "in a list": {"trainer.more": [{"deep": ["/tmp/x"]}]},
}  # fmt: skip


@pytest.mark.parametrize("way", OUTSIDE)
def test_another_place_is_refused_before_training_and_on_resume(way: str, new_run: DictConfig, tmp_path: Path) -> None:
    ((key, value),) = OUTSIDE[way].items()
    OmegaConf.update(new_run, key, value, force_add=True)
    for refused in (refuse_other_places, keep_to_own_folder):
        with pytest.raises(ConfigError, match=rf"^{key}\S* is \S+, outside of the run's folder: such a run cannot be"):
            refused(new_run, tmp_path / "run")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("callbacks.checkpoint.dirpath", "elsewhere", "is elsewhere; a run keeps that in its own folder"),
        ("callbacks.last_checkpoint.dirpath", None, "is None; a run keeps that in its own folder"),
        ("trainer.default_root_dir", "/tmp", "is /tmp; a run keeps that in its own folder"),
        ("callbacks.checkpoint.filename", "{epoch}", r"is '\{epoch\}'; the report, test.py and resume= need 'best'"),
        ("logger.csv.version", 2, "is 2; the report, test.py and resume= need ''"),
        ("callbacks.checkpoint.save_top_k", 3, "is 3; a run keeps its best checkpoint"),
        ("callbacks.checkpoint.save_last", True, "is True; a run keeps its best checkpoint"),
    ],
)
def test_what_could_not_be_resumed_is_refused_before_training(
    key: str, value: object, why: str, new_run: DictConfig
) -> None:
    OmegaConf.update(new_run, key, value, force_add=True)
    with pytest.raises(SystemExit, match=rf"^error: {key} {why}"):
        train(new_run)


def test_what_conf_names_is_written_within_the_run(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("callbacks=[default,early_stopping,averaged_weights]", "logger=[wandb,mlflow]", "trainer=ddp")
    OmegaConf.update(cfg, "trainer.profiler", "simple", force_add=True)
    refuse_other_places(cfg, tmp_path / "run")
    cfg.callbacks = cfg.logger = None
    refuse_other_places(cfg, tmp_path / "run")


def test_a_resumed_run_keeps_what_describes_it_to_trackers(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed("logger=[wandb,mlflow]", "+logger.wandb.id=another", "+logger.mlflow.run_id=another")
    OmegaConf.update(cfg, "logger.wandb.settings", {"base_url": "https://evil"}, force_add=True)
    cfg.logger.wandb.save_dir = "/tmp/x"
    assert sorted(keep_to_own_folder(cfg, tmp_path)) == [
        "logger.mlflow.run_id",
        "logger.wandb.id",
        "logger.wandb.settings",
    ]
    assert {key: value for key, value in cfg.logger.wandb.items() if key != "_target_"} == {
        "project": "fer_lightning", "save_dir": str(tmp_path), "offline": False,
    }  # fmt: skip
    assert cfg.logger.mlflow.tracking_uri == "sqlite:///outputs/mlflow.db"
    cfg.logger.mlflow.tracking_uri = "https://tracker"
    with pytest.raises(
        ConfigError, match=r"^logger\.mlflow\.tracking_uri is https://tracker, which .* MLFLOW_TRACKING_URI="
    ):
        keep_to_own_folder(cfg, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracker")
    keep_to_own_folder(cfg, tmp_path)


def test_a_trial_that_goes_on_alone_leaves_its_study(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("sweep=optuna")
    assert keep_to_own_folder(cfg, tmp_path) == ["callbacks.pruning"]
    assert "pruning" not in cfg.callbacks


def test_the_test_of_a_run_takes_nothing_that_writes(foreign: Path, tmp_path: Path) -> None:
    with_config(
        foreign,
        trainer__profiler="pytorch",
        trainer__default_root_dir=str(tmp_path / "x"),
        trainer__detect_anomaly=True,
    )
    with_config(foreign, trainer__limit_test_batches=1, trainer__precision="64-true")
    built = rebuild(run_config(foreign), changes(), foreign / "checkpoints" / "best.ckpt")
    assert built.trainer.default_root_dir == str(foreign)
    assert type(built.trainer.profiler).__name__ == "PassThroughProfiler"  # type: ignore[attr-defined]
    assert not built.trainer._detect_anomaly
    assert (built.trainer.limit_test_batches, built.trainer.precision) == (1, "64-true")

"""A run that is stopped, anywhere and by anything, ends as one that was never stopped."""

import re
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fer_lightning.callbacks.checkpoints import newest_whole
from fer_lightning.callbacks.metrics_csv import MetricsCsv
from fer_lightning.commands.resume import StoppedRun
from fer_lightning.config.build import build
from fer_lightning.data import FERDataModule
from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.errors import ConfigError
from tests.conftest import Compose
from tests.stopped_runs import (
    BASE,
    EVERYTHING,
    Killed,
    KilledAt,
    assert_same,
    curves,
    fitted,
    left_behind,
    resuming,
    run_folder,
)

STOPPED_EARLY = (
    "callbacks=[default,early_stopping]",
    "callbacks.early_stopping.patience=1",
    "optimizer.lr=0",
    "scheduler=none",
    "trainer.max_epochs=9",
)


PARTS = ("Training", "PublicTest", "PrivateTest")


VALIDATED_TWICE = ("+trainer.val_check_interval=0.5", "scheduler=plateau")


BY_EPOCH = ("scheduler=plateau", "scheduler.patience=0", "trainer.accumulate_grad_batches=2")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `finished` keeps its run for the tests that come later."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def finished(kept: Path, composed: Compose, tmp_path: Path, few_faces: Path) -> Path:
    """Returns the folder of a run of one epoch, which the test may change."""
    run, trained_in = tmp_path / "finished", kept / "trained_in"
    if not trained_in.exists():
        fitted(run_folder(composed, tmp_path, "finished", *BASE, f"data.path={few_faces}", "trainer.max_epochs=1"))
        shutil.copytree(run, kept / "finished")
        trained_in.write_text(str(run))
    else:
        shutil.copytree(kept / "finished", run)
        config = run / ".hydra" / "config.yaml"
        config.write_text(config.read_text().replace(trained_in.read_text(), str(run)))
    return run


STOPS = {
    "before the first step": ("on_train_batch_start", 1),
    "in the middle of an epoch": ("on_train_batch_end", 11),
    "in validation": ("on_validation_batch_end", 2),
    "between validation and the end of its epoch": ("on_validation_end", 2),
    "at the end of an epoch": ("on_train_epoch_end", 2),
    "after the last epoch": ("on_train_end", 1),
    "just after a validation within an epoch": ("on_train_batch_start", 10),
}


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        pytest.param(EVERYTHING, list(STOPS)[1:4:2], id="everything"),
        pytest.param(EVERYTHING, [*STOPS][:6], id="everything, anywhere", marks=pytest.mark.nightly),
        pytest.param(BY_EPOCH, list(STOPS)[2:3], id="by epoch"),
        pytest.param(BY_EPOCH, list(STOPS)[1:4], id="by epoch, anywhere", marks=pytest.mark.nightly),
        pytest.param(STOPPED_EARLY, list(STOPS)[4:6], id="stopped early"),
        pytest.param(VALIDATED_TWICE, list(STOPS)[6:], id="validated twice"),
    ],
)
def test_resumed_run_ends_with_all_of_an_uninterrupted_one(
    options: tuple[str, ...], stops: list[str], composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    options = (*BASE, *options, f"data.path={few_faces}", "callbacks.last_checkpoint.minutes=0.0001")
    fitted(run_folder(composed, tmp_path, "whole", *options))
    expected = left_behind(tmp_path / "whole")
    for name in stops:
        cfg = run_folder(composed, tmp_path, name, *options)
        with pytest.raises(Killed):
            fitted(cfg, KilledAt(*STOPS[name]))
        fitted(resuming(cfg, tmp_path / name))
        assert_same(left_behind(tmp_path / name), expected, name)


def test_run_whose_folder_was_moved_keeps_its_best_checkpoint(
    composed: Compose, tmp_path: Path, few_faces: Path
) -> None:
    options = (*BASE, f"data.path={few_faces}")
    fitted(run_folder(composed, tmp_path, "whole", *options))
    cfg = run_folder(composed, tmp_path, "before", *options)
    with pytest.raises(Killed):
        fitted(cfg, KilledAt("on_train_end", 1))
    (tmp_path / "before").rename(tmp_path / "moved")
    file = tmp_path / "moved/.hydra/config.yaml"  # where Hydra would resolve ${hydra:runtime.output_dir} again
    file.write_text(file.read_text().replace(str(tmp_path / "before"), str(tmp_path / "moved")))
    fitted(resuming(cfg, tmp_path / "moved"))
    assert_same(left_behind(tmp_path / "moved"), left_behind(tmp_path / "whole"))


def test_line_of_the_curves_that_was_cut_short_is_left_out(finished: Path, composed: Compose, few_faces: Path) -> None:
    path = finished / "metrics.csv"
    whole = path.read_text()
    last = whole.splitlines()[-1]
    for cut in range(1, len(last) + 1, 7):
        path.write_text(whole[:-cut])
        MetricsCsv(finished, "", "").keep_before(10**6)
        assert path.read_text() == whole[: whole.rindex(last)]
        path.write_text(whole)


def test_raised_max_epochs_go_on_along_the_longer_schedule(composed: Compose, tmp_path: Path, few_faces: Path) -> None:
    options = (*BASE, f"data.path={few_faces}", "scheduler=cosine", "trainer.max_epochs=1")
    fitted(run_folder(composed, tmp_path, "run", *options))
    (tmp_path / "run" / "report").mkdir()
    (tmp_path / "run" / "report" / "metrics.json").touch()
    cfg = composed(*options, f"resume={tmp_path / 'run'}", "trainer.max_epochs=3")
    stopped = StoppedRun.of(cfg, ["resume=x", "trainer.max_epochs=3"])
    experiment = build(stopped.config)
    stopped.take_up(experiment)
    experiment.trainer.callbacks.append(KilledAt("on_train_batch_end", 3))  # type: ignore[attr-defined]
    with pytest.raises(Killed):
        experiment.trainer.fit(experiment.model, experiment.datamodule, ckpt_path=stopped.checkpoint, weights_only=True)
    # Raised once, it stays so, whatever .hydra says, and though the run has been finished before.
    fitted(resuming(cfg, tmp_path / "run"))
    rates = {int(row["step"]): float(row["lr-SGD/pg1"]) for row in curves(tmp_path / "run") if row.get("lr-SGD/pg1")}
    fitted(run_folder(composed, tmp_path, "long", *options, "trainer.max_epochs=3"))
    long = {int(row["step"]): float(row["lr-SGD/pg1"]) for row in curves(tmp_path / "long") if row.get("lr-SGD/pg1")}
    assert sorted(rates) == sorted(long)
    steps = [step for step in long if step >= 6]
    assert [rates[step] for step in steps] == pytest.approx([long[step] for step in steps])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["resume=x", "optimizer.lr=1"], "optimizer.lr is given with resume"),
        (["resume=x", "trainer.max_epochs=0"], "trainer.max_epochs is 0, but the run has trained for 1 already"),
    ],
)
def test_what_a_resumed_run_cannot_change_is_refused(
    overrides: list[str], said: str, composed: Compose, finished: Path
) -> None:
    cfg = composed(*BASE, f"resume={finished}", *overrides[1:])
    with pytest.raises(ConfigError, match=said):
        StoppedRun.of(cfg, overrides)


@pytest.mark.parametrize(
    ("key", "killed_early"),
    [
        ("loss.teacher", False),
        ("model.weights_path", False),
        ("loss.teacher", True),
        ("model.weights_path", True),
        ("data.path", True),
        ("data.votes.path", True),
    ],
)
def test_paths_are_completed_from_where_the_run_was_started(
    key: str, killed_early: bool, finished: Path, composed: Compose
) -> None:
    run = OmegaConf.load(finished / ".hydra/config.yaml")
    OmegaConf.update(run, key, "kept/there", force_add=True)
    OmegaConf.save(run, finished / ".hydra/config.yaml")
    (finished / ".hydra/hydra.yaml").write_text("hydra: {runtime: {cwd: /began}}")
    if killed_early:
        for checkpoint in finished.glob("checkpoints/*.ckpt"):
            checkpoint.unlink()
    stopped = StoppedRun.of(composed(*BASE, f"resume={finished}"), ["resume=x"])
    assert (stopped.checkpoint is None) == killed_early
    assert OmegaConf.select(stopped.config, key) == str(Path("/began/kept/there"))


def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(
    finished: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = finished / "checkpoints" / "last.ckpt"
    whole = last.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:5000] + b"oops" + whole[5004:], b""):
        last.write_bytes(damaged)
        found = newest_whole(last.parent)
        assert found
        assert found[0] == last.parent / "one_before_last.ckpt"
        assert f"{last} is damaged" in caplog.text
        caplog.clear()
    last.write_bytes(whole)
    found = newest_whole(last.parent)
    assert found
    assert found[0] == last


def test_other_faces_or_labels_than_those_of_the_run_are_refused(
    finished: Path, composed: Compose, few_faces: Path, tmp_path: Path
) -> None:
    head, *lines = few_faces.read_text().splitlines()
    first = {part: next(n for n, line in enumerate(lines) if line.endswith(part)) for part in PARTS}

    def relabelled(part: str) -> list[str]:
        label = lines[first[part]][0]
        return replaced(part, f"{(int(label) + 1) % 7}{lines[first[part]][1:]}")

    def replaced(part: str, *line: str) -> list[str]:
        return [*lines[: first[part]], *line, *lines[first[part] + 1 :]]

    of_val = lines[first["PublicTest"]]
    for changed, said in (
        (lines, ""),
        (relabelled("Training"), "of its 192 training faces 1 have other labels"),
        (replaced("Training"), "of its 192 training faces 191 are there as they were"),
        (sorted(lines), "its 192 training faces are in another order; its 24 val faces are in another order; its 24 t"),
        (relabelled("PublicTest"), "of its 24 val faces 1 have other labels"),
        (replaced("PublicTest", of_val.replace(" ", " 1", 1)), "of its 24 val faces 23 are there as they were"),
        (relabelled("PrivateTest"), "of its 24 test faces 23 are there with the labels that they had"),
        (replaced("PrivateTest"), "of its 24 test faces 23 are there with the labels that they had"),
    ):
        other = tmp_path / "other.csv"
        other.write_text("\n".join([head, *changed]) + "\n")
        shutil.rmtree(tmp_path / ".fer_lightning", ignore_errors=True)
        cfg = composed(*BASE, f"resume={finished}", f"data.path={other}")
        stopped = StoppedRun.of(cfg, ["resume=x", "data.path=y"])
        experiment = build(stopped.config)
        if said:
            with pytest.raises(ConfigError, match=f"{other} is not what this run was trained on: {said}"):
                stopped.take_up(experiment)
        else:
            stopped.take_up(experiment)


def test_a_vote_that_changes_is_another_label(few_faces: Path, tmp_path: Path) -> None:
    text = (few_faces.parent / "fer2013new.csv").read_text()
    (tmp_path / "votes.csv").write_text(re.sub(r"\b10,0\b", "6,4", text, count=1))
    known, found = (
        FERDataModule(few_faces, votes=VotesOptions(path, "probability"))
        for path in (few_faces.parent / "fer2013new.csv", tmp_path / "votes.csv")
    )
    for data in (known, found):
        data.setup()
    assert sum(int((known.labelled[split] != found.labelled[split]).sum()) for split in known.labelled) == 1


@pytest.mark.parametrize("key", ["every_n_train_steps=5", "train_time_interval='00:05:00'"])
def test_a_best_checkpoint_between_two_validations_is_refused(key: str, composed: Compose, few_faces: Path) -> None:
    cfg = composed(*BASE, f"data.path={few_faces}", f"+callbacks.checkpoint.{key}")
    said = rf"^callbacks\.checkpoint\.{key.partition('=')[0]} is .*: a checkpoint that is chosen by val/accuracy holds"
    with pytest.raises(ConfigError, match=said):
        build(cfg)

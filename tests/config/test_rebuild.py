"""A run is tested as its config and its command say, also one of FER+, and one that names other code is refused."""

import copy
import re
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.build import build, rebuild
from fer_lightning.data.faces import FERPLUS_EMOTIONS
from fer_lightning.errors import ConfigError
from tests.conftest import Compose
from tests.runs import changes


@pytest.fixture
def ferplus_run(composed: Compose, few_faces: Path, tmp_path: Path) -> tuple[DictConfig, Path]:
    """The config of a short run on FER+ votes that lie apart from the pixels, and its checkpoint."""
    votes = shutil.copy(few_faces.with_name("fer2013new.csv"), tmp_path / "votes.csv")
    choices = ("data=ferplus", "model=deep_emotion", f"data.path={few_faces}", f"data.votes.path={votes}")
    cfg = composed(*choices, "trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "callbacks=checkpoint")
    experiment = build(cfg)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    return cfg, Path(experiment.trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]


def test_a_ferplus_run_is_tested_on_its_faces_and_on_others(
    ferplus_run: tuple[DictConfig, Path], few_faces: Path, tmp_path: Path
) -> None:
    cfg, checkpoint = ferplus_run
    own = rebuild(copy.deepcopy(cfg), changes(), checkpoint)
    assert own.model.class_names == FERPLUS_EMOTIONS
    assert len(own.datamodule.rows["test"]) == 24
    lines = few_faces.read_text().splitlines()
    voted = few_faces.with_name("fer2013new.csv").read_text().splitlines()
    for folder, name in (("beside", "fer2013new.csv"), ("apart", "other_votes.csv")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fer2013.csv").write_text("\n".join(lines[:1] + lines[-10:]))
        (tmp_path / folder / name).write_text("\n".join(voted[:1] + voted[-10:]))
    beside = rebuild(copy.deepcopy(cfg), changes(path=str(tmp_path / "beside")), checkpoint)
    assert len(beside.datamodule.rows["test"]) == 10
    path, votes = tmp_path / "apart", {"path": str(tmp_path / "apart" / "other_votes.csv")}
    apart = rebuild(copy.deepcopy(cfg), changes(path=str(path), votes=votes), checkpoint)
    assert len(apart.datamodule.rows["test"]) == 10
    with pytest.raises(ConfigError, match=r"no fer2013new\.csv in .*apart\. "):
        rebuild(copy.deepcopy(cfg), changes(path=str(path)), checkpoint)


def test_votes_for_a_run_not_trained_on_votes_are_refused(composed: Compose, few_faces: Path, tmp_path: Path) -> None:
    cfg = composed("data=fer2013", f"data.path={few_faces}", "model=deep_emotion")
    data: dict[str, object] = {
        "source": str(few_faces),
        "votes": None,
        "mean": (0.5,),
        "std": (0.2,),
        "image_size": 48,
        "size": 48,
        "fit": "crop",
    }
    data |= {"labelled": {}, **dict.fromkeys(("trained_on", "chosen_on"), torch.zeros(1, dtype=torch.int64))}
    network = {"network": "deep_emotion", "class_names": [], "arguments": {}, "channels_last": False}
    network["in_channels"] = 1
    content = {"format_version": 2, "FERDataModule": data, "hyper_parameters": network, "state_dict": {}}
    torch.save(content, tmp_path / "best.ckpt")
    with pytest.raises(ConfigError, match=r"data\.votes\.path is given, but the run has no data\.votes"):
        rebuild(cfg, changes(votes={"path": "votes.csv"}), tmp_path / "best.ckpt")


@pytest.mark.parametrize("key", ["model._target_", "callbacks.progress_bar._target_", "data.extra.0._target_"])
def test_a_run_whose_config_names_anything_else_is_refused(
    key: str, composed: Compose, few_faces: Path, tmp_path: Path
) -> None:
    cfg = composed(f"data.path={few_faces}")
    for target in ("os.system", "builtins.exec", "torchish.load", "${oc.env:HOME}"):
        OmegaConf.update(cfg, "data.extra", [{}], force_add=True)
        OmegaConf.update(cfg, key, target, force_add=True)
        rule = "(a run's own config may (only name what conf/ names|name something to call only)|a network has no)"
        with pytest.raises(ConfigError, match=rf"^{re.escape(key)} is .*; {rule}"):
            rebuild(cfg, changes(), tmp_path / "best.ckpt")


def test_a_run_of_an_older_version_is_refused(composed: Compose, few_faces: Path, tmp_path: Path) -> None:
    torch.save({"FERDataModule": {"source": str(few_faces)}}, tmp_path / "best.ckpt")
    cfg = composed(f"data.path={few_faces}")
    with pytest.raises(ConfigError, match=r"best\.ckpt is not a checkpoint .* made by an older version .*Train again"):
        rebuild(cfg, changes(), tmp_path / "best.ckpt")
    OmegaConf.update(cfg, "model._target_", "fer_lightning.models.ResNet18Classifier", force_add=True)
    with pytest.raises(ConfigError, match=r"made by version 0\.1 of fer_lightning, whose runs are not read"):
        rebuild(cfg, changes(), tmp_path / "best.ckpt")

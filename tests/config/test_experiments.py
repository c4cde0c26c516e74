"""Each named experiment is what it says, and runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from omegaconf import OmegaConf
from torchvision.models import resnet18

from fer_lightning.config.build import Experiment, build
from fer_lightning.errors import ConfigError
from fer_lightning.nets.deep_emotion import DeepEmotion
from tests.conftest import Compose
from tests.runs import metrics, nightly
from tests.scripts import REPOSITORY, run_in

NAMES = sorted(file.stem for file in (REPOSITORY / "conf" / "experiment").glob("*.yaml"))
FIVE = {"image_model", "deep_emotion_50", "transfer_learning", "resnet_60", "one_cycle_resnet18"}
PRETRAINED = {"image_model", "transfer_learning", "one_cycle_resnet18"}


@pytest.fixture(autouse=True)
def drawn_once(few_faces: Path, own_cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache has the drawn faces already."""
    monkeypatch.setenv("FER_LIGHTNING_CACHE", str(few_faces.parent.parent))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A stand-in for the ImageNet weights of ResNet18, where torchvision looks for them."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state: dict[str, torch.Tensor] = resnet18().state_dict()
    torch.save(state, folder / "resnet18-f37072fd.pth")
    return state


def built(composed: Compose, name: str, *overrides: str) -> Experiment:
    short = ("data.batch_size=4", "trainer.accelerator=cpu", "logger=csv", *(overrides or ("debug=one_batch",)))
    return build(composed(f"experiment={name}", "data=demo", "data.path.faces=240", "data.path.seed=1", *short))


def a_teacher(composed: Compose, folder: Path, val_fraction: float) -> str:
    """The override that names one, which has learnt next to nothing."""
    teacher = built(composed, "quick", "debug=one_batch", f"data.val_fraction={val_fraction}")
    teacher.trainer.fit(teacher.model, teacher.datamodule)
    teacher.trainer.save_checkpoint(folder / "run" / "teacher.ckpt")
    return f"loss.teacher={folder / 'run' / 'teacher.ckpt'}"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_clips_gradients_as_it_did_when_measured(name: str, composed: Compose) -> None:
    assert composed(f"experiment={name}").trainer.gradient_clip_val == (0.1 if name == "one_cycle_resnet18" else None)


def test_the_five_systems_are_there() -> None:
    assert set(NAMES) >= FIVE


@pytest.fixture
def started(composed: Compose, weights: dict[str, torch.Tensor], tmp_path: Path) -> Callable[[str], Experiment]:
    """Builds an experiment by its name, with what it needs."""

    def start(name: str) -> Experiment:
        experiment = composed(f"experiment={name}", "data=demo")
        is_taught = OmegaConf.is_missing(experiment.loss, "teacher")
        needs = [a_teacher(composed, tmp_path, experiment.data.val_fraction)] if is_taught else []
        needs += ["data.votes=null"] if "votes" in experiment.data else []  # of the drawn faces there are none
        return built(composed, name, "debug=one_batch", *needs)

    return start


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_starts_as_it_says(
    name: str, started: Callable[[str], Experiment], weights: dict[str, torch.Tensor]
) -> None:
    experiment = started(name)
    assert experiment.datamodule.image_size == (224 if name in PRETRAINED else 48)
    if name in PRETRAINED:
        start = experiment.model.net.state_dict()
        assert torch.equal(start["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])
        assert start["fc.weight"].shape == (7, 512)


EVERY_TIME = ("image_model", "quick")


@pytest.mark.parametrize("name", [*EVERY_TIME, *nightly(*(name for name in NAMES if name not in EVERY_TIME))])
def test_an_experiment_trains_and_tests(name: str, started: Callable[[str], Experiment]) -> None:
    experiment = started(name)
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    experiment.trainer.test(experiment.model, experiment.datamodule, verbose=False)
    assert torch.isfinite(experiment.trainer.callback_metrics["test/loss"])


@pytest.mark.parametrize("name", sorted(PRETRAINED))
def test_an_experiment_without_its_weights_says_what_to_do(
    name: str, composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"^model: the ImageNet weights of resnet18 .*model\.pretrained=false"):
        built(composed, name)
    random = built(composed, name, "model.pretrained=false")
    assert random.datamodule.image_size == 48


def test_deep_emotion_50_is_the_network_as_published(composed: Compose) -> None:
    experiment = built(composed, "deep_emotion_50")
    assert isinstance(experiment.model.net, DeepEmotion)
    assert (experiment.datamodule.mean, experiment.datamodule.std) == ((0.5,), (0.5,))
    optimizer = experiment.model.configure_optimizers()
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["lr"] == 0.005
    assert composed("experiment=deep_emotion_50").trainer.max_epochs == 50


def test_transfer_learning_trains_the_head_first(composed: Compose, weights: dict[str, torch.Tensor]) -> None:
    experiment = built(composed, "transfer_learning", "debug=one_batch")
    head = experiment.model.net.state_dict()["fc.weight"].clone()
    experiment.trainer.fit(experiment.model, experiment.datamodule)
    state = experiment.model.net.state_dict()
    assert torch.equal(state["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])
    assert torch.equal(state["bn1.running_mean"], weights["bn1.running_mean"])
    assert not torch.equal(state["fc.weight"], head)
    rates = {group["lr"] for group in experiment.trainer.optimizers[0].param_groups}
    assert max(rates) == pytest.approx(10 * min(rates))


def test_resnet_60_normalises_and_jitters_as_its_authors_do(composed: Compose) -> None:
    experiment = built(composed, "resnet_60")
    augmentation = experiment.datamodule.augmentation
    assert augmentation is not None
    assert (augmentation.degrees, augmentation.brightness, augmentation.contrast) == (20, 0.5, 0.5)
    assert experiment.datamodule.mean != (0.508,)


def test_one_cycle_resnet18_clips_gradients_and_can_stop_early(composed: Compose) -> None:
    experiment = built(composed, "one_cycle_resnet18", "model.pretrained=false")
    assert experiment.trainer.gradient_clip_val == 0.1
    assert isinstance(experiment.trainer.early_stopping_callback, EarlyStopping)
    assert composed("experiment=one_cycle_resnet18").scheduler._target_ == "torch.optim.lr_scheduler.OneCycleLR"


@pytest.mark.nightly
def test_quick_on_the_drawn_faces_stays_above_a_floor(tmp_path: Path) -> None:
    """The floor is three deviations below the mean of what seeds 0, 1 and 2 reached: 90.4%, 86.1%, 89.3%.

    That is 88.6% ± 2.2%, of the 700 drawn faces of PublicTest, on one core; a quarter are of the largest class.
    """
    result = run_in(tmp_path, "train.py", "experiment=quick", "data=demo", "hydra.run.dir=run", timeout=1800)
    assert result.returncode == 0, result.stdout + result.stderr
    assert metrics(tmp_path / "run")["test/accuracy"] > 0.82

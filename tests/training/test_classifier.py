"""The LightningModules learn, measure rightly and come back from their checkpoints."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from fer_lightning.data import EMOTIONS, FERDataModule
from fer_lightning.nets.registry import register
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.transforms.augment import Augmentation
from tests import without_batch_norm  # noqa: F401 (which registers it)
from tests.conftest import trainer
from tests.runs import nightly


@pytest.mark.parametrize(
    ("network", "arguments", "lr", "epochs"),
    [("resnet18", {"width": 16}, 2e-3, 20), *nightly(("deep_emotion", {}, 2e-3, 80))],
)
def test_64_faces_can_be_learnt_by_heart(
    network: str, arguments: dict[str, Any], lr: float, epochs: int, few_faces: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    data = FERDataModule(few_faces, batch_size=32)
    data.setup()
    data.rows["train"] = data.rows["train"][:64]
    data.rows["val"] = data.rows["train"]
    arguments = {"dropout": 0.0, **arguments}
    adam = partial(torch.optim.Adam, lr=lr)
    model = EmotionClassifier(network, arguments=arguments, channels_last=True, optimizer=adam)
    fitting = trainer(tmp_path, max_epochs=epochs, check_val_every_n_epoch=epochs)
    fitting.fit(model, data)
    assert fitting.callback_metrics["val/accuracy"] >= 0.95


@register("fixed")
class Fixed(torch.nn.Flatten):
    """Its logits are its input, so that every figure can be worked out by hand."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()


def test_metrics_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    true = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
    predicted = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 0, 1])
    logits = torch.nn.functional.one_hot(predicted, 3).float().view(-1, 1, 1, 3)
    model = EmotionClassifier("fixed", ("a", "b", "c"))
    testing = trainer(tmp_path)
    testing.test(model, DataLoader(TensorDataset(logits, true), batch_size=4), verbose=False)
    figures = {name: float(value) for name, value in testing.callback_metrics.items()}
    assert model.test_confusion.compute().tolist() == [[3, 1, 0], [0, 2, 0], [1, 1, 2]]
    assert figures["test/accuracy"] == pytest.approx(7 / 10)
    assert figures["test/precision"] == pytest.approx((3 / 4 + 2 / 4 + 2 / 2) / 3)
    assert figures["test/recall"] == pytest.approx((3 / 4 + 2 / 2 + 2 / 4) / 3)
    assert figures["test/f1"] == pytest.approx((6 / 8 + 4 / 6 + 4 / 6) / 3)
    e = torch.e
    right, wrong = -torch.tensor(e / (e + 2)).log(), -torch.tensor(1 / (e + 2)).log()
    assert figures["test/loss"] == pytest.approx(float(0.7 * right + 0.3 * wrong), rel=1e-5)


def test_a_checkpoint_rebuilds_its_network_without_its_config(few_faces: Path, tmp_path: Path) -> None:
    data = FERDataModule(few_faces, batch_size=64)
    model = EmotionClassifier("deep_emotion", arguments={"dropout": 0.25}, optimizer=partial(torch.optim.Adam, lr=1e-3))
    fitting = trainer(tmp_path, max_epochs=1, enable_checkpointing=True)
    fitting.fit(model, data)
    path = fitting.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"] == {
        "network": "deep_emotion",
        "class_names": EMOTIONS,
        "arguments": {"dropout": 0.25},
        "channels_last": False,
        "in_channels": 1,
    }
    of_data = content["FERDataModule"]
    assert (of_data["source"], of_data["mean"], of_data["std"]) == (str(few_faces), data.mean, data.std)
    assert len(of_data["trained_on"]) == 192
    again = EmotionClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    images = torch.rand(4, 1, 48, 48)
    assert torch.equal(again.eval()(images), model.eval()(images))


def test_a_checkpoint_of_pretrained_weights_needs_no_file(few_faces: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(EmotionClassifier("resnet18").net.state_dict(), weights)
    model = EmotionClassifier("resnet18", optimizer=partial(torch.optim.SGD, lr=0.0))
    load_initial_weights(model.net, "resnet18", InitialWeights(weights_path=str(weights)))
    fitting = trainer(tmp_path, max_steps=1)
    fitting.fit(model, FERDataModule(few_faces))
    fitting.save_checkpoint(tmp_path / "model.ckpt")
    weights.unlink()
    again = EmotionClassifier.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cpu", weights_only=True)
    assert torch.equal(again.net.conv1.weight, model.net.conv1.weight)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(("network", "arguments"), [("resnet18", {"width": 16}), ("deep_emotion", {})])
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_bfloat16_and_channels_last_train_and_stay_finite(
    network: str, arguments: dict[str, Any], precision: str, few_faces: Path, tmp_path: Path
) -> None:
    sgd = partial(torch.optim.SGD, lr=0.01)
    model = EmotionClassifier(network, arguments=arguments, channels_last=True, optimizer=sgd)
    before = {name: value.clone() for name, value in model.net.named_parameters()}
    fitting = trainer(tmp_path, max_steps=3, precision=precision)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    assert torch.isfinite(fitting.callback_metrics["train/loss"])
    after = dict(model.net.named_parameters())
    kernels = next(name for name, value in after.items() if value.ndim == 4)
    assert not torch.equal(after[kernels].float(), before[kernels])
    expected = torch.float32 if precision == "bf16-mixed" else torch.bfloat16
    assert {parameter.dtype for parameter in after.values()} == {expected}


def test_class_weights_of_the_training_split_reach_the_loss(few_faces: Path, tmp_path: Path) -> None:
    losses = {}
    for weights in ("none", "balanced"):
        torch.manual_seed(0)
        data = FERDataModule(few_faces, batch_size=192)
        loss = CrossEntropy(class_weights=weights)
        model = EmotionClassifier(
            "deep_emotion", arguments={"dropout": 0.0}, loss=loss, optimizer=partial(torch.optim.SGD, lr=0.0)
        )
        fitting = trainer(tmp_path, max_epochs=1)
        fitting.fit(model, data)
        losses[weights] = float(fitting.callback_metrics["train/loss"])
        assert torch.equal(model.class_weights, loss.weights(data.class_counts))
    assert data.class_counts.tolist() == [26, 3, 28, 48, 32, 22, 33]
    assert abs(losses["none"] - losses["balanced"]) > 1e-3


@pytest.mark.parametrize("batch_size", [8, 24, 192])
def test_train_loss_is_the_weighted_mean_over_all_faces(batch_size: int, few_faces: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = FERDataModule(few_faces, batch_size=batch_size)
    loss = CrossEntropy(0.1, class_weights="balanced")
    model = EmotionClassifier(
        "without_batch_norm", arguments={"dropout": 0.0}, loss=loss, optimizer=partial(torch.optim.SGD, lr=0.0)
    )
    torch.nn.init.normal_(model.head.weight)  # type: ignore[arg-type]  # else each face has much the same loss
    fitting = trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    fitting.fit(model, data)
    assert data.faces is not None
    rows = data.rows["train"]
    images, labels = data.faces.images[rows].float() / 255, data.faces.labels[rows]
    counts = labels.bincount(minlength=7)
    weights = len(labels) / (7 * counts)
    with torch.no_grad():
        logits = model((images - data.mean[0]) / data.std[0])
    expected = torch.nn.functional.cross_entropy(logits, labels, weights, label_smoothing=0.1)
    assert float(fitting.callback_metrics["train/loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_averaged_weights_are_what_is_kept(few_faces: Path, tmp_path: Path) -> None:
    averaging = L.pytorch.callbacks.EMAWeightAveraging(decay=0.9)
    keeping = L.pytorch.callbacks.ModelCheckpoint(tmp_path, "best", monitor="val/accuracy")
    model = EmotionClassifier("deep_emotion", optimizer=partial(torch.optim.SGD, lr=0.05))
    fitting = trainer(tmp_path, max_epochs=2, callbacks=[averaging, keeping], enable_checkpointing=True)
    data = FERDataModule(few_faces, batch_size=32)
    fitting.fit(model, data)
    content = torch.load(keeping.best_model_path, weights_only=True)
    name = "net.features.0.weight"
    assert not torch.equal(content["state_dict"][name], content["current_model_state"][name])


def test_any_torchvision_network_is_rebuilt_from_its_checkpoint(few_faces: Path, tmp_path: Path) -> None:
    sgd = partial(torch.optim.SGD, lr=0.01)
    model = EmotionClassifier("torchvision", arguments={"arch": "mobilenet_v3_small"}, optimizer=sgd)
    assert model.image_size is None
    fitting = trainer(tmp_path, max_steps=1)
    fitting.fit(model, FERDataModule(few_faces, batch_size=64))
    fitting.save_checkpoint(tmp_path / "model.ckpt")
    again = EmotionClassifier.load_from_checkpoint(tmp_path / "model.ckpt", map_location="cpu", weights_only=True)
    images = torch.rand(4, 1, 48, 48)
    assert torch.equal(again.eval()(images), model.eval()(images))


@pytest.mark.parametrize(("arch", "size"), [("resnet18", None), ("inception_v3", 299), ("alexnet", 224)])
def test_a_network_has_a_size_of_its_own_only_if_48_is_too_small(arch: str, size: int | None) -> None:
    assert EmotionClassifier("torchvision", arguments={"arch": arch}).image_size == size


def test_mixing_leaves_the_random_numbers_of_dropout() -> None:
    before = torch.random.get_rng_state()
    images, labels = torch.rand(8, 1, 48, 48), torch.arange(8) % 7
    torch.random.set_rng_state(before)
    mixed, _ = Augmentation(mixup=0.4).mix(images, labels, 7, torch.Generator().manual_seed(0))
    assert not torch.equal(mixed, images)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("width", "laid_out"), [(15, torch.contiguous_format), (16, torch.channels_last)])
def test_a_narrow_network_avoids_the_layout_that_kills_it(width: int, laid_out: torch.memory_format) -> None:
    assert EmotionClassifier("resnet18", arguments={"width": width}, channels_last=True).memory_format is laid_out


@pytest.mark.parametrize(("processes", "rank", "share"), [(2, 0, [0]), (2, 1, [1]), (1, 0, [0, 1]), (3, 2, [])])
def test_each_process_goes_on_with_what_it_has_measured_itself(
    processes: int, rank: int, share: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    model = EmotionClassifier("deep_emotion", EMOTIONS)
    model.trainer = trainer(tmp_path, strategy="ddp", devices=processes) if processes > 1 else trainer(tmp_path)
    of_each = {}
    for state, value in model.train_loss.metric_state.items():
        assert isinstance(value, torch.Tensor)
        of_each[state] = torch.stack([torch.full_like(value, 0.1), torch.full_like(value, 0.7)])
    model.on_load_checkpoint({"train_metrics": {"loss": of_each}})
    for state, value in model.train_loss.metric_state.items():
        assert isinstance(value, torch.Tensor)
        assert torch.equal(value, of_each[state][share].sum(0)), state


def test_a_checkpoint_keeps_what_was_measured_with_its_process(tmp_path: Path) -> None:
    model = EmotionClassifier("deep_emotion", EMOTIONS)
    model.trainer = trainer(tmp_path)
    model.train_metrics.update(torch.eye(7), torch.arange(7))
    checkpoint: dict[str, Any] = {}
    model.on_save_checkpoint(checkpoint)
    other = EmotionClassifier("deep_emotion", EMOTIONS)
    other.trainer = trainer(tmp_path)
    other.on_load_checkpoint(checkpoint)
    for name, kept in checkpoint["train_metrics"].items():
        assert all(len(value) == 1 for value in kept.values()), name
    one, same = (kind.train_metrics["accuracy"].metric_state for kind in (model, other))
    assert one == same
    assert one["tp"] == 7

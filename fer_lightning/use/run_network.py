"""A trained network as a run leaves it, run by torch."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fer_lightning.errors import ConfigError
from fer_lightning.files import printable
from fer_lightning.report.command_paths import without_folders
from fer_lightning.report.metrics_json import metrics_in
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.models import load_model, log_if_uncalibrated
from fer_lightning.transforms.preprocessing import scaled
from fer_lightning.transforms.views import views
from fer_lightning.use.card import Card, Flip, refuse_unknown
from fer_lightning.use.face_batches import in_batches


class RunNetwork:
    """The network of a run: uint8 faces in, calibrated probabilities out. It computes in float32.

    Args:
        source: the folder of a finished run, a checkpoint, or a model.safetensors.
        tta: "flip" averages over each face and its mirror image.
        device: "cpu", "cuda", "cuda:1", "mps"; "auto" for a GPU where there is one.
        threads: that compute on the CPU, for all of torch in this process; None leaves torch as it is.

    Raises:
        ConfigError: there is no such network, or no such device.
    """

    card: Card
    model: EmotionClassifier

    def __init__(
        self, source: Path | str, tta: Flip = "none", device: str = "auto", threads: int | None = None
    ) -> None:
        refuse_unknown("tta", tta, Flip)
        self._device = _device(device)
        if threads:
            torch.set_num_threads(threads)
        try:
            self.model = load_model(source).float().to(self._device)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        log_if_uncalibrated(self.model, source)
        try:
            self.card = run_card(self.model, Path(source))
        except ValueError as error:
            raise ConfigError(f"{source} cannot be used: {error}") from error
        self._tta = tta

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the probability of each class, float32 (N, K), of faces, uint8 (N, C, size, size).

        Raises:
            ValueError: faces of another type or shape.
        """
        return in_batches(self._probabilities, faces, self.card)

    @torch.inference_mode()
    def _probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.ascontiguousarray(faces)).to(self._device)
        images = self.model.preprocessing.normalized(scaled(pixels))
        each_view = [(self.model(view).float() / self.card.temperature).softmax(1) for view in views(images, self._tta)]
        return torch.stack(each_view).mean(0).cpu().numpy()


def run_card(model: EmotionClassifier, source: Path) -> Card:
    """Returns the card of a network that was loaded from a run's folder, or a file in one."""
    folder = run_folder(source)
    try:
        facts = metrics_in(folder / "report" / "metrics.json")
    except (OSError, ValueError):  # a checkpoint by itself
        facts = {}
    preprocessing, calibration = model.preprocessing, model.calibration
    return Card(
        name=printable(folder.resolve().name)[:200] or "network",
        class_names=model.class_names,
        size=preprocessing.size,
        channels=preprocessing.channels,
        fit=preprocessing.fit,
        temperature=calibration.temperature,
        unsure_below=calibration.unsure_below,
        sha256=weights_sha256(model),
        command=without_folders(str(facts.get("command", ""))),
        versions="; ".join(str(facts[key]) for key in ("commit", "versions") if key in facts),
    )


def run_folder(source: Path) -> Path:
    """Returns the folder of the run that a network was loaded from."""
    folder = source if source.is_dir() else source.parent
    return folder.parent if folder.name == "checkpoints" else folder


def weights_sha256(model: EmotionClassifier) -> str:
    """Returns the SHA-256 of the network's tensors: names, types, shapes and values, by name."""
    digest = sha256()
    for name, value in sorted(model.net.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device(torch.accelerator.current_accelerator(check_available=True) or "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"device is {name}, which this machine does not have: {str(error)[:200]}") from error
    return device

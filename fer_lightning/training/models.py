"""Trained networks, loaded from whatever a run leaves."""

import logging
from pathlib import Path

from fer_lightning.training.calibration import Calibration
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.fitting import LONGEST_WHY, refuse_unfitting_weights
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.training.model_file import network_content

log = logging.getLogger(__name__)


def load_model(source: Path | str, loss: CrossEntropy | None = None) -> EmotionClassifier:
    """Returns a trained network on the CPU, ready to predict; nothing in a file is executed.

    `model.preprocessing(picture)` is what it takes, `model.class_names` are its classes, and `model.calibration` is
    what was fitted when its run ended.

    Args:
        source: the folder of a finished run (for its tested network), a checkpoint, or a model.safetensors.
        loss: needed only to measure the network.

    Raises:
        ValueError: a file that holds no such network.
    """
    content = network_content(Path(source))
    description = content.hyper_parameters
    try:
        refuse_unfitting_weights(description, content.state_dict)
        model = EmotionClassifier(**dict(description), loss=loss)
        # A model.safetensors does not have what classes weigh in the loss: they stay at one.
        model.load_state_dict({"class_weights": model.class_weights} | content.state_dict)
    except (ValueError, TypeError, RuntimeError) as error:
        why = str(error)[:LONGEST_WHY]  # it may name all that is in there
        raise ValueError(f"{source} is not a checkpoint of this program: {why}") from error
    model.preprocessing = content.preprocessing
    if content.calibration is not None:
        model.calibration = content.calibration.calibration()
    return model.eval()


def log_if_uncalibrated(model: EmotionClassifier, source: Path | str) -> None:
    """Logs that the probabilities of a network are its own, as of a run that was killed before it was calibrated."""
    if model.calibration == Calibration():
        log.info("%s is not calibrated: its probabilities are those that the network gives", source)

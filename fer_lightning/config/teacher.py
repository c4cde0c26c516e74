"""loss.teacher names a run: its loss gets the checkpoint of that."""

import inspect
from pathlib import Path

from hydra.utils import get_object
from omegaconf import DictConfig

from fer_lightning.config.hydra_files import literal_text
from fer_lightning.config.run_config import checkpoint_of
from fer_lightning.errors import ConfigError
from fer_lightning.training.distillation import Distillation


def with_teacher_checkpoint(loss: DictConfig) -> DictConfig:
    """Returns the config of a loss; of distillation, with the checkpoint that the teacher's run tested, not its folder.

    Raises:
        ConfigError: a run whose config cannot be read, or names foreign code or another checkpoint.
    """
    kind = get_object(loss._target_)
    if not (inspect.isclass(kind) and issubclass(kind, Distillation)):
        return loss
    folder = Path(loss.teacher).expanduser()
    if not folder.is_dir():
        return loss
    try:
        checkpoint = checkpoint_of(folder)
    except ConfigError as error:
        raise ConfigError(f"loss: {error}") from error
    resolved = loss.copy()
    resolved.teacher = literal_text(str(checkpoint))
    return resolved

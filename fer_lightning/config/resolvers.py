"""The functions that the yaml files of conf/ refer to, as in `mode: ${better:${monitor}}`; importing this adds them."""

from pathlib import Path

from omegaconf import OmegaConf

from fer_lightning.config.run_places import refuse_links
from fer_lightning.config.typed_command import as_typed
from fer_lightning.errors import ConfigError
from fer_lightning.installation import CONF, shell_command
from fer_lightning.training.metrics import better


def _resumed_or_new(resume: str | int | float | None, new: str) -> str:
    if resume is None:
        return new
    run_dir = Path(str(resume)).expanduser()
    if not (run_dir / ".hydra" / "config.yaml").is_file():
        raise ConfigError(f"resume={resume} is not the folder of a run: it has no .hydra/config.yaml")
    refuse_links(run_dir)  # before Hydra opens its log there
    return str(run_dir)


OmegaConf.register_new_resolver("command", shell_command, replace=True)
OmegaConf.register_new_resolver("conf_file", lambda name: str(as_typed(CONF / name)), replace=True)
OmegaConf.register_new_resolver("better", better, replace=True)
OmegaConf.register_new_resolver("resumed_or_new", _resumed_or_new, replace=True)
OmegaConf.register_new_resolver(
    "unless_resumed", lambda resume, folder: folder if resume is None else None, replace=True
)

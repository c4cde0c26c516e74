"""Commands that use a run of somebody's own parts, and so need what found them."""

import os
import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from fer_lightning.config.own_modules import config_dirs
from fer_lightning.config.typed_command import as_typed, command
from fer_lightning.nets.registry import VARIABLE


def command_with_trust(script: str, *words: str) -> str:
    """Returns a command with the variable by which this process trusts other modules, if it does, and the --config-dir
    next to which it may have found them."""
    trusted = os.environ.get(VARIABLE)
    if not trusted:
        return command(script, *words)
    typed = config_dirs(HydraConfig.get()) if HydraConfig.initialized() else ()
    options = [f"--config-dir={as_typed(folder)}" for folder in typed if folder.parent != Path.cwd()]
    return f"{VARIABLE}={shlex.quote(trusted)} {command(script, *options, *words)}"

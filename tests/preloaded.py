"""What the processes that `tests.scripts` forks have in common."""

import gc

import jinja2  # noqa: F401
import torch.utils.tensorboard  # noqa: F401

import fer_lightning.commands.console
import fer_lightning.commands.train  # noqa: F401

gc.freeze()  # nothing of this is garbage in any of them

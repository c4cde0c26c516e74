"""Silences what Lightning, TensorBoard and matplotlib need not say in our runs."""

import logging
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any


def quieten() -> None:
    """Takes away what Lightning says about things that are so on purpose, and its second console handler."""
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("pytorch.utilities.rank_zero", "pytorch.trainer.connectors.checkpoint_connector", "fabric.utilities"):
        logging.getLogger(f"lightning.{name}").setLevel(logging.WARNING)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # the first run of all builds a cache of fonts
    for text in (
        ".*does not have many workers.*",  # a batch is one index operation: workers would slow it down
        ".*exists and is not empty.*",  # the run's folder holds .hydra and the log already
        ".*The number of training batches .* is smaller than the logging interval.*",  # metrics are per epoch
        ".*module.s. in eval mode at the start of training.*",  # those that finetune has frozen
        ".*your dataloader is not resumable.*",  # ResumableShuffleSampler is
        ".*logging on epoch level in distributed setting.*",  # metrics are shared already, and speed is logged by one
        ".*LeafSpec.* is deprecated.*",  # Lightning calls what newer torch renames
    ):
        warnings.filterwarnings("ignore", text)
    before = threading.excepthook
    if not (isinstance(before, partial) and before.func is _unless_known):
        threading.excepthook = partial(_unless_known, before)


def _unless_known(report: Callable[[threading.ExceptHookArgs], Any], failure: threading.ExceptHookArgs) -> None:
    """Reports what fails in a thread, but for what TensorBoard's writer raises in the main thread too: a full disk."""
    if type(failure.thread).__name__ != "_AsyncWriterThread":
        report(failure)

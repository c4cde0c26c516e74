"""An exported network, ready to be tested: what train.py's own config says stands for that of its run."""

import logging
import re
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.build import Experiment, trainer_to_test, with_test_faces
from fer_lightning.errors import ConfigError
from fer_lightning.use.exported_net import exported_classifier
from fer_lightning.use.onnx_network import OnnxNetwork

log = logging.getLogger(__name__)

COMPUTES = {"accelerator": ("cpu", "auto"), "precision": ("32-true", "auto")}
"""Keys of the trainer, and what an ONNX file can be run with."""

CUT = re.compile(r"\d% of ")
"""In the words for a split that was cut out of another part: a network may have been trained on all of that."""

UNKNOWN = "an exported file does not say which faces it has learnt from: some of these may be among them"


def exported(file: Path, changes: DictConfig) -> Experiment:
    """Returns an exported network with the faces that it is to be tested on.

    Args:
        file: the ONNX file.
        changes: what is not null in its `data` and `trainer` replaces what train.py takes for data=fer2013, or
            data=ferplus where votes are given.

    Raises:
        ConfigError: it is no such network, or the faces cannot be used.
    """
    for key, choices in COMPUTES.items():
        if (given := changes.trainer[key]) not in (None, *choices):
            raise ConfigError(
                f"trainer.{key} is {given}, but an ONNX file is run on the CPU, in the precision that it has: leave "
                f"it out, or test its run with run_dir=…"
            )
    network = OnnxNetwork(file)
    has_votes = any(value is not None for value in changes.data.votes.values())
    data = "ferplus" if has_votes else "fer2013"
    run = compose("train", [f"data={data}", *(f"trainer.{key}={choice}" for key, (choice, _) in COMPUTES.items())])
    OmegaConf.set_struct(run, False)
    changes = changes.copy()
    changes.trainer = dict.fromkeys(COMPUTES)
    trainer = trainer_to_test(run, changes)
    experiment = with_test_faces(run, exported_classifier(network, str(file)), trainer, _data_state(network))
    origin = experiment.datamodule.origins["test"]
    experiment.datamodule.notes += (UNKNOWN,)
    if CUT.search(origin):
        log.warning(
            "the source has no test part, so that test is %s, which the network may have learnt from: name another "
            "part with data.splits.test=…",
            origin,
        )
    return experiment


def _data_state(network: OnnxNetwork) -> dict[str, Any]:
    """Returns what a checkpoint would say: faces as the file takes them, and none that are known to be trained on."""
    card, none = network.card, torch.empty(0, dtype=torch.int64)
    return {
        "mean": (0.0,) * card.channels,
        "std": (1.0,) * card.channels,
        "image_size": card.size,
        "size": card.size,
        "fit": card.fit,
        "trained_on": none,
        "chosen_on": none,
    }

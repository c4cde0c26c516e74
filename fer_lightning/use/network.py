"""Chooses a trained network by name or path. Imports no torch, unless a run of one's own is chosen."""

import difflib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_lightning.errors import ConfigError
from fer_lightning.use.card import Card, Flip

NETWORKS = Path(__file__).parent / "networks"
"""The folder of the networks that come with the package."""

LARGEST_NETWORKS = {"small": 150_000, "large": 6_000_000, "ferplus": 6_000_000}
"""The networks that come with the package, and how many bytes each may have."""

DEFAULT_NETWORK = "small"

RUN_FILES = (".ckpt", ".safetensors")


class Network(Protocol):
    """A trained network, whatever runs it."""

    @property
    def card(self) -> Card: ...

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the calibrated probability of each class, float32 (N, K), of faces, uint8 (N, C, size, size)."""


def network(
    name_or_path: str | Path = DEFAULT_NETWORK, tta: Flip = "none", threads: int | None = None, device: str = "auto"
) -> Network:
    """Returns a trained network, ready to predict; nothing in a file is executed.

    Args:
        name_or_path: small, which comes with the package, or large or ferplus, once packed; an exported .onnx file;
            the folder of a run, a checkpoint or a model.safetensors. `./small` is a path.
        tta: "flip" averages over each face and its mirror image.
        threads: that an ONNX file uses; None for as many as the machine has cores.
        device: that a run's network uses; an ONNX file is run on the CPU.

    Raises:
        ConfigError: there is no such network.
    """
    path = Path(name_or_path)
    if str(name_or_path) in LARGEST_NETWORKS:
        path = NETWORKS / f"{name_or_path}.onnx"
        if not path.is_file():
            raise ConfigError(f"this copy of the package comes without the network {name_or_path}. {_choices()}")
    if not path.exists():
        near = difflib.get_close_matches(str(name_or_path), LARGEST_NETWORKS, n=1)
        hint = f"Did you mean {near[0]}?" if near else _choices()
        raise ConfigError(f"{name_or_path} is neither a network of the package nor a file or folder. {hint}")
    if path.suffix == ".onnx" and not path.is_dir():
        if device not in ("auto", "cpu"):
            raise ConfigError(f"device is {device}, but an ONNX file is run on the CPU. Give the folder of its run")
        from fer_lightning.use.onnx_network import OnnxNetwork

        return OnnxNetwork(path, threads, tta)
    if not path.is_dir() and path.suffix not in RUN_FILES:
        raise ConfigError(
            f"{path} is no network: give the folder of a run, its {' or '.join(f'*{end}' for end in RUN_FILES)}, or an "
            f".onnx file that `python -m fer_lightning.use.export` wrote"
        )
    from fer_lightning.use.run_network import RunNetwork

    return RunNetwork(path, tta, device)


def _choices() -> str:
    there = [name for name in LARGEST_NETWORKS if (NETWORKS / f"{name}.onnx").is_file()]
    return f"Give {', '.join([*there, 'the folder of a run'])} or an .onnx file"

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

PACKAGED_MARGIN = 1.16
"""Side of the square that they are given around a face, in widths of its box: docs/predict.md compares several."""

DEFAULT_NETWORK = "large"

BROWSER_NETWORK = "small"
"""What a page is written with that visitors must fetch: the default is thirty-eight times as large."""

RUN_FILES = (".ckpt", ".safetensors")

_RUN_FILES_IN_WORDS = " or ".join(f"*{ending}" for ending in RUN_FILES)


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
        threads: that compute, with a run's network in all of this process's torch; None for as many as there are cores.
        device: that a run's network uses; an ONNX file is run on the CPU.

    Raises:
        ConfigError: there is no such network.
    """
    path = Path(name_or_path)
    if str(name_or_path) in LARGEST_NETWORKS:
        return packaged_network(str(name_or_path), tta, threads, device)
    if not path.exists():
        hint = _near(str(name_or_path)) or f"Give {', '.join([*packaged(), 'the folder of a run'])} or an .onnx file"
        raise ConfigError(f"{name_or_path} is neither a network of the package nor a file or folder. {hint}")
    if path.suffix == ".onnx" and not path.is_dir():
        return exported_network(path, tta, threads, device)
    if not path.is_dir() and path.suffix not in RUN_FILES:
        raise ConfigError(
            f"{path} is no network: give the folder of a run, its {_RUN_FILES_IN_WORDS}, or an .onnx file that "
            f"`python -m fer_lightning.use.export` wrote"
        )
    return trained_network(path, tta, threads, device)


def packaged_network(name: str, tta: Flip = "none", threads: int | None = None, device: str = "auto") -> Network:
    """Returns a network that comes with the package, as `network` does.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in LARGEST_NETWORKS:
        hint = _near(name) or f"There are {', '.join(packaged())}"
        raise ConfigError(f"{name} is no network of the package. {hint}")
    file = NETWORKS / f"{name}.onnx"
    if not file.is_file():
        raise ConfigError(f"this copy of the package comes without the network {name}; it has {', '.join(packaged())}")
    return exported_network(file, tta, threads, device)


def trained_network(path: Path, tta: Flip = "none", threads: int | None = None, device: str = "auto") -> Network:
    """Returns the network of a run's folder, or of a checkpoint or a model.safetensors, as `network` does.

    Raises:
        ConfigError: it is anything else.
    """
    refuse_other_than_runs(path, "; --model takes an exported file" if path.suffix == ".onnx" else "")
    from fer_lightning.use.run_network import RunNetwork

    return RunNetwork(path, tta, device, threads)


def refuse_other_than_runs(path: Path, hint: str = "") -> None:
    """Raises ConfigError for what is neither a folder nor a file of a run, as far as its name says."""
    if not path.exists():
        raise ConfigError(f"{path}: there is no such folder or file of a run")
    if not path.is_dir() and path.suffix not in RUN_FILES:
        raise ConfigError(f"{path} is no run: it takes the folder of a run, or its {_RUN_FILES_IN_WORDS}{hint}")


def exported_network(path: Path, tta: Flip = "none", threads: int | None = None, device: str = "auto") -> Network:
    """Returns the network in an ONNX file, as `network` does.

    Raises:
        ConfigError: it is anything else, or the device is not the CPU.
    """
    if path.is_dir() or path.suffix != ".onnx":
        raise ConfigError(
            f"{path} is no exported network: it takes an .onnx file that `python -m fer_lightning.use.export` wrote"
        )
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device is {device}, but an ONNX file is run on the CPU. Give the folder of its run")
    from fer_lightning.use.onnx_network import OnnxNetwork

    return OnnxNetwork(path, threads, tta)


def packaged() -> list[str]:
    """Returns the names of the networks that this copy of the package comes with."""
    return [name for name in LARGEST_NETWORKS if (NETWORKS / f"{name}.onnx").is_file()]


def _near(name: str) -> str:
    """Returns a question whether the network of the most similar name was meant; empty if none is similar."""
    near = difflib.get_close_matches(name, LARGEST_NETWORKS, n=1)
    return f"Did you mean {near[0]}?" if near else ""

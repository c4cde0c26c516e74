"""model.safetensors: the weights of a trained network, and what rebuilds it and prepares its pictures as metadata."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fer_lightning.files import written_whole
from fer_lightning.installation import script_name
from fer_lightning.training.checkpoint_content import (
    FORMAT_VERSION,
    CalibrationState,
    CheckpointContent,
    FormatVersion,
    HyperParameters,
    checkpoint_content,
    refuse_sizes_without_weights,
    version_problem,
)
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.transforms.preprocessing import Preprocessing

MODEL_FILE = "model.safetensors"

METADATA_KEY = "fer_lightning"
"""The key of the metadata; one alone: safetensors writes several in any order, and a run is to give the same bytes."""

LONGEST_METADATA = 100_000
"""Characters that the metadata of a file may have."""


class ModelContent(BaseModel):
    """The JSON in the metadata that rebuilds a network, and its weights as `EmotionClassifier.state_dict` has them."""

    model_config = ConfigDict(strict=True, arbitrary_types_allowed=True, protected_namespaces=(), allow_inf_nan=False)

    format_version: FormatVersion
    hyper_parameters: HyperParameters
    preprocessing: Preprocessing
    calibration: CalibrationState | None = None  # absent in those of version 0.2
    state_dict: Annotated[dict[str, Tensor], Field(exclude=True)] = {}


def save_model(model: EmotionClassifier, preprocessing: Preprocessing, folder: Path) -> None:
    """Writes folder/model.safetensors, and model.pth: its tensors alone, for programs that read only these."""
    # Copies, since safetensors refuses weights that several layers share.
    state = {name: value.detach().cpu().contiguous().clone() for name, value in model.net.state_dict().items()}
    description = {
        "format_version": FORMAT_VERSION,
        "hyper_parameters": dict(model.hparams),
        "preprocessing": asdict(preprocessing),
        "calibration": asdict(model.calibration),
    }
    pickled = io.BytesIO()
    torch.save(state, pickled)
    # Written by Python, whose error says that a disk is full; those of safetensors and torch hide it.
    for name, content in (
        (MODEL_FILE, save(state, {METADATA_KEY: json.dumps(description)})),
        ("model.pth", pickled.getbuffer()),
    ):
        with written_whole(folder / name) as unfinished:
            unfinished.write_bytes(content)


def network_content(source: Path) -> CheckpointContent | ModelContent:
    """Reads what rebuilds the network of a run's folder, a checkpoint or a model.safetensors; nothing is executed.

    Raises:
        ValueError: there is no such file, or it holds no network of this program.
    """
    path = source / MODEL_FILE if source.is_dir() else source
    if source.is_dir() and not path.is_file():
        known = sorted(one.name for one in source.glob("checkpoints/*.ckpt"))
        instead = f", as in {source / 'checkpoints' / known[0]}" if known else ""
        raise ValueError(f"{source} has no {MODEL_FILE}, which a finished run has: give a checkpoint{instead}")
    if path.suffix in (".pth", ".pt"):
        raise ValueError(f"{path} holds tensors alone: give the {MODEL_FILE} of its run, or a checkpoint")
    return _model_content(path) if path.suffix == ".safetensors" else checkpoint_content(path)


def _model_content(path: Path) -> ModelContent:
    if not path.is_file():  # to read a pipe or a device might never end
        raise ValueError(f"{path} is not a file")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(f"safetensors opens no path that is not UTF-8: rename {path}, or give a checkpoint") from None
    try:
        with safe_open(path, framework="pt") as opened:
            text = (opened.metadata() or {}).get(METADATA_KEY, "")
            if not text:
                raise ValueError(f"{path} holds weights alone: it does not say of which network. Give a checkpoint")
            if len(text) > LONGEST_METADATA:
                raise ValueError(
                    f"{path} was not written by {script_name('train.py')}: its metadata has {len(text):,} characters"
                )
            content = ModelContent.model_validate_json(text)
            content.state_dict = {f"net.{name}": opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged, or no safetensors file") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"][:2])) or "all of it"
        why = version_problem(first["type"]) if where == "format_version" else f"its metadata is wrong at {where}"
        raise ValueError(f"{path} was not written by {script_name('train.py')}: {why}") from error
    refuse_sizes_without_weights(path, content)
    return content

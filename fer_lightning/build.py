"""From a config to the objects that it describes."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from torch.optim import Optimizer

from fer_lightning.check import APART, check, refuse_scores_of_other_weights
from fer_lightning.checkpoint_content import checkpoint_content
from fer_lightning.checkpoints import WholeCheckpoints
from fer_lightning.classifier import EmotionClassifier
from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.faces import SPLITS
from fer_lightning.devices import EndTogether, refuse_what_devices_cannot_share
from fer_lightning.errors import ConfigError
from fer_lightning.hydra_files import literal_text
from fer_lightning.losses import CrossEntropy
from fer_lightning.messages import message
from fer_lightning.models import load_model
from fer_lightning.nets.torchvision import refusal
from fer_lightning.nets.weights import Start
from fer_lightning.optimization import Schedule
from fer_lightning.quiet import quieten
from fer_lightning.run_config import refuse_foreign
from fer_lightning.run_length import refuse_changing_accumulation, refuse_what_never_comes
from fer_lightning.threads import ThreadCount
from fer_lightning.trainer_options import check_batches

log = logging.getLogger(__name__)


MEASURING = (
    *("_target_", "_convert_", "accelerator", "precision", "limit_test_batches", "deterministic", "benchmark"),
    *("inference_mode", "enable_progress_bar"),
)
"""What the test of a run takes of its trainer."""


@dataclass(frozen=True)
class Experiment:
    """What a config describes, ready to run."""

    datamodule: FERDataModule
    model: EmotionClassifier
    trainer: L.Trainer


def build(cfg: DictConfig) -> Experiment:
    """Checks the whole config, then reads the data and makes the network.

    Raises:
        ConfigError: a value of the wrong type or out of range, or data that cannot be used.
    """
    check(cfg)
    refuse_scores_of_other_weights(cfg)
    finetuning, of_head = _apart("finetune", cfg.finetune)
    own = [_made("finetune", finetuning)] if cfg.finetune.unfreeze_at_epoch != 0 else []
    trainer = _trainer(cfg, own, callbacks=list(cfg.callbacks or {}), loggers=list(cfg.logger or {}))
    loss: CrossEntropy = _made("loss", cfg.loss)
    optimizer = _optimizer(cfg)
    schedule = _schedule(cfg, optimizer)
    refuse_changing_accumulation(trainer, schedule)
    datamodule = build_data(cfg)
    refuse_what_devices_cannot_share(trainer, cfg, datamodule)
    L.seed_everything(cfg.seed, verbose=False)
    parts = {"class_names": datamodule.class_names, "loss": loss, "optimizer": optimizer, "schedule": schedule}
    model = _model(cfg, datamodule, **parts, **of_head)
    if datamodule.image_size == "auto":
        datamodule.image_size = model.image_size
    for key, sizes in (("image_size", [datamodule.image_size]), ("progressive_sizes", datamodule.progressive_sizes)):
        for size in sizes:
            if refusal(model, size):
                raise ConfigError(
                    f"data.{key} is {size}, and {type(model.net).__name__} does not run on images of {size}×{size}: "
                    f"it is made for {model.image_size}×{model.image_size}"
                )
    try:
        loss.prepare(datamodule)
    except ValueError as error:
        raise ConfigError(f"loss: {error}") from error
    if cfg.compile:
        log.info("compile=true: the first steps take a minute or more, on a CPU several")
        model.net.compile()  # in place, so that the names in its state dict stay
    batches = {split: len(getattr(datamodule, f"{split}_dataloader")()) for split in SPLITS}
    check_batches(trainer, batches)
    refuse_what_never_comes(cfg, trainer, batches["train"])
    return Experiment(datamodule, model, trainer)


def build_data(cfg: DictConfig) -> FERDataModule:
    """Of a config that has been checked: its faces, read and split.

    Raises:
        ConfigError: data that cannot be used.
    """
    datamodule: FERDataModule = _made("data", cfg.data, augmentation=_made("augmentation", cfg.augmentation))
    _read(datamodule, "fit")
    return datamodule


def rebuild(run: DictConfig, changes: DictConfig, checkpoint: Path) -> Experiment:
    """The network of a checkpoint with the test data of its run, or with other data.

    Args:
        run: the config of the run.
        changes: what is not null in its `data` and `trainer` replaces that of the run.
        checkpoint: of that run.

    Raises:
        ConfigError: as `build`, or a checkpoint that does not fit or holds more than plain values.
    """
    refuse_foreign(run)
    try:
        of_data = checkpoint_content(checkpoint).data
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not isinstance(run.data.path, DictConfig):  # of demo faces: they are drawn again if they are gone
        run.data.path = of_data.source  # wherever this is called from, and whatever $FER2013 is by now
    if run.data.get("votes"):  # other faces have other votes
        run.data.votes.path = None if changes.data.path else of_data.votes
    for group in ("data", "trainer"):
        _replace(run[group], changes[group], group)
    run.seed = 0 if run.seed is None else run.seed  # which testing does not use
    check(run)
    # Of a run's trainer only what measuring takes: its profiler, folder or plugins would write. On one device, however
    # many it was trained on.
    measuring = OmegaConf.masked_copy(run.trainer, [key for key in MEASURING if key in run.trainer])
    measuring.update({"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False})
    measuring.default_root_dir = literal_text(HydraConfig.get().runtime.output_dir)
    run.trainer = measuring
    trainer = _trainer(run, [], callbacks=["progress_bar"], loggers=[])
    try:
        model = load_model(checkpoint, _made("loss", run.loss))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    datamodule = _made("data", run.data)
    datamodule.load_state_dict(dict(of_data))
    _read(datamodule, "test")
    if datamodule.class_names != model.class_names:
        known, found = ", ".join(model.class_names), ", ".join(datamodule.class_names)
        raise ConfigError(f"the network of {checkpoint} knows the classes {known}; the data has {found}")
    check_batches(trainer, {"test": len(datamodule.test_dataloader())})
    return Experiment(datamodule, model, trainer)


def _made(name: str, node: DictConfig, **parts: Any) -> Any:
    """What a node describes, with further parts; if it refuses, an error that says which node."""
    try:
        return instantiate(node, _partial_=True)(**parts)
    except InstantiationException as error:
        raise ConfigError(message(error)) from error
    except (ValueError, TypeError, ModuleNotFoundError, MisconfigurationException) as error:
        raise ConfigError(f"{name}: {error}") from error


def _apart(group: str, node: DictConfig) -> tuple[DictConfig, dict[str, Any]]:
    """A node without the keys that are not for its target, and these."""
    arguments = OmegaConf.to_container(node, resolve=True)
    assert isinstance(arguments, dict)
    _, keys = APART[group]
    apart = {key: arguments.pop(key) for key in keys if key in arguments}
    return OmegaConf.create(arguments), apart


def _model(cfg: DictConfig, datamodule: FERDataModule, **parts: Any) -> EmotionClassifier:
    node, start = _apart("model", cfg.model)
    if start:
        try:
            parts["start"] = Start(**start, mean=datamodule.mean, std=datamodule.std)
        except ValueError as error:
            raise ConfigError(f"model: {error}") from error
    if cfg.finetune.unfreeze_at_epoch != 0 and not any(start.values()):
        hint = " or give it weights with model.pretrained=true or model.weights_path=…" if start else ""
        log.warning("finetune freezes the body of the network at random weights: add finetune=full%s", hint)
    model: EmotionClassifier = _made("model", node, **parts)
    return model


def _read(datamodule: FERDataModule, stage: str) -> None:
    try:
        datamodule.setup(stage)
    except DataError as error:
        raise ConfigError(str(error)) from error


def _replace(node: DictConfig, other: DictConfig, name: str) -> None:
    """Sets in node what is not null in other; `name` is what messages call the node."""
    for key, value in other.items():
        if isinstance(value, DictConfig) and node.get(key) is not None:
            _replace(node[key], value, f"{name}.{key!s}")
        elif isinstance(value, DictConfig):
            if given := [f"{name}.{key!s}.{inner!s}" for inner, one in value.items() if one is not None]:
                raise ConfigError(f"{given[0]} is given, but the run has no {name}.{key!s}")
        elif value is not None:
            OmegaConf.update(node, str(key), value, merge=False, force_add=True)


def _trainer(cfg: DictConfig, own: list[L.Callback], callbacks: list[str], loggers: list[str]) -> L.Trainer:
    quieten()
    named = [_made(f"callbacks.{name}", cfg.callbacks[name]) for name in callbacks if cfg.callbacks.get(name)]
    options: dict[str, Any] = {
        "callbacks": [*named, *own, EndTogether(), ThreadCount()],  # LastCheckpoint is the first
        "plugins": [WholeCheckpoints(Path(cfg.trainer.default_root_dir))],
        "logger": [_made(f"logger.{name}", cfg.logger[name]) for name in loggers] or False,
        "enable_model_summary": False,  # ours leaves out the metrics
        "use_distributed_sampler": False,  # the data module shares the faces out itself, and repeats none in val
    }
    if cfg.trainer.precision == "auto":
        options["precision"] = _fast_precision(cfg.trainer.accelerator)
    try:
        return _made("trainer", cfg.trainer, **options)  # type: ignore[no-any-return]
    except RuntimeError as error:  # SLURM's settings contradict each other
        raise ConfigError(f"trainer: {error}") from error


def _optimizer(cfg: DictConfig) -> Callable[..., Optimizer]:
    node = cfg.optimizer.copy()
    if node.get("fused") == "auto":  # Lightning refuses to clip the gradients of a fused step
        node.fused = None if cfg.trainer.gradient_clip_val else True

    def make(parameters: Any) -> Optimizer:
        optimizer: Optimizer = _made("optimizer", node, params=parameters)
        return optimizer

    make([torch.zeros(1, requires_grad=True)])  # its own checks, before any work
    return make


def _schedule(cfg: DictConfig, optimizer: Callable[..., Optimizer]) -> Schedule | None:
    if not cfg.scheduler:
        return None
    node, when = _apart("scheduler", cfg.scheduler)

    def make(optimizer: Optimizer, **filled_in: Any) -> Any:
        return _made("scheduler", node, optimizer=optimizer, **filled_in)

    schedule = Schedule(make, **when)
    schedule.made(optimizer([torch.zeros(1, requires_grad=True)]), 100)  # its own checks, before any work
    return schedule


def _fast_precision(accelerator: str) -> str:
    """bf16-mixed where the hardware computes it: elsewhere it is emulated, and slower than float32."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator == "mps" or (accelerator == "auto" and torch.backends.mps.is_available()):
        return "32-true"
    capabilities_of = getattr(torch.cpu, "get_capabilities", dict)  # not in every torch that pyproject.toml allows
    capabilities: Mapping[str, Any] = capabilities_of()
    computes_bf16 = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return "bf16-mixed" if computes_bf16 else "32-true"

"""From a config to the objects that it describes."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import ProgressBar
from omegaconf import DictConfig, OmegaConf

import fer_lightning.config.resolvers  # noqa: F401 (which conf/ refers to)
from fer_lightning.callbacks.checkpoints import WholeCheckpoints
from fer_lightning.callbacks.thread_count import ThreadCount
from fer_lightning.config.check import check, refuse_scores_of_other_weights
from fer_lightning.config.data_paths import forget_form, own_entries, set_places, with_own_entries
from fer_lightning.config.devices import EndTogether, refuse_what_devices_cannot_share
from fer_lightning.config.logging_setup import quieten
from fer_lightning.config.model import model_config
from fer_lightning.config.parts import apart, made, made_augmentation, made_loss, made_optimizer, made_schedule
from fer_lightning.config.run_config import refuse_foreign, refuse_untrusted
from fer_lightning.config.run_length import refuse_changing_accumulation, refuse_what_never_comes
from fer_lightning.config.run_places import measuring_trainer
from fer_lightning.config.teacher import with_teacher_checkpoint
from fer_lightning.config.trainer_options import check_batches, without_options_of_training
from fer_lightning.config.trial import refuse_unrebuildable, refuse_unusable_classes
from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.faces import SPLITS
from fer_lightning.data.other_sets import MeasuredRun
from fer_lightning.errors import ConfigError
from fer_lightning.nets.registry import is_built_in
from fer_lightning.nets.torchvision import colour_size, input_size_error
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from fer_lightning.training.checkpoint_content import checkpoint_content
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.hardware import fast_precision
from fer_lightning.training.models import load_model, log_if_uncalibrated

log = logging.getLogger(__name__)

WHOLE = ("classes",)
"""Keys whose mapping is one value: of two of them, one replaces the other."""


@dataclass(frozen=True)
class Experiment:
    """The objects that a config describes, ready to run."""

    datamodule: FERDataModule
    model: EmotionClassifier
    trainer: L.Trainer


def build(cfg: DictConfig) -> Experiment:
    """Checks the whole config, then reads the data and makes the network.

    Raises:
        ConfigError: a value of the wrong type or out of range, or data that cannot be used.
    """
    refuse_untrusted(cfg)
    check(cfg)
    refuse_scores_of_other_weights(cfg)
    finetuning, head_options = apart("finetune", cfg.finetune)
    own = [made("finetune", finetuning)] if cfg.finetune.unfreeze_at_epoch != 0 else []
    trainer = _trainer(cfg, own, callbacks=list(cfg.callbacks or {}), loggers=list(cfg.logger or {}))
    loss = made_loss(with_teacher_checkpoint(cfg.loss))
    optimizer = made_optimizer(cfg, trainer.strategy.root_device)
    schedule = made_schedule(cfg, optimizer)
    refuse_changing_accumulation(trainer, schedule)
    datamodule = build_data(cfg)
    refuse_unusable_classes(datamodule.class_names)
    refuse_what_devices_cannot_share(trainer, cfg, datamodule)
    L.seed_everything(cfg.seed, verbose=False)
    model = _model(cfg, datamodule, loss=loss, optimizer=optimizer, schedule=schedule, **head_options)
    if datamodule.image_size == "auto":
        datamodule.image_size = model.image_size or datamodule.size
    for key, sizes in (("image_size", [datamodule.image_size]), ("progressive_sizes", datamodule.progressive_sizes)):
        for size in sizes:
            if why := input_size_error(model, size, datamodule.preprocessing.channels):
                made_for = f"it is made for {model.image_size}×{model.image_size}"
                made_for = made_for if model.image_size not in (None, size) else why
                raise ConfigError(
                    f"data.{key} is {size}, and {type(model.net).__name__} does not run on images of {size}×{size}: "
                    f"{made_for}"
                )
    if not is_built_in(cfg.model.name):
        try:
            refuse_unrebuildable(model, datamodule)
        except ValueError as error:
            raise ConfigError(f"model: {error}") from error
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
    """Reads and splits the faces of a config that has been checked.

    Raises:
        ConfigError: data that cannot be used.
    """
    datamodule: FERDataModule = made("data", cfg.data, augmentation=made_augmentation(cfg.augmentation))
    _read(datamodule, "fit")
    return datamodule


def rebuild(run: DictConfig, changes: DictConfig, checkpoint: Path) -> Experiment:
    """Rebuilds the network of a checkpoint, with the test data of its run or with other data.

    Args:
        run: the config of the run.
        changes: what is not null in its `data` and `trainer` replaces that of the run.
        checkpoint: of that run.

    Raises:
        ConfigError: as `build`, or a checkpoint that does not fit or holds more than plain values.
    """
    refuse_foreign(run)
    try:
        data_state = checkpoint_content(checkpoint).data
    except ValueError as error:
        raise ConfigError(str(error)) from error
    measured_run = None
    if not changes.data.path:  # wherever this is called from, and whatever $FER2013 is now
        set_places(run, data_state.source, data_state.votes)
    else:
        changes.data.path = with_own_entries(run.data.path, changes.data.path, data_state.source)
        forget_form(run, changes.data.path)
        if changes.data.get("test_fraction") is None:
            splits: Any = OmegaConf.to_container(changes.data.splits)
            given = {key: one for key, one in splits.items() if one is not None}
            measured_run = MeasuredRun(data_state.source, given, own_entries(run.data.path))
    trainer = trainer_to_test(run, changes)
    try:
        model = load_model(checkpoint, made_loss(run.loss))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    log_if_uncalibrated(model, checkpoint)
    return with_test_faces(run, model, trainer, dict(data_state), measured_run)


def trainer_to_test(run: DictConfig, changes: DictConfig) -> L.Trainer:
    """Puts what is not null in the changes into the config of a run, checks it, and makes the trainer that tests."""
    for group in ("data", "trainer"):
        _replace(run[group], changes[group], group)
    run.seed = 0 if run.seed is None else run.seed  # which testing does not use
    run.trainer = without_options_of_training(run.trainer)
    check(run)
    run.trainer = measuring_trainer(run, Path(HydraConfig.get().runtime.output_dir))
    return _trainer(run, [], callbacks=["progress_bar"], loggers=[])


def with_test_faces(
    run: DictConfig,
    model: EmotionClassifier,
    trainer: L.Trainer,
    data_state: dict[str, Any],
    measured_run: MeasuredRun | None = None,
) -> Experiment:
    """Reads the faces that a network is to be tested on, as it takes them; their classes are matched with its own.

    Args:
        run: what `trainer_to_test` has checked.
        data_state: as `FERDataModule.state_dict` returns it.
        measured_run: the run, where other sets are given than its own.
    """
    datamodule = made("data", run.data)
    datamodule.load_state_dict(data_state)
    datamodule.known_classes, datamodule.measured_run = model.class_names, measured_run
    _read(datamodule, "test")
    check_batches(trainer, {"test": len(datamodule.test_dataloader())})
    return Experiment(datamodule, model, trainer)


def _model(cfg: DictConfig, datamodule: FERDataModule, **training: Any) -> EmotionClassifier:
    """Makes the network that cfg.model names, with its first weights, and what trains it around it."""
    described = model_config(cfg.model)
    try:
        initial = InitialWeights(**described.initial, mean=datamodule.mean, std=datamodule.std)
        model = EmotionClassifier(
            described.network,
            datamodule.class_names,
            described.arguments,
            in_channels=datamodule.preprocessing.channels,
            lr_scales=described.lr_scales,
            **described.trained,
            **training,
        )
        arch = str(model.net.arch) if is_built_in(described.network) and hasattr(model.net, "arch") else ""
        if load_initial_weights(model.net, arch, initial):
            model.image_size = colour_size(arch)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"model: {error}") from error
    if cfg.finetune.unfreeze_at_epoch != 0 and not any(described.initial.values()):
        hint = " or give it weights with model.pretrained=true or model.weights_path=…" if described.initial else ""
        log.warning("finetune freezes the body of the network at random weights: add finetune=full%s", hint)
    return model


def _read(datamodule: FERDataModule, stage: str) -> None:
    try:
        datamodule.setup(stage)
    except DataError as error:
        raise ConfigError(str(error)) from error


def _replace(node: DictConfig, other: DictConfig, name: str) -> None:
    """Sets in node what is not null in other; `name` is what messages call the node."""
    for key, value in other.items():
        if isinstance(value, DictConfig) and key in WHOLE:
            OmegaConf.update(node, str(key), value, merge=False, force_add=True)
        elif isinstance(value, DictConfig) and node.get(key) is not None:
            _replace(node[key], value, f"{name}.{key!s}")
        elif isinstance(value, DictConfig):
            if given := [f"{name}.{key!s}.{inner!s}" for inner, one in value.items() if one is not None]:
                raise ConfigError(f"{given[0]} is given, but the run has no {name}.{key!s}")
        elif value is not None:
            OmegaConf.update(node, str(key), value, merge=False, force_add=True)


def _trainer(cfg: DictConfig, own: list[L.Callback], callbacks: list[str], loggers: list[str]) -> L.Trainer:
    quieten()
    named = [made(f"callbacks.{name}", cfg.callbacks[name]) for name in callbacks if cfg.callbacks.get(name)]
    options: dict[str, Any] = {
        "callbacks": [*named, *own, EndTogether(), ThreadCount()],  # LastCheckpoint is the first
        "plugins": [WholeCheckpoints(Path(cfg.trainer.default_root_dir))],
        "logger": [made(f"logger.{name}", cfg.logger[name]) for name in loggers] or False,
        "enable_model_summary": False,  # ours leaves out the metrics
        "enable_progress_bar": any(
            isinstance(callback, ProgressBar) for callback in named
        ),  # Lightning adds one by itself
        "use_distributed_sampler": False,  # the data module shares the faces out itself, and repeats none in val
    }
    if cfg.trainer.precision == "auto":
        options["precision"] = fast_precision(cfg.trainer.accelerator)
    try:
        return made("trainer", cfg.trainer, **options)  # type: ignore[no-any-return]
    except RuntimeError as error:  # SLURM's settings contradict each other
        raise ConfigError(f"trainer: {error}") from error

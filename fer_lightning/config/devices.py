"""Training on several devices, one process each: what this asks of a trainer, and how its processes end together."""

import signal

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.strategies import DDPStrategy, ParallelStrategy, SingleDeviceStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from omegaconf import DictConfig

from fer_lightning.data import FERDataModule
from fer_lightning.errors import ConfigError
from fer_lightning.processes import processes_started


class EndTogether(L.Callback):
    """Ends the processes that the first has started if it fails: they would wait for its next step."""

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        launcher = trainer.strategy.launcher
        if isinstance(launcher, _SubprocessScriptLauncher):
            launcher.kill(signal.SIGKILL)  # any other can wait behind the step they are in
            launcher.procs.clear()  # Lightning would kill this one as well once it sees one that was killed


def refuse_what_devices_cannot_share(trainer: L.Trainer, cfg: DictConfig, datamodule: FERDataModule) -> None:
    """Refuses several devices for what needs one, or used in another way than by DDP.

    Args:
        trainer: on one device or on several.
        cfg: of the run.
        datamodule: that has read its data.

    Raises:
        ConfigError: several devices that are used in another way than by DDP, for what needs one or without a face for
            each, or not as many as processes were started.
    """
    started, devices = processes_started(), trainer.num_devices * trainer.num_nodes
    has = f"trainer.devices × trainer.num_nodes is {trainer.num_devices} × {trainer.num_nodes}"
    if started not in (1, devices):
        raise ConfigError(
            f"{started} processes were started, but {has}: give trainer=ddp and, for torchrun, as many devices as its "
            f"--nproc-per-node and nodes as its --nnodes; for srun, as its --ntasks-per-node and --nodes"
        )
    strategy = trainer.strategy
    if devices == 1 and isinstance(strategy, SingleDeviceStrategy):
        return
    if type(strategy) is not DDPStrategy or not isinstance(strategy.launcher, _SubprocessScriptLauncher):
        started_by = f", started by {strategy._start_method}" if isinstance(strategy, DDPStrategy) else ""
        one = "; one device by auto" if devices == 1 else ""
        raise ConfigError(
            f"trainer.strategy is {type(strategy).__name__}{started_by}; several devices are used by ddp, or by "
            f"ddp_find_unused_parameters_true for a network that does not use all its layers in each step{one}"
        )
    if devices == 1:
        return
    _hold_against_cluster(strategy, trainer)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        raise ConfigError(
            f"{has}: a sweep's jobs train on one device each. Give trainer.devices=1, or start one run after the other"
        )
    if cfg.action:
        raise ConfigError(f"{has}: what is done instead of training is done on one device. Give trainer.devices=1")
    if cfg.finetune.unfreeze_at_epoch:
        raise ConfigError(
            f"{has}: finetune.unfreeze_at_epoch needs one device, since DDP only shares the gradients of layers that "
            f"learn from the start. Give trainer.devices=1, finetune=full or finetune=head"
        )
    if strategy._layer_sync is not None and strategy.root_device.type == "cpu":
        raise ConfigError("trainer.sync_batchnorm is true, which torch can do on GPUs only: give false")
    for split in ("val", "test"):
        if (count := len(datamodule.rows[split])) < devices:
            raise ConfigError(f"data: {split} has {count} faces, fewer than the {devices} devices")


def _hold_against_cluster(strategy: ParallelStrategy, trainer: L.Trainer) -> None:
    assert strategy.cluster_environment is not None
    try:
        strategy.cluster_environment.validate_settings(trainer.num_devices, trainer.num_nodes)
    except ValueError as error:
        raise ConfigError(f"trainer: {error}") from error

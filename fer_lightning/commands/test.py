"""python test.py: measures a finished run, on its own test split or on other data; or an exported network."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.failures import in_one_message
from fer_lightning.commands.run_folder import gone_if_refused
from fer_lightning.config.build import Experiment, rebuild
from fer_lightning.config.command_line import give_up
from fer_lightning.config.messages import latest_runs
from fer_lightning.config.own_modules import find_own_modules
from fer_lightning.config.run_config import checkpoint_of, run_config
from fer_lightning.config.typed_command import as_typed, command, typed_overrides
from fer_lightning.errors import ConfigError
from fer_lightning.processes import process_rank
from fer_lightning.report.provenance import provenance
from fer_lightning.report.results import Results
from fer_lightning.report.run_page import write_report
from fer_lightning.training.checkpoint_names import CHECKPOINTS
from fer_lightning.transforms.views import Tta
from fer_lightning.use.endable_runs import ended_by_signals

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tested:
    """What is to be measured.

    file: the checkpoint or ONNX file.
    facts: what metrics.json calls it.
    run_dir: None for an exported network; monitor is then empty.
    """

    experiment: Experiment
    file: Path
    facts: dict[str, str]
    run_dir: Path | None = None
    monitor: str = ""


def test(cfg: DictConfig) -> None:
    """Measures a finished run, or an exported network, on the data that cfg gives; a run also on its own test split."""
    if process_rank() > 0:  # under torchrun or srun; one is enough
        return
    find_own_modules()
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        _test(cfg, folder)
    except Exception as raised:
        error = in_one_message(raised, as_typed(folder))
        if error is None:
            raise
        give_up(error)


def _test(cfg: DictConfig, folder: Path) -> None:
    with gone_if_refused():
        _refuse_unknown(cfg)
        tested = _exported_network(cfg) if cfg.model.file is not None else _finished_run(cfg)
    experiment = tested.experiment
    model, trainer = experiment.model, experiment.trainer
    model.tta = cfg.tta
    with ended_by_signals():  # else a signal would wait for an exported network, perhaps for ever
        trainer.test(model, experiment.datamodule, verbose=False)
    results = Results.of(model, trainer)
    averaged = "" if cfg.tta == "none" else f", each face averaged over its {cfg.tta} views"
    log.info("\n%s%s%s", as_typed(tested.file), averaged, results.table())
    repeat = command("test.py", *typed_overrides(HydraConfig.get().overrides.task))
    facts = tested.facts | {"tta": cfg.tta} | provenance(repeat, trainer.strategy.root_device.type)
    page = write_report(folder, model, trainer, results, facts, tested.run_dir, tested.monitor)
    log.info("\nreport       %s", as_typed(page))


def _refuse_unknown(cfg: DictConfig) -> None:
    for key, choices in (("ckpt", (None, *CHECKPOINTS)), ("tta", get_args(Tta))):
        if cfg[key] not in choices:
            raise ConfigError(f"{key} is {cfg[key]}; it is one of {', '.join(filter(None, choices))}")


def _finished_run(cfg: DictConfig) -> Tested:
    """Returns the checkpoint of the run that cfg names."""
    latest = latest_runs()
    if OmegaConf.is_missing(cfg, "run_dir") or cfg.run_dir is None:
        raise ConfigError(f"run_dir is missing: say which run, as in run_dir=outputs/train/….{latest}")
    run_dir = Path(str(cfg.run_dir)).expanduser()
    if not (run_dir / ".hydra" / "config.yaml").is_file():
        raise ConfigError(f"run_dir {run_dir} is not the folder of a run: it has no .hydra/config.yaml.{latest}")
    checkpoint = checkpoint_of(run_dir, cfg.ckpt)
    if not checkpoint.is_file():
        raise ConfigError(f"{checkpoint} does not exist: that run has not finished an epoch")
    run = run_config(run_dir)
    facts = {"run": str(run_dir), "ckpt": checkpoint.stem}
    return Tested(rebuild(run, cfg, checkpoint), checkpoint, facts, run_dir, run.monitor)


def _exported_network(cfg: DictConfig) -> Tested:
    """Returns the network of the ONNX file that cfg names."""
    file = Path(str(cfg.model.file)).expanduser()
    if not OmegaConf.is_missing(cfg, "run_dir") and cfg.run_dir is not None:
        raise ConfigError(f"run_dir is {cfg.run_dir} and model is {file}: give one of them")
    if cfg.ckpt is not None:
        raise ConfigError(f"ckpt is {cfg.ckpt}, but {file} is no run, which has several: leave it out")
    if cfg.tta == "ten_crop":  # the file takes whole pixels, and enlarged crops are none
        raise ConfigError("tta is ten_crop, which an exported network cannot do: it is one of none, flip")
    from fer_lightning.config.exported import exported

    return Tested(exported(file, cfg), file, {"model": str(file)})

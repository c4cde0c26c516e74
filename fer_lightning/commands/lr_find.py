"""debug=lr_find: the loss at rising learning rates, as a chart, and what to set optimizer.lr to."""

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
from lightning.pytorch.tuner.tuning import Tuner
from matplotlib.figure import Figure
from omegaconf import DictConfig
from pydantic import Field, PositiveFloat

from fer_lightning.config.build import build
from fer_lightning.config.typed_command import as_typed
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.report.palette import BLUE, VERMILION
from fer_lightning.training.finetuning import Finetuning

WARM_UP = 20
"""Steps until the running mean of the loss has settled; fewer than three times as many suggest nothing."""

log = logging.getLogger(__name__)


def find_learning_rate(
    cfg: DictConfig,
    run_dir: Path,
    min_lr: PositiveFloat = 1e-6,
    max_lr: PositiveFloat = 1.0,
    steps: Annotated[int, Field(ge=3 * WARM_UP)] = 200,
) -> None:
    """Trains for some steps at exponentially rising rates (Smith, WACV 2017), by Lightning's Tuner.

    Suggests the rate at which the loss falls most steeply for each factor in the rate, and writes
    run_dir/report/lr_find.png. Nothing is trained in the end. (Lightning's own suggestion takes the fall for each unit
    of the rate, and so lands near min_lr.)

    Raises:
        ConfigError: as `build`, which checks these arguments too; trainer.fast_dev_run, or layers that learn at other
            rates or not at all.
    """
    experiment = build(cfg)
    callbacks = experiment.trainer.callbacks  # type: ignore[attr-defined]
    if any(isinstance(c, Finetuning) for c in callbacks):
        raise ConfigError("debug=lr_find gives all layers the same rate: it needs finetune=full")
    if any(scale != 1 for _, scale in experiment.model.lr_scales):
        raise ConfigError(
            "debug=lr_find gives all layers the same rate: it needs finetune.head_lr_scale=1, and for Deep_Emotion "
            "model.transformer_lr_scale=1"
        )
    if "rest_lr" in cfg.optimizer:
        raise ConfigError("debug=lr_find gives all parameters the same rate, and optimizer=muon has two: try a few")
    if experiment.trainer.fast_dev_run:  # type: ignore[attr-defined]
        raise ConfigError("debug=lr_find needs more than the one step of trainer.fast_dev_run")
    finder = Tuner(experiment.trainer).lr_find(
        experiment.model,
        datamodule=experiment.datamodule,
        min_lr=min_lr,
        max_lr=max_lr,
        num_training=steps,
        update_attr=False,
    )
    rates, losses = (finder.results["lr"], finder.results["loss"]) if finder else ([], [])
    if len(rates) < 3 * WARM_UP:
        raise ConfigError(
            f"the loss has diverged after {len(rates)} of action.steps={steps}, too few to suggest a learning rate "
            f"from: give a lower action.max_lr or more steps"
        )
    suggestion = steepest_fall(rates, losses)
    path = run_dir / "report" / "lr_find.png"
    with written_whole(path) as unfinished:
        _curve(rates, losses, suggestion).savefig(unfinished, format="png", dpi=120)
    log.info("\nloss at rising learning rates   %s", as_typed(path))
    log.info("where it falls most steeply     optimizer.lr=%.2g", suggestion)


def steepest_fall(rates: list[float], losses: list[float]) -> float:
    """Returns the rate at which the loss falls most for each factor in the rate, on its way to the lowest loss.

    Over windows of WARM_UP steps, so that no single batch decides. After the lowest loss it only recovers from having
    diverged; in the first steps its running mean has not settled.
    """
    settled = np.array(losses[WARM_UP:])
    lowest = max(WARM_UP + 1, int(np.nanargmin(settled)) + 1)
    falls = settled[WARM_UP:lowest] - settled[: lowest - WARM_UP]  # rates grow by the same factor at every step
    return rates[WARM_UP + int(np.nanargmin(falls)) + WARM_UP // 2]


def _curve(rates: list[float], losses: list[float], suggestion: float) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates[WARM_UP:], losses[WARM_UP:], color=BLUE)
    axes.axvline(suggestion, color=VERMILION, linestyle="--", label=f"steepest fall: {suggestion:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="train loss (running mean)")
    axes.legend()
    axes.grid(alpha=0.3)
    return figure

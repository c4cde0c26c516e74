"""The suggested learning rate is on the slope that a person would point at."""

import numpy as np

from fer_lightning.commands.lr_find import WARM_UP, steepest_fall


def test_the_steepest_fall_is_before_the_lowest_loss() -> None:
    rates = np.geomspace(1e-6, 1, 200)
    falling = 2 - 1 / (1 + np.exp(-3 * np.log(rates / 1e-3)))  # steepest at 1e-3
    diverged = np.where(rates > 0.1, 5 - 4 * np.log10(rates / 0.1), falling)  # then falls far more steeply, from 5 to 1
    assert 0.8e-3 < steepest_fall(rates.tolist(), np.maximum(diverged, 1.05).tolist()) < 1.25e-3


def test_the_first_steps_do_not_count() -> None:
    rates = np.geomspace(1e-6, 1, 100)
    losses = 2 - 1 / (1 + np.exp(-3 * np.log(rates / 1e-2)))
    losses[:WARM_UP] = np.linspace(9, 2, WARM_UP)
    assert 0.8e-2 < steepest_fall(rates.tolist(), losses.tolist()) < 1.25e-2

"""A search by Optuna that is stopped goes on as if it had not been; hopeless trials are told from promising ones."""

import math
import sqlite3
from functools import partial
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler

from fer_lightning.errors import ConfigError
from fer_lightning.sweep import search as module
from fer_lightning.sweep.jobs import Outcome
from fer_lightning.sweep.search import Search, TrialScores, distribution, usable_study

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1, log=True),
    "model": CategoricalDistribution(["a", "b"]),
}


def opened(folder: Path, **changes: object) -> Search:
    folder.mkdir(exist_ok=True)
    given: dict[str, object] = {"space": SPACE, "fixed": ["seed=0"], "monitor": "val/loss", "seed": 0} | changes
    return Search(folder, sampler=partial(TPESampler, n_startup_trials=2), **given)  # type: ignore[arg-type]


def tried(search: Search, number: int) -> list[str]:
    """The overrides of a trial, whose loss is the smaller the nearer lr is to 0.01."""
    overrides = search.overrides(number)
    lr = float(overrides[1].partition("=")[2])
    search.tell(number, Outcome("done", abs(math.log10(lr) + 2)))
    return overrides


def test_a_killed_search_goes_on_as_it_would_have(tmp_path: Path) -> None:
    whole = opened(tmp_path / "whole")
    expected = [tried(whole, whole.ask()) for _ in range(4)]  # of which Optuna draws two at random
    killed = opened(tmp_path / "killed")
    before = [tried(killed, killed.ask()) for _ in range(1)]
    killed.ask()
    again = opened(tmp_path / "killed")
    assert (again.trials, again.unfinished) == (2, [1])
    after = [tried(again, 1), *(tried(again, again.ask()) for _ in range(2))]
    assert before + after == expected
    assert again.unfinished == []
    assert len({tuple(overrides) for overrides in expected}) == 4
    assert expected[0][0] == "seed=0"


def test_a_failed_trial_is_run_again_and_a_pruned_one_is_not(tmp_path: Path) -> None:
    search = opened(tmp_path)
    for state in ("failed", "pruned", "stopped"):
        search.tell(search.ask(), Outcome(state))
    search.tell(search.ask(), Outcome("done", math.nan))
    assert search.unfinished == [0, 2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fixed": ["seed=1"]}, "it has seed=0, and here is seed=1"),
        ({"monitor": "val/f1"}, "it has monitor=val/loss, and here is monitor=val/f1"),
        ({"space": {}}, "it has lr from .*, and here is nothing else"),
    ],
)
def test_the_study_of_another_search_is_refused(changes: dict[str, object], told: str, tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(ConfigError, match=told):
        opened(tmp_path, **changes)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lr=interval(0,0.2)", FloatDistribution(0, 0.2)),
        ("lr=tag(log,interval(1e-4,0.1))", FloatDistribution(1e-4, 0.1, log=True)),
        ("epochs=int(interval(5,20))", IntDistribution(5, 20)),
        ("width=range(16,65,16)", IntDistribution(16, 64, step=16)),
        ("rate=range(0.1,0.6,0.1)", FloatDistribution(0.1, 0.5, step=0.1)),
        ("size=choice(32,64)", CategoricalDistribution(["32", "64"])),
        ("model=a,b", CategoricalDistribution(["a", "b"])),
    ],
)
def test_what_is_typed_is_what_optuna_searches(override: str, expected: BaseDistribution) -> None:
    assert distribution(OverridesParser.create().parse_overrides([override])[0]) == expected


def test_an_interval_the_wrong_way_round_names_its_key() -> None:
    with pytest.raises(ConfigError, match="lr cannot be searched"):
        distribution(OverridesParser.create().parse_overrides(["lr=interval(1,0)"])[0])


def test_a_trial_is_hopeless_below_the_median_after_warming_up(tmp_path: Path) -> None:
    search = opened(tmp_path, monitor="val/accuracy")
    pruner = MedianPruner(n_startup_trials=3, n_warmup_steps=1)
    for score in (0.5, 0.6, 0.7):
        scores = TrialScores(tmp_path, number := search.ask(), pruner)
        assert not any(scores.hopeless(epoch, score) for epoch in range(3))  # too few are done
        search.tell(number, Outcome("done", score))
    worse = TrialScores(tmp_path, search.ask(), pruner)
    assert [worse.hopeless(epoch, 0.55) for epoch in range(2)] == [False, True]
    better = TrialScores(tmp_path, number := search.ask(), pruner)
    assert [better.hopeless(epoch, 0.65) for epoch in range(3)] == [False] * 3
    # Run again from its beginning, after a stop: judged once.
    assert not TrialScores(tmp_path, number, pruner).hopeless(2, 0.1)


def test_a_study_that_is_locked_ends_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    number = opened(tmp_path).ask()
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    said = "study.db: database is locked: another process holds it. Stop that one, and the same command goes on with"
    with pytest.raises(ConfigError, match=said), usable_study(tmp_path):
        opened(tmp_path)
    other.execute("ROLLBACK")
    scores = TrialScores(tmp_path, number, MedianPruner())
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ConfigError, match=said), usable_study(tmp_path):
        scores.hopeless(0, 0.5)
    other.close()


def test_a_study_that_is_damaged_ends_in_one_message(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("no database " * 100)
    with pytest.raises(ConfigError, match=r"study\.db: file is not a database. Mend that"), usable_study(tmp_path):
        opened(tmp_path)

"""What a sweep has come to: best job first, what each parameter does, and the command that trains the best again."""

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_lightning.sweep.effects import effects_chart
from fer_lightning.sweep.jobs import PLAN
from fer_lightning.sweep.report import main
from fer_lightning.sweep.table import best_command, best_ties, mean_table, sweep_table
from tests.report.drawn import points


def job(sweep: Path, number: int, monitor: str, score: float | None, error: str = "") -> None:
    folder = sweep / str(number)
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(f"- optimizer.lr={number}\n- model=resnet18\n")
    if score is not None:
        (folder / "report").mkdir()
        metrics = {monitor: score, "test/accuracy": 0.5, "test/f1": 0.4, "minutes": 1.0}
        (folder / "report" / "metrics.json").write_text(json.dumps(metrics))
    if error:
        (folder / "error.txt").write_text(error)


@pytest.mark.parametrize(("monitor", "order"), [("val/accuracy", [10, 2, 0, 1, 3]), ("val/loss", [0, 2, 10, 1, 3])])
def test_jobs_are_sorted_by_score_those_without_one_last(monitor: str, order: list[int], tmp_path: Path) -> None:
    for number, score in ((0, 0.1), (2, 0.5), (10, 0.9)):
        job(tmp_path, number, monitor, score)
    job(tmp_path, 1, monitor, None, "ConfigError: data: val_fraction is 1.5\nand more")
    job(tmp_path, 3, monitor, None)
    (tmp_path / "tensorboard").mkdir()
    table = sweep_table(tmp_path, monitor)
    assert table["job"].tolist() == order
    assert table.columns.tolist() == [
        "job", "model", "optimizer.lr", monitor, "test/accuracy", "test/f1", "minutes", "state", "why",
    ]  # fmt: skip
    assert table["state"].tolist() == ["done", "done", "done", "failed", "stopped"]
    assert table["why"].tolist()[3] == "ConfigError: data: val_fraction is 1.5"
    assert table["why"].tolist()[4].startswith("stopped half-way, last wrote")
    assert table["optimizer.lr"].tolist() == [str(number) for number in order]


def test_repeats_are_averaged_and_failures_left_out(tmp_path: Path) -> None:
    for number, (lr, seed, score) in enumerate([(1, 0, 0.5), (1, 1, 0.7), (2, 0, 0.9), (2, 1, None)]):
        job(tmp_path, number, "val/accuracy", score, "" if score else "ConfigError: no")
        (tmp_path / str(number) / ".hydra" / "overrides.yaml").write_text(f"- optimizer.lr={lr}\n- seed={seed}\n")
    means = mean_table(sweep_table(tmp_path, "val/accuracy"), "val/accuracy")
    assert means is not None
    assert means[["optimizer.lr", "jobs"]].to_numpy().tolist() == [["2", 1], ["1", 2]]
    assert means["val/accuracy"].tolist() == pytest.approx([0.9, 0.6])
    assert means["val/accuracy ±"].iloc[1] == pytest.approx(0.02**0.5)


def test_of_jobs_with_the_best_score_the_first_is_named(tmp_path: Path) -> None:
    for number, score in ((0, 0.1), (1, 0.5), (2, 0.5), (10, 0.5)):
        job(tmp_path, number, "val/accuracy", score)
    table = sweep_table(tmp_path, "val/accuracy")
    assert best_ties(table, "val/accuracy") == 3
    assert str(best_command(table, "val/accuracy")).split()[-1] == "optimizer.lr=1"


def test_a_sweep_without_repeats_has_no_means(tmp_path: Path) -> None:
    job(tmp_path, 0, "val/accuracy", 0.5)
    assert mean_table(sweep_table(tmp_path, "val/accuracy"), "val/accuracy") is None


def sweep_of(folder: Path, **jobs: tuple[str, float | None]) -> Path:
    """The folder of a sweep over optimizer.lr and seed; of each job its overrides and its score."""
    for name, (overrides, score) in jobs.items():
        job(folder, int(name[1:]), "val/accuracy", score)
        lines = "".join(f"- {override}\n" for override in ("sweep=grid", *overrides.split()))
        (folder / name[1:] / ".hydra" / "overrides.yaml").write_text(lines)
    (folder / PLAN).write_text(
        "".join(f"- [sweep=grid, optimizer.lr={0.1 * (number + 1):.1f}]\n" for number in range(4))
    )
    (folder / "multirun.yaml").write_text(
        "monitor: val/accuracy\n"
        "hydra:\n"
        "  sweep: {dir: elsewhere}\n"
        "  sweeper: {params: null}\n"
        "  job: {name: train}\n"
        "  overrides: {task: [sweep=grid, 'optimizer.lr=0.1,0.2,0.3,0.4'], hydra: [hydra.mode=MULTIRUN]}\n"
    )
    return folder


def test_a_running_sweep_shows_what_is_to_come_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        [
            str(
                sweep_of(
                    tmp_path, j0=("optimizer.lr=0.1", 0.5), j1=("optimizer.lr=0.2", 0.6), j2=("optimizer.lr=0.3", None)
                )
            )
        ]
    )
    shown = capsys.readouterr().out
    assert "4 jobs: 2 done, 1 stopped, 1 pending" in shown
    assert "best         python train.py optimizer.lr=0.2\n" in shown
    assert f"python train.py -m sweep=grid optimizer.lr=0.1,0.2,0.3,0.4 hydra.sweep.dir={tmp_path}\n" in shown
    assert pd.read_csv(tmp_path / "sweep.csv")["state"].tolist() == ["done", "done", "stopped", "pending"]
    assert (tmp_path / "sweep.png").is_file()


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"is not the folder of a sweep: it has no multirun\.yaml"):
        main([str(tmp_path)])


def test_the_best_command_is_of_the_best_mean_and_fits_a_shell(tmp_path: Path) -> None:
    lucky = {"j0": ("optimizer.lr=0.1 seed=0", 0.9), "j1": ("optimizer.lr=0.1 seed=1", 0.1)}
    steady = {"j2": ("optimizer.lr=0.2 seed=0", 0.6), "j3": ("optimizer.lr=0.2 seed=1", 0.6)}
    table = sweep_table(sweep_of(tmp_path, **lucky, **steady), "val/accuracy")
    assert best_command(table, "val/accuracy") == "python train.py optimizer.lr=0.2"
    table["data.path"] = "'fer2013 (1).csv'"
    assert shlex.split(str(best_command(table, "val/accuracy")))[2] == "data.path='fer2013 (1).csv'"


def test_a_seed_that_all_jobs_share_stays_in_the_best_command(tmp_path: Path) -> None:
    same = "seed=3 data.split_seed=5 data.folds=5 data.fold=2"
    jobs = {"j0": (f"optimizer.lr=0.1 {same}", 0.5), "j1": (f"optimizer.lr=0.2 {same}", 0.6)}
    table = sweep_table(sweep_of(tmp_path, **jobs), "val/accuracy")
    assert mean_table(table, "val/accuracy") is None
    best = best_command(table, "val/accuracy")
    assert best == "python train.py data.fold=2 data.folds=5 data.split_seed=5 optimizer.lr=0.2 seed=3"


def test_the_best_command_of_cross_validation_has_no_folds(tmp_path: Path) -> None:
    rates = {"0.1": (0.5, 0.7), "0.2": (0.6, 0.8)}
    lines = [(f"optimizer.lr={lr} data.fold={fold}", s) for lr, both in rates.items() for fold, s in enumerate(both)]
    jobs = {f"j{number}": (f"data.folds=2 seed=3 {line}", score) for number, (line, score) in enumerate(lines)}
    table = sweep_table(sweep_of(tmp_path, **jobs), "val/accuracy")
    means = mean_table(table, "val/accuracy")
    assert means is not None
    assert means["val/accuracy"].tolist() == pytest.approx([0.7, 0.6])
    assert best_command(table, "val/accuracy") == "python train.py optimizer.lr=0.2 seed=3"


def test_a_key_that_is_taken_away_is_named_as_it_was_typed(tmp_path: Path) -> None:
    away = ("~callbacks.pictures", "~callbacks.throughput=null")
    jobs = {f"j{seed}": (f"{' '.join(away)} seed={seed}", 0.5) for seed in range(2)}
    sweep = sweep_of(tmp_path, **jobs)
    (sweep / PLAN).write_text("".join(f"- [{', '.join(away)}, seed={seed}]\n" for seed in range(3)))
    table = sweep_table(sweep, "val/accuracy")
    assert table["state"].tolist() == ["done", "done", "pending"]
    assert best_command(table, "val/accuracy") == "python train.py '~callbacks.pictures' '~callbacks.throughput'"


def test_each_parameter_has_a_panel_the_largest_effect_first() -> None:
    rows = [
        {"optimizer": optimizer, "seed": str(seed), "optimizer.lr": f"{0.001 * 1.3**place:.4g}"}
        for place, (optimizer, seed) in enumerate((o, s) for o in ("adam", "sgd") for s in range(8))
    ]
    table = pd.DataFrame(rows)
    table["val/accuracy"] = np.where(table["optimizer"] == "sgd", 0.6, 0.4) + 0.001 * table["seed"].astype(int)
    table["model"] = "resnet18"
    figure = effects_chart(table, "val/accuracy")
    assert figure is not None
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[-1] == "seed\nmeans differ by 0.0070"
    assert {title.split("\n")[0] for title in titles[:2]} == {"optimizer", "optimizer.lr"}
    assert "optimizer\nmeans differ by 0.2000" in titles
    (of_rates,) = [axes for axes in figure.axes if axes.get_title().startswith("optimizer.lr")]
    assert len(points(of_rates.lines[0])) == 5  # fifths
    assert effects_chart(table[["model", "val/accuracy"]], "val/accuracy") is None


def test_dots_are_jobs_and_diamonds_their_means() -> None:
    table = pd.DataFrame({"model": list("aabb"), "val/accuracy": [0.1, 0.3, 0.5, 0.8]})
    figure = effects_chart(table, "val/accuracy")
    assert figure is not None
    (axes,) = figure.axes
    assert points(axes.lines[0]).tolist() == [[0, pytest.approx(0.2)], [1, pytest.approx(0.65)]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    dots = axes.collections[0].get_offsets()
    assert isinstance(dots, np.ndarray)
    assert np.round(dots[:, 0]).tolist() == [0, 0, 1, 1]
    assert dots[:, 1].tolist() == [0.1, 0.3, 0.5, 0.8]
    rates = [0.001 * 2**place for place in range(10)]
    table = pd.DataFrame({"optimizer.lr": map(str, rates), "val/accuracy": np.arange(10) ** 2 / 100})
    figure = effects_chart(table, "val/accuracy")
    assert figure is not None
    (axes,) = figure.axes
    fifths = [[(rates[n] + rates[n + 1]) / 2, (n**2 + (n + 1) ** 2) / 200] for n in range(0, 10, 2)]
    assert points(axes.lines[0]).tolist() == [pytest.approx(fifth) for fifth in fifths]
    assert axes.get_xscale() == "log"


def test_jobs_with_other_folder_names_are_in_the_table_by_these(tmp_path: Path) -> None:
    for number, name in enumerate(("seed_1", "a/seed_0")):
        job(tmp_path, number, "val/accuracy", 0.5 + number / 10)
        (tmp_path / str(number) / ".hydra" / "hydra.yaml").write_text(f"hydra: {{job: {{num: {number}}}}}\n")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / str(number)).rename(tmp_path / name)
    (tmp_path / PLAN).write_text("".join(f"- [optimizer.lr={number}, model=resnet18]\n" for number in range(3)))
    table = sweep_table(tmp_path, "val/accuracy")
    assert table["job"].tolist() == ["a/seed_0", "seed_1", 2]
    assert table["state"].tolist() == ["done", "done", "pending"]
    assert best_command(table, "val/accuracy", ["--config-dir=my conf"]) == (
        "python train.py '--config-dir=my conf' model=resnet18 optimizer.lr=1"
    )

"""docs/results.md's table says what the run folders say."""

import json
from pathlib import Path

import pytest

from fer_lightning.report.results_table import BEGIN, END, main, results_table
from fer_lightning.sweep.table import mean_table, sweep_table

RUN = {
    "test/accuracy": 0.6286,
    "test/accuracy_low": 0.6127,
    "test/accuracy_high": 0.6443,
    "test/accuracy_flip": 0.64,
    "test/accuracy_new": 0.62,
    "test/f1": 0.588,
    "copies_in_train": 274,
    "test_split": "PublicTest",
    "minutes": 15.2,
    "epochs": 15,
    "commit": "abc1234",
    "machine": "2 of 2 cores, some processor",
    "command": "python train.py experiment=resnet_60 'data.path=/home/ann/fer 2013.csv' 'callbacks=[default]'",
}


def run(folder: Path, name: str, **changes: object) -> Path:
    report = folder / name / "report"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text(json.dumps({**RUN, **changes}))
    return folder / name


def cells(table: str) -> list[dict[str, str]]:
    names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_a_run_is_a_row_with_its_interval_and_nobodys_paths(tmp_path: Path) -> None:
    (row,) = cells(results_table([run(tmp_path, "a")]))
    assert row == {
        "experiment": "resnet_60",
        "command": "`python train.py experiment=resnet_60 data.path=… 'callbacks=[default]'`",
        "commit": "abc1234",
        "machine": "2 of 2 cores, some processor",
        "epochs": "15",
        "minutes": "15.2",
        "seeds": "0",
        "test part": "PublicTest",
        "accuracy (range of seeds)": "62.9%",
        "95% interval (of one run)": "61.3% to 64.4%",
        "macro F1": "58.8%",
        "flip averaging": "64.0%",
        "without copies": "62.0%",
    }


def test_seeds_of_one_command_are_a_row_with_mean_and_deviation(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.60, 0.62, 0.64)):
        run(tmp_path, str(seed), **{"test/accuracy": accuracy, "command": f"{RUN['command']} seed={seed}"})
    file = run(tmp_path, "other", command="python train.py") / "report/metrics.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "test/accuracy_new"}))
    first, second = cells(results_table([tmp_path]))
    assert first["seeds"] == "0, 1, 2"
    assert first["accuracy (range of seeds)"] == "62.0% ± 2.0% (60.0% to 64.0%)"
    assert (second["experiment"], second["seeds"], second["without copies"]) == ("–", "0", "none are new")


def test_folds_of_one_command_are_one_row(tmp_path: Path) -> None:
    for fold, accuracy in enumerate((0.60, 0.64)):
        command = f"{RUN['command']} data.folds=2 data.fold={fold} seed=3"
        run(tmp_path, str(fold), **{"test/accuracy": accuracy, "command": command})
    (row,) = cells(results_table([tmp_path]))
    assert (row["seeds"], row["accuracy (range of seeds)"][:5]) == ("3 (fold 0), 3 (fold 1)", "62.0%")


@pytest.mark.parametrize("key", ["seed", "++seed", "data.fold", "+data.fold", "data.split_seed", "++data.split_seed"])
def test_results_and_sweeps_average_over_the_same_keys(key: str, tmp_path: Path) -> None:
    for value, accuracy in (("1", 0.60), ("2", 0.64)):
        override = f"{key}={value}"
        folder = run(tmp_path, value, **{"test/accuracy": accuracy, "command": f"{RUN['command']} {override}"})
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "overrides.yaml").write_text(f"- {override}\n")
    (row,) = cells(results_table([tmp_path]))
    means = mean_table(sweep_table(tmp_path, "test/accuracy_flip"), "test/accuracy_flip")
    assert means is not None
    assert means["jobs"].tolist() == [2]
    assert means["test/accuracy"].tolist() == pytest.approx([0.62])
    assert row["accuracy (range of seeds)"].startswith("62.0% ± ")
    assert override not in row["command"]


def test_the_table_goes_between_the_markers_and_leaves_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text(f"# Results\n\n{BEGIN}\nold\n{END}\n\nMore.\n", "utf-8")
    main([str(run(tmp_path, "a")), "--into", str(file)])
    text = file.read_text("utf-8")
    assert text == f"# Results\n\n{BEGIN}\n{results_table([tmp_path])}\n{END}\n\nMore.\n"


def test_what_cannot_be_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: no report/metrics\.json of a finished run in \S+/b: leave it out$"):
        main([str(run(tmp_path, "a")), str(tmp_path / "b")])
    for name in ("twice", "again"):
        run(tmp_path / "same_seed", name)
    with pytest.raises(SystemExit, match=r"have the same seed, fold and split seed: give one of \S+/again, \S+/twice$"):
        main([str(tmp_path / "same_seed")])
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n", "utf-8")
    with pytest.raises(SystemExit, match=r"RESULTS\.md has no line <!-- results: begin --> with"):
        main([str(tmp_path / "a"), "--into", str(file)])

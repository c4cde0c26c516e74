"""The comparison of runs says what their predictions say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fer_lightning.report.charts import COLOURS
from fer_lightning.report.compare import (
    _classes,
    _differences,
    _pairs,
    _recall,
    _table,
    ensemble_accuracy,
    main,
    runs_in,
    write_comparison,
)
from fer_lightning.report.curves import DASHES, curves_of_runs
from fer_lightning.report.page import Key, Section
from fer_lightning.report.paired_tests import mcnemar, swapped_by_person
from tests.browser import in_browser, needs_browser
from tests.report.drawn import points

CLASSES = ("angry", "happy", "sad")


def run_of(folder: Path, probabilities: list[list[float]], labels: str = "aahhss") -> Path:
    """A run folder with these probabilities of six faces."""
    (folder / "report").mkdir(parents=True)
    names = [next(name for name in CLASSES if name.startswith(letter)) for letter in labels]
    table = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in CLASSES])
    predicted = [CLASSES[place] for place in np.array(probabilities).argmax(1)]
    table = pd.DataFrame({"row": range(1, 7), "split": "PublicTest", "label": names, "prediction": predicted}).join(
        table
    )
    table.to_csv(folder / "report" / "predictions.csv", index=False)
    accuracy = float((table["label"] == table["prediction"]).mean())
    figures: dict[str, float | str] = {
        "test/accuracy": accuracy,
        "test/accuracy_low": 0.1,
        "test/accuracy_high": 0.9,
        "test/f1": 0.5,
    }
    figures["test_split"] = "PublicTest"
    (folder / "report" / "metrics.json").write_text(json.dumps(figures))
    curves = pd.DataFrame({"epoch": [0, 1], "val/loss": [1.5, 1.2], "val/accuracy": [0.4, 0.5]})
    curves.to_csv(folder / "metrics.csv", index=False)
    return folder


A, H, S = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]
UNSURE_H = [0.4, 0.5, 0.1]


def test_mcnemars_p_is_that_of_a_fair_coin() -> None:
    right = np.array([True] * 10 + [False] * 2)
    assert mcnemar(right, right) == 1.0
    # One has 8 faces right that the other has not, and 2 the other way: 2 · (1 + 10 + 45) / 2¹⁰.
    one = np.array([True] * 8 + [False] * 2 + [True] * 50)
    other = np.array([False] * 8 + [True] * 2 + [True] * 50)
    assert mcnemar(one, other) == pytest.approx(2 * (1 + 10 + 45) / 2**10)


def test_one_face_a_person_is_mcnemars_test() -> None:
    one, other = np.random.default_rng(0).random((2, 60)) < [[0.8], [0.6]]
    assert swapped_by_person(one, other, np.arange(60)[::-1]) == pytest.approx(mcnemar(one, other))
    assert swapped_by_person(one, one, np.arange(60)) == 1.0


def test_persons_are_swapped_as_scipy_swaps_them() -> None:
    rng = np.random.default_rng(1)
    persons = rng.integers(0, 10, 80)
    one, other = rng.random((2, 80)) < [[0.8], [0.6]]
    more = [[int(network[persons == person].sum()) for person in range(10)] for network in (one, other)]
    theirs = stats.permutation_test(
        more, lambda x, y, axis: (x - y).sum(axis), vectorized=True, permutation_type="samples", n_resamples=np.inf
    )
    assert swapped_by_person(one, other, persons) == pytest.approx(theirs.pvalue)


def test_many_faces_of_few_persons_prove_little(tmp_path: Path) -> None:
    # Twenty more faces right, all of one person: by faces sure, by persons a coin.
    one, other = np.ones(40, np.bool_), np.arange(40) >= 20
    assert mcnemar(one, other) < 1e-5
    assert swapped_by_person(one, other, np.arange(40) // 20) == 1.0
    assert swapped_by_person(one, other, np.arange(40)) == pytest.approx(mcnemar(one, other))


def test_known_persons_are_what_a_pair_is_compared_by(tmp_path: Path) -> None:
    for name, said in (("one", [A, A, H, H, S, S]), ("two", [A, A, H, H, A, A])):
        file = run_of(tmp_path / name, said) / "report" / "predictions.csv"
        table = pd.read_csv(file)
        table.assign(person=[0, 1, 2, 3, 4, 4]).to_csv(file, index=False)
    section = Section("Do they really differ?")
    _pairs(section, runs_in([tmp_path]))
    (pairs,) = section.tables
    assert [row[5] for row in pairs.rows] == [("1.000", 1.0)]  # by faces 0.5
    assert "each of the 5 persons' results swapped" in pairs.caption
    lost = pd.read_csv(tmp_path / "two" / "report" / "predictions.csv").drop(columns="person")
    lost.to_csv(tmp_path / "two" / "report" / "predictions.csv", index=False)
    _pairs(section, runs_in([tmp_path]))
    assert section.tables[0].caption.startswith("McNemar's test")
    assert section.tables[0].rows[0][5] == ("0.500", 0.5)


def test_an_ensemble_says_what_is_likeliest_on_average(tmp_path: Path) -> None:
    run_of(tmp_path / "one", [A, UNSURE_H, H, H, S, S])
    run_of(tmp_path / "two", [A, A, H, S, S, S])
    one, two = runs_in([tmp_path])
    assert (one.name, two.name) == ("one", "two")
    assert [int(run.right.sum()) for run in (one, two)] == [5, 5]
    # The second face: 0.4 and 0.8 for angry against 0.5 and 0.1 for happy. The fourth: a draw, which goes to happy.
    assert ensemble_accuracy([one, two]) == 1.0


def test_the_page_has_every_run_and_every_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, face in (("adam", A), ("sgd", H), ("rmsprop", S)):
        run_of(tmp_path / name, [face, A, H, H, S, S])
    main([str(tmp_path), "--out", str(tmp_path / "out")])
    page = Path(capsys.readouterr().out.rpartition(" ")[2].strip())
    text = page.read_text("utf-8")
    assert page == tmp_path / "out" / "index.html"
    for name in ("adam", "sgd", "rmsprop"):
        assert f">{name}</td>" in text
    assert text.count(">undecided<") == 3
    assert text.count("data:image/png") == 2
    assert "could not be made" not in text
    run_of(tmp_path / "many" / "0", [A, A, H, H, S, S])
    for number in range(1, 30):
        shutil.copytree(tmp_path / "many" / "0", tmp_path / "many" / str(number))
    (tmp_path / "many" / "7" / "metrics.csv").unlink()
    main([str(tmp_path / "many"), "--out", str(tmp_path / "many_out")])
    text = (tmp_path / "many_out" / "index.html").read_text("utf-8")
    assert "could not be made" not in text
    assert "Without a metrics.csv: 7." in text


def test_the_tables_and_bars_say_what_the_predictions_say(tmp_path: Path) -> None:
    # The second has one face of sad more right, and one of happy and one of angry less.
    run_of(tmp_path / "one", [A, A, H, H, H, S])
    run_of(tmp_path / "two", [A, H, H, S, S, S])
    runs = runs_in([tmp_path])
    runs[1].metrics.update({"test/accuracy_low": 0.3, "test/f1": 0.25, "minutes": 2.0})
    sections = [Section(title) for title in ("Runs", "Classes", "Do they really differ?")]
    _table(sections[0], runs)
    _classes(sections[1], runs)
    _pairs(sections[2], runs)
    tables = [[[shown for shown, _ in row] for row in section.tables[0].rows] for section in sections]
    assert sections[0].tables[0].columns == ["run", "accuracy", "from", "to", "macro F1", "flip averaging", "minutes"]
    assert tables[0] == [
        ["one", "83.3%", "10.0%", "90.0%", "50.0%", "–", "–"],
        ["two", "66.7%", "30.0%", "90.0%", "25.0%", "–", "2.0"],
    ]
    assert tables[1] == [["one", "100.0%", "100.0%", "50.0%"], ["two", "50.0%", "50.0%", "100.0%"]]
    assert tables[2] == [["one", "two", "50.0%", "2", "1", "1.000", "undecided"]]
    figure, legend = _differences(_recall(runs))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["angry", "happy", "sad"]
    assert [bar.get_width() for bar in axes.patches] == [-50, -50, 50]  # type: ignore[attr-defined]
    assert legend == sections[1].charts[0].legend == [Key("two", COLOURS[1])]
    assert sections[1].charts[0].caption == "More recall than one has, in percentage points."


def test_jobs_of_a_sweep_are_called_what_was_typed_for_each(tmp_path: Path) -> None:
    for job, optimizer in enumerate(("adam", "sgd")):
        run = run_of(tmp_path / str(job), [A, A, H, H, S, S])
        (run / ".hydra").mkdir()
        (run / ".hydra" / "overrides.yaml").write_text(f"- model=resnet18\n- optimizer={optimizer}\n")
    assert [run.name for run in runs_in([tmp_path])] == ["optimizer=adam", "optimizer=sgd"]


def test_much_that_was_typed_is_shown_once(tmp_path: Path) -> None:
    typed = {"one": ["optimizer.lr=0.1", "a=b"], "two": ["optimizer.lr=0.2 optimizer.weight_decay=0.0001", "a=b"]}
    for name, words in typed.items():
        run = run_of(tmp_path / name, [A, A, H, H, S, S])
        (run / ".hydra").mkdir()
        (run / ".hydra" / "overrides.yaml").write_text(json.dumps(words))
    runs = runs_in([tmp_path])
    assert [run.name for run in runs] == ["one", "two"]
    page = write_comparison(runs, tmp_path / "compared").read_text("utf-8")
    assert page.count("optimizer.weight_decay=0.0001") == 1


def test_runs_that_cannot_be_compared_are_one_message(tmp_path: Path) -> None:
    run_of(tmp_path / "one", [A, A, H, H, S, S])
    with pytest.raises(SystemExit, match=r"error: only .* has been tested, of .*; to compare takes two"):
        main([str(tmp_path)])
    run_of(tmp_path / "other", [A, A, H, H, S, S], labels="ahahss")
    with pytest.raises(SystemExit, match=r"error: there is no folder .*gone"):
        main([str(tmp_path / "one"), str(tmp_path / "other"), str(tmp_path / "gone")])
    with pytest.raises(SystemExit, match=r"error: other and one were not tested .* on PublicTest \(6 faces of 3"):
        main([str(tmp_path)])


def test_a_run_that_diverged_leaves_the_others_readable(tmp_path: Path) -> None:
    for name in ("calm", "wild", "lost"):
        run_of(tmp_path / name, [A, A, H, H, S, S])
    for name, losses in (("wild", (1.5, 7e8)), ("lost", (1.6, None))):
        curves = pd.DataFrame({"epoch": [0, 1], "val/loss": losses, "val/accuracy": [0.4, 0.3]})
        curves.to_csv(tmp_path / name / "metrics.csv", index=False)
    figure, _, told = curves_of_runs({run.name: run.curves for run in runs_in([tmp_path]) if run.curves is not None})
    assert figure.axes[0].get_ylim()[1] == pytest.approx(3 * 1.5)
    assert told == [
        "lost has diverged: its val loss is no finite number in some epochs.",
        "The val loss of wild leaves the picture: it reaches 7e+08.",
    ]
    _, _, told = curves_of_runs({"calm": pd.DataFrame({"epoch": [0, 1], "val/loss": [2.0, 1.0], "val/accuracy": 0.5})})
    assert told == []


def test_a_run_of_one_epoch_is_a_point_and_a_long_one_a_line() -> None:
    def curves(count: int) -> pd.DataFrame:
        return pd.DataFrame({"epoch": range(count), "val/loss": 1.5, "val/accuracy": 0.4})

    figure, legend, _ = curves_of_runs({"one": curves(1), "twenty": curves(20), "many": curves(21)})
    for axes, value in zip(figure.axes, (1.5, 0.4), strict=True):
        one, twenty, many = axes.get_lines()
        assert points(one).tolist() == [[1, value]]
        assert [line.get_marker() for line in (one, twenty, many)] == ["o", "o", "None"]
        assert [line.get_color() for line in (one, twenty, many)] == [key.colour for key in legend]
    assert [key.name for key in legend] == ["one", "twenty", "many"]


def test_each_of_28_runs_has_a_line_of_its_own_as_in_the_legend() -> None:
    curves = pd.DataFrame({"epoch": [0, 1], "val/loss": 1.5, "val/accuracy": 0.4})
    figure, legend, _ = curves_of_runs({f"_{number}": curves for number in range(28)})
    drawn = [(line.get_color(), DASHES[str(line.get_linestyle())]) for line in figure.axes[0].get_lines()]
    assert drawn == [(key.colour, key.dashes) for key in legend]
    assert len(set(drawn)) == 28


@needs_browser
@pytest.mark.parametrize("width", [1000, 360])
def test_long_names_leave_all_figures_in_the_window(tmp_path: Path, width: int) -> None:
    for number in range(8):
        name = "_".join(["long"] * 18) if number % 2 else "表情認識" * 8
        run_of(tmp_path / f"{name} {number}", [[A, H][number % 2], A, H, H, S, S])
    found, console = in_browser(write_comparison(runs_in([tmp_path]), tmp_path / "compared"), width)
    assert "CONSOLE" not in console
    assert not found["tooWide"]
    assert found["wide"] == 0
    if width == 1000:
        assert found["cut"] == 0

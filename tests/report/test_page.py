"""The report's page, in a real browser."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from fer_lightning.report.page import Chart, Section, Table, made, write_page
from tests.browser import in_browser, needs_browser


def page(folder: Path) -> Path:
    figure = Figure(figsize=(5, 3))
    figure.subplots().plot([0, 1])
    frame = pd.DataFrame({"run": ["b <i>", "c", "a"], "accuracy": [0.09, 0.5, 0.1]})
    section = Section("One", charts=[Chart.of(figure, "a line")], tables=[Table.of(frame, {"accuracy": ".1%"})])
    write_page(folder / "index.html", "A page", [section, Section("Two", texts=["Some words."])])
    return folder / "index.html"


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_pictures_are_shown_and_tables_sort_without_an_error(tmp_path: Path, width: int) -> None:
    found, console = in_browser(page(tmp_path), width)
    assert "CONSOLE" not in console
    ((complete, natural, shown),) = found["pictures"]
    assert complete
    assert natural == 800
    assert shown == min(400, width - 32)
    assert found["falling"] == ["c", "a", "b <i>"]
    assert found["rising"] == ["b <i>", "a", "c"]
    assert found["byName"] == ["a", "b <i>", "c"]
    assert not found["tooWide"]
    assert found["wide"] == 0


def test_a_part_that_cannot_be_made_leaves_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(section: Section) -> None:
        section.texts.append("half of it")
        raise RuntimeError("no such layer")

    def whole(section: Section) -> None:
        section.texts.append("all of it")

    write_page(tmp_path / "index.html", "A page", [made("One", broken), made("Two", whole)])
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "One could not be made: RuntimeError: no such layer" in text
    assert "half of it" in text
    assert "all of it" in text
    assert "the report is without One: no such layer" in caplog.text

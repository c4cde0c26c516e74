"""The report's page, in a real browser."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from fer_lightning.report.page import Picture, Section, Table, made, write_page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

PROBE = """
<script>
window.addEventListener("load", () => {
  const column = number => [...document.querySelectorAll("tbody tr")].map(row => row.cells[number].textContent);
  const click = number => document.querySelectorAll("th button")[number].click();
  const found = {pictures: [...document.images].map(image => [image.complete, image.naturalWidth, image.clientWidth])};
  click(1); found.falling = column(0);
  click(1); found.rising = column(0);
  click(0); found.byName = column(0);
  found.tooWide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  document.body.dataset.found = JSON.stringify(found);
});
</script>
"""


def page(folder: Path) -> Path:
    figure = Figure(figsize=(5, 3))
    figure.subplots().plot([0, 1])
    frame = pd.DataFrame({"run": ["b <i>", "c", "a"], "accuracy": [0.09, 0.5, 0.1]})
    section = Section("One", pictures=[Picture.of(figure, "a line")], tables=[Table.of(frame, {"accuracy": ".1%"})])
    write_page(folder / "index.html", "A page", [section, Section("Two", texts=["Some words."])])
    return folder / "index.html"


def in_browser(file: Path, *options: str) -> tuple[dict[str, object], str]:
    """What PROBE found on the page, and what the browser printed to its console."""
    assert BROWSER
    probed = file.with_name("probed.html")
    probed.write_text(file.read_text("utf-8").replace("</body>", f"{PROBE}</body>"), "utf-8")
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        *options,
        "--dump-dom",
    ]
    result = subprocess.run([*command, probed.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-found="(.*?)"', result.stdout)
    assert found, result.stdout[-2000:] + result.stderr
    return json.loads(html.unescape(found[1])), result.stderr


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("size", ["1200,900", "400,800"])
def test_pictures_are_shown_and_tables_sort_without_an_error(tmp_path: Path, size: str) -> None:
    found, console = in_browser(page(tmp_path), f"--window-size={size}")
    assert "CONSOLE" not in console
    ((complete, natural, shown),) = found["pictures"]  # type: ignore[misc, attr-defined]
    assert complete
    assert natural == 800
    assert 300 < shown <= 400
    assert found["falling"] == ["c", "a", "b <i>"]
    assert found["rising"] == ["b <i>", "a", "c"]
    assert found["byName"] == ["a", "b <i>", "c"]
    assert not found["tooWide"]


def test_a_part_that_cannot_be_made_says_so_and_the_rest_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
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

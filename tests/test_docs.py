"""README, CONTRIBUTING, CHANGELOG and docs/ name what is there: files, commands, keys."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.configuration_page import CONF, configuration, groups, keys
from fer_lightning.use.arguments import parsed
from tests.conftest import Compose
from tests.scripts import REPOSITORY

PAGES = sorted(
    [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "benchmarks" / "README.md"]
)
YAMLS = sorted(CONF.rglob("*.yaml"))
WRONG_ON_PURPOSE = {"model=resnet19", "model=tiny", "augmentation=blur"}
"""A mistake that is shown, and parts of one's own."""


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def commands() -> Iterator[str]:
    """Yields the options of each `python train.py` and fer-train on the pages, without plugins and other folders."""
    for page in PAGES:
        for found in re.finditer(r"(?:python train\.py|fer-train) ([^`#\n]+)", page.read_text("utf-8")):
            options = found[1].replace("|", "").strip()
            if "=" in options and not re.search(r"sweep=|hydra|--|=tiny|\\$|\$|resnet19|experiment=…", options):
                yield options


def typed(options: str) -> tuple[str, ...]:
    """Returns the overrides of a command, with a value where it leaves one open, and of several values the first."""
    words = [word.replace("…", "x") for word in shlex.split(options.replace("data.path=FILE", "data.path=x"))]
    words = [word for word in words if word not in ("x", "-m", "\\")]
    return tuple(word.partition(",")[0] if "-m" in options else word for word in words)


def leaves(content: Any, prefix: str = "") -> Iterator[str]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_and_pictures_lead_to_files_and_headings(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        file = page.parent / path if path else page
        assert file.is_file(), target
        if anchor and file.name != "configuration.md":  # whose headings are generated: mkdocs looks for them
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings], target


def test_the_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text("utf-8").splitlines()) <= 120


def test_the_commands_of_the_pages_compose(composed: Compose) -> None:
    found = {typed(options): options for options in commands()}
    assert len(found) > 30
    for words, options in found.items():
        try:
            composed(*words)
        except Exception as error:
            raise AssertionError(options) from error


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_choices_that_a_page_gives_are_files_of_conf(page: Path) -> None:
    pattern = rf"(?<![\w.])({'|'.join(map(re.escape, groups()))})=([a-z]\w*)"
    for word in re.finditer(pattern, page.read_text("utf-8")):
        if word[0] not in WRONG_ON_PURPOSE and word[2] not in ("x", "a"):
            assert (CONF / word[1] / f"{word[2]}.yaml").is_file(), word[0]


@pytest.mark.parametrize("file", YAMLS, ids=named)
def test_the_configuration_page_has_each_key_of_a_file(file: Path) -> None:
    content = yaml.safe_load(file.read_text("utf-8")) or {}
    content.pop("defaults", None)
    content.get("help", {}).clear()  # texts of several lines
    listed = [key for key, _, _ in keys(file)]
    for key in leaves(content):
        assert any(name == key or name.endswith(f".{key}") for name in listed) or key == "help", key


def test_the_configuration_page_has_values_and_comments_as_is() -> None:
    rows = {key: (value, comment) for key, value, comment in keys(CONF / "scheduler" / "onecycle.yaml")}
    assert rows["scheduler.pct_start"] == ("0.3", "")
    assert rows["scheduler.steps_as"] == ("total_steps", "filled in with the number of optimizer steps of the run")
    page = configuration()
    assert "### optimizer=muon {#optimizer-muon}" in page
    assert "| `optimizer.lr` | `0.04` | of the kernels of the hidden layers |" in page
    assert page.index("## data {") < page.index("## model {") < page.index("## hydra {")


def test_the_paths_of_the_architecture_are_there() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    paths = re.findall(r"`([\w./]+(?:\.py|\.yaml|/))`", text)
    assert len(paths) > 20
    for path in paths:
        assert (REPOSITORY / path).exists() or (REPOSITORY / "fer_lightning" / path).exists(), path


def test_the_code_for_a_picture_is_the_same_on_all_pages() -> None:
    block = re.compile(r"```python\n(.*?)```", re.DOTALL)
    pages = ("README.md", "docs/python.md", "docs/predict.md")
    blocks = [block.findall((REPOSITORY / page).read_text("utf-8")) for page in pages]
    first, *others = (next(code for code in shown if "photo.jpg" in code) for shown in blocks)
    assert others == [first, first]


def test_the_predict_commands_of_the_pages_parse() -> None:
    command = re.compile(r"^[^`\n]*(?:python predict\.py|fer-predict) ([^`\n]+)$", re.MULTILINE)
    pages = [page.read_text("utf-8") for page in PAGES if page.name not in ("CHANGELOG.md", "architecture.md")]
    found = [re.split("[#|]", words)[0] for page in pages for words in command.findall(page)]
    assert len(found) > 8
    for words in found:
        parsed(shlex.split(words))

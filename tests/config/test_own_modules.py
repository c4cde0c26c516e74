"""Modules of somebody's own are found where a command is typed, and nothing else is that lies there."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_lightning.config.own_modules import OwnModules
from fer_lightning.nets.trusted import VARIABLE


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Two folders with modules, of which each says where it lies."""
    found = [tmp_path / "near config", tmp_path / "current"]
    for folder in found:
        folder.mkdir()
        for name in ("own_both", "own_unlisted", "colorsys"):
            (folder / f"{name}.py").write_text(f"PLACE = {folder.name!r}")
    (found[1] / "own_package").mkdir()
    (found[1] / "own_package" / "__init__.py").write_text("from own_package.part import PLACE")
    (found[1] / "own_package" / "part.py").write_text("PLACE = 'inner'")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, OwnModules(found)])
    monkeypatch.setenv(VARIABLE, "own_both, own_package.part, colorsys")
    yield found
    for name in ("own_both", "own_package", "own_package.part"):
        sys.modules.pop(name, None)


def test_a_listed_module_is_found_next_to_the_configs_first(folders: list[Path]) -> None:
    assert importlib.import_module("own_both").PLACE == "near config"
    assert str(folders[0]) not in sys.path


def test_a_listed_package_is_found_with_its_parts(folders: list[Path]) -> None:
    assert importlib.import_module("own_package.part").PLACE == "inner"


def test_a_module_that_is_not_listed_is_not_found(folders: list[Path]) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("own_unlisted")


def test_what_python_has_itself_is_never_replaced(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    assert not hasattr(importlib.import_module("colorsys"), "PLACE")

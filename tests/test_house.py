"""The house holds: imports only point down, libraries stay where they belong, and a module is one idea."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts import REPOSITORY

PACKAGE = REPOSITORY / "fer_lightning"
FILES = [file.relative_to(PACKAGE).as_posix() for file in sorted(PACKAGE.rglob("*.py"))]

LAYERS = (
    ("commands",),
    ("sweep",),
    ("config",),
    ("callbacks",),
    ("use",),
    ("report",),
    ("training",),
    ("nets", "data"),
    ("transforms",),
    ("errors", "files", "installation", "processes", "signature"),
)
"""Parts of the package: each may import those below it. Within a layer, only those of the last import each other."""

LAYER = {part: place for place, parts in enumerate(LAYERS) for part in parts}

ONLY_IN = {
    "hydra": ("commands", "sweep", "config"),
    "omegaconf": ("commands", "sweep", "config"),
    "lightning": ("commands", "sweep", "config", "callbacks", "report", "training", "data"),
}
"""Libraries, and the parts of the package that may import them."""

INTERNALS = {
    "hydra": ("config/hydra_internals.py", "sweep/plugin/hydra_plugins/fer_lightning_sweepers.py"),
    "omegaconf": ("config/hydra_internals.py",),
    "lightning": ("config/devices.py",),
    "uvicorn": ("use/slow_clients.py",),
}
"""Libraries, and the only files that import private modules or names of each."""

UNDOCUMENTED = ("uvicorn.protocols",)
"""Modules that are private too, though their names do not begin with an underscore."""

INTERNAL_ATTRIBUTES = {
    "_get_root": {"config/hydra_internals.py"},
    "_layer_sync": {"config/devices.py"},
    "_start_method": {"config/devices.py"},
    "_batches_that_stepped": {"callbacks/fit_loop.py"},
    "fit_loop": {"callbacks/fit_loop.py", "data/batches.py", "data/loaders.py"},
    "conn": {"use/slow_clients.py"},
    "connections": {"use/slow_clients.py"},
    "cycle": {"use/slow_clients.py"},
    "handle_events": {"use/slow_clients.py"},
    "on_response_complete": {"use/slow_clients.py"},
    "handle_websocket_upgrade": {"use/slow_clients.py"},
    "keepalive_timeout": {"use/slow_clients.py"},
    "close_timeout": {"use/slow_clients.py"},
}
"""What libraries have for themselves alone, and the files that use it: test_internals.py says if it is gone."""

LONGEST_MODULE = 250
"""Lines."""

LONGEST_TEST_FILE = 300
"""Lines: a file of tests is one idea too."""

LONGEST_TEST_NAME = 60
"""Characters: a promise is read at a glance."""


def imports(source: str) -> Iterator[tuple[str, str]]:
    """Yields the module and the name, empty for a whole module, of each import, also of those within functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)


def wrong_imports(file: str, source: str) -> set[str]:
    """Returns the modules that a file of the package must not import; of a library, its name.

    Args:
        file: relative to the package.
        source: its content.
    """
    part = file.partition("/")[0].removesuffix(".py")
    wrong = set()
    for module, name in imports(source):
        library, *inner = module.split(".")
        if module == PACKAGE.name and name:
            inner = [name]
        if library == "" or (library == PACKAGE.name and not _points_down(part, inner)):
            wrong.add(".".join([library, *inner]))
        elif part not in ONLY_IN.get(library, (part,)):
            wrong.add(library)
        elif library in INTERNALS and file not in INTERNALS[library] and _is_private(f"{module}.{name}"):
            wrong.add(f"{module}.{name}".rstrip("."))
    return wrong


def _points_down(part: str, imported: list[str]) -> bool:
    if not imported or imported[0] not in LAYER:
        return False
    lowest = len(LAYERS) - 1
    return imported[0] == part or LAYER[part] < LAYER[imported[0]] or LAYER[part] == LAYER[imported[0]] == lowest


def _is_private(name: str) -> bool:
    return name.startswith(UNDOCUMENTED) or any(part.startswith("_") for part in name.split("."))


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_imports_only_point_down(file: str) -> None:
    assert wrong_imports(file, (PACKAGE / file).read_text("utf-8")) == set()


def test_internals_are_used_in_few_files() -> None:
    for file in FILES:
        tree = ast.parse((PACKAGE / file).read_text("utf-8"))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & INTERNAL_ATTRIBUTES.keys()
        assert all(file in INTERNAL_ATTRIBUTES[attribute] for attribute in used), f"{file} uses {used}"


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("report/page.py", "from fer_lightning.config.parts import made", "fer_lightning.config.parts"),
        ("report/page.py", "import fer_lightning.callbacks.progress", "fer_lightning.callbacks.progress"),
        ("report/page.py", "from fer_lightning import config", "fer_lightning.config"),
        ("training/losses.py", "def f():\n    from fer_lightning.config import trust", "fer_lightning.config"),
        ("training/losses.py", "def f():\n    import omegaconf", "omegaconf"),
        ("callbacks/progress.py", "if x:\n    from hydra.utils import instantiate", "hydra"),
        (
            "data/faces.py",
            "from fer_lightning.nets.first_layer import first_convolution",
            "fer_lightning.nets.first_layer",
        ),
        ("nets/first_layer.py", "import lightning as L", "lightning"),
        ("transforms/views.py", "from lightning.pytorch import Trainer", "lightning"),
        ("files.py", "from fer_lightning.data.faces import Faces", "fer_lightning.data.faces"),
        ("data/faces.py", "from .splits import digests", ".splits"),
        ("data/faces.py", "from fer_lightning.utils import x", "fer_lightning.utils"),
        ("sweep/jobs.py", "from hydra._internal.utils import get_args_parser", "hydra._internal.utils.get_args_parser"),
        ("sweep/jobs.py", "import omegaconf._utils", "omegaconf._utils"),
        ("callbacks/progress.py", "from lightning.pytorch.loops import _X", "lightning.pytorch.loops._X"),
        ("use/serve.py", "from uvicorn.protocols.http import auto", "uvicorn.protocols.http.auto"),
    ],
)
def test_an_import_against_the_rules_is_found(file: str, source: str, wrong: str) -> None:
    assert wrong_imports(file, source) == {wrong}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("commands/train.py", "import hydra\nfrom fer_lightning.sweep.jobs import job"),
        ("callbacks/progress.py", "from fer_lightning.report.page import Key\nimport lightning"),
        ("errors.py", "from fer_lightning.files import text_in"),
        ("nets/first_layer.py", "from fer_lightning.nets.weights import head_of\nimport torch"),
    ],
)
def test_an_import_by_the_rules_is_not(file: str, source: str) -> None:
    assert wrong_imports(file, source) == set()


def test_no_module_is_too_long() -> None:
    assert [file for file in FILES if len((PACKAGE / file).read_text("utf-8").splitlines()) > LONGEST_MODULE] == []


def test_no_file_of_tests_is_too_long() -> None:
    files = sorted((REPOSITORY / "tests").rglob("*.py"))
    assert [file.name for file in files if len(file.read_text("utf-8").splitlines()) > LONGEST_TEST_FILE] == []


def long_test_names(source: str) -> list[str]:
    """Returns the functions of a module of tests whose names are too long."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return [one.name for one in functions if one.name.startswith("test_") and len(one.name) > LONGEST_TEST_NAME]


def test_names_of_tests_are_short() -> None:
    files = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    assert {file.name: names for file in files if (names := long_test_names(file.read_text("utf-8")))} == {}
    assert long_test_names(f"class A:\n  def test_{'a' * 56}(self): ...\ndef test_b(): ...") == [f"test_{'a' * 56}"]


def own_constants(source: str) -> set[str]:
    """Returns the public constants, in capitals, that a module defines."""
    assigned = (node for node in ast.parse(source).body if isinstance(node, ast.Assign | ast.AnnAssign))
    targets = (target for one in assigned for target in getattr(one, "targets", None) or [getattr(one, "target", one)])
    names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if name.isupper() and not name.startswith("_")}


def test_a_constant_has_one_value_in_the_package() -> None:
    files: dict[str, list[str]] = {}
    for file in FILES:
        if not file.startswith("data/"):  # where each form of data has its own labels and columns
            for name in own_constants((PACKAGE / file).read_text("utf-8")):
                files.setdefault(name, []).append(file)
    assert {name: where for name, where in files.items() if len(where) > 1} == {}
    assert own_constants("A, B = 1, 2\nC: int = 3\n_D = 4\ne = 5") == {"A", "B", "C"}


def test_nothing_lies_loose_at_the_root() -> None:
    modules = {Path(file).stem for file in FILES if "/" not in file}
    assert modules == {"__init__", *LAYERS[-1]}
    folders = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and folder.name != "__pycache__"}
    assert folders == {part for parts in LAYERS[:-1] for part in parts}

"""How this program is installed, as a checkout of its repository or from a wheel, and what follows: its configs, its
version, and how its commands are typed. Imports nothing slow."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

NAME = "fer_lightning"

PACKAGE = Path(__file__).parent

CHECKOUT = None if (PACKAGE / "conf").is_dir() else PACKAGE.parent
"""The folder with train.py and conf/; None from a wheel, which has conf/ in the package."""

CONF = (CHECKOUT or PACKAGE) / "conf"

PLAIN_VALUE = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
"""Texts that Hydra reads as they are: some others too, for which quotes do no harm."""

ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")
"""Variables by which git looks at another repository than the one of its folder; a hook of git sets them."""


def package_version() -> str:
    """Returns the version: in a checkout that of its pyproject.toml, otherwise that of the installed wheel."""
    if project := _own_project():
        return str(project["version"])
    try:
        return version(NAME)
    except PackageNotFoundError:  # a copy of the package's folder
        return "unknown"


def code_version() -> str:
    """Returns which code this is: in a git clone the commit, with -dirty if it was changed since; or the version.

    The package may lie in a repository of somebody else, in its virtual environment or as a copy: that repository's
    commit says nothing of this code.
    """
    released = f"{NAME} {package_version()}"
    if CHECKOUT is None or not _own_project():
        return released
    top = _git(CHECKOUT, "rev-parse", "--show-toplevel")
    if not top or not Path(top).samefile(CHECKOUT):
        return released
    return _git(CHECKOUT, "describe", "--always", "--dirty", "--exclude=*") or released


def command_name(script: str) -> str:
    """Returns which command a script is: "train" for train.py, fer-train and fer-train.exe."""
    return Path(script).stem.removeprefix("fer-")


def script_name(script: str) -> str:
    """Returns what a script like train.py is called here: so in a checkout, elsewhere fer-train."""
    is_installed = CHECKOUT is None or Path(sys.argv[0]).stem.startswith("fer-")
    return f"fer-{command_name(script)}" if is_installed else script


def shell_command(script: str) -> str:
    """Returns how a person here starts a script like train.py: by Python in a checkout, elsewhere as fer-train."""
    return f"python {script}" if script_name(script) == script else script_name(script)


def typed_value(text: str) -> str:
    """Returns a text as it is typed for the value of a key, also within a list or a mapping: quoted if need be."""
    if PLAIN_VALUE.fullmatch(text) and text.lower() not in ("null", "true", "false", "nan", "inf"):
        return text
    no_reference = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    escaped = re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + ('\\"' if found[2] else ""), no_reference)
    return f'"{escaped}"'


def _own_project() -> dict[str, Any] | None:
    """Returns the `project` table of pyproject.toml in a checkout; None elsewhere."""
    file = PACKAGE.parent / "pyproject.toml"
    if CHECKOUT is None or not file.is_file():
        return None
    try:
        project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    except ValueError:
        return None
    return project if project.get("name") == NAME else None


def _git(folder: Path, *arguments: str) -> str:
    """Returns what git prints in a folder; an empty text where it fails or is not there."""
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()

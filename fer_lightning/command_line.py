"""What `train.py` and `test.py` share, light enough for --help: reporting their user's mistakes, and a resolver."""

import difflib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from hydra.errors import HydraException, InstantiationException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fer_lightning.processes import end_with, leave_files_and_console_to_the_first, process_rank


class ConfigError(ValueError):
    """A config that cannot be used: says which key, what was there, what was expected."""


def better(monitor: str) -> str:
    """Whether the monitored metric is better when it is smaller ("min") or greater ("max")."""
    return "min" if monitor.endswith("loss") else "max"


def _resumed_or_new(resume: str | int | float | None, new: str) -> str:
    if resume is None:
        return new
    run_dir = Path(str(resume)).expanduser()
    if not (run_dir / ".hydra" / "config.yaml").is_file():
        raise ConfigError(f"resume={resume} is not the folder of a run: it has no .hydra/config.yaml")
    return str(run_dir)


# For the yaml files: `mode: ${better:${monitor}}`.
OmegaConf.register_new_resolver("better", better, replace=True)
OmegaConf.register_new_resolver("resumed_or_new", _resumed_or_new, replace=True)
OmegaConf.register_new_resolver(
    "unless_resumed", lambda resume, folder: folder if resume is None else None, replace=True
)


FULL_ERROR = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""Whether the user wants to see the traceback of a mistake too."""


def launch(main: Callable[[], Any]) -> None:
    """Runs a `hydra.main` function; ends with exit status 1 and one message where Hydra cannot use the command line."""
    # Hydra then hands its errors on to us instead of printing them in its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if process_rank() > 0:
        leave_files_and_console_to_the_first()
    # Where Hydra finds our sweepers: it takes them from the package hydra_plugins only, which many folders may share.
    sys.path.append(str(Path(__file__).parent / "sweep" / "plugin"))
    try:
        main()
    except (HydraException, OmegaConfBaseException, ConfigError) as error:
        if FULL_ERROR:
            raise
        end_with(message(error))
    except ValueError as error:  # so Hydra refuses its own options, as in -m --cfg job
        if isinstance(error.__cause__, OSError) and str(error).startswith("Unable to configure handler"):
            end_with(f"the log of the run cannot be written: {error.__cause__}")
        if FULL_ERROR or not _raised_by_hydra(error):
            raise
        end_with(str(error))
    except OSError as error:  # Hydra makes the folder; what fails later has its own message
        if FULL_ERROR:
            raise
        end_with(f"the run's folder cannot be made: {error}. Give another with hydra.run.dir=…")
    except KeyboardInterrupt:
        sys.exit(130)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def give_up(error: ConfigError) -> NoReturn:
    """Ends the program with one message; not by an exception, which Hydra would introduce with a line of its own."""
    if FULL_ERROR:
        raise error
    end_with(str(error))


def as_typed(path: Path) -> Path:
    """path as its user would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def latest_runs() -> str:
    """A sentence that names up to three of them, with a space before it; empty if there are none."""
    runs = sorted(Path("outputs").glob("train/*/checkpoints/best.ckpt"), key=lambda file: file.stat().st_mtime)[-3:]
    return f" The latest runs: {', '.join(str(run.parent.parent) for run in runs)}" if runs else ""


def message(error: Exception) -> str:
    """What is wrong, where, and which choices there are."""
    if ours := next((e for e in _chain(error) if isinstance(e, ConfigError)), None):  # from a resolver too
        return str(ours)
    cause = error.__cause__
    if isinstance(error, InstantiationException) and cause is not None:
        return f"{str(error).rpartition('full_key: ')[2]}: {cause}"
    origin = cause if isinstance(cause, OmegaConfBaseException) else error
    if isinstance(origin, OmegaConfBaseException) and (choices := _choices(origin)):
        return f"there is no key {origin.full_key}{choices}{_choices_that_have(str(origin.full_key))}"
    # Below the choices of a group, Hydra lists the folders that it searched.
    text = str(error).partition("\nConfig search path")[0].strip()
    text = re.sub(r"^In '\w+': |\nSee https\S+$", "", text)
    text = re.sub(r"\nTo append to your default list.*", "\nHere single keys can be set, as in data.path=…", text)
    if unknown := re.match(r"Could not load '([^/]+)/(.+)'\.$", text):
        text += _files_of_group(*unknown.groups())
    if isinstance(error, OverrideParseException) and "…" in error.override:
        return f"{error.override}: … stands for a name: put that of your own run in its place.{latest_runs()}"
    if plugin := re.match(r"Could not find 'hydra/launcher/(joblib|submitit)", text):
        text += f"\nIt needs a package: pip install hydra-{plugin[1]}-launcher"
    if isinstance(error, OverrideParseException):
        text += "\nOverrides are key=value. A value with spaces, commas or brackets needs quotes within quotes: "
        text += "\"data.path='fer2013 (1).csv'\""
    return text


def _raised_by_hydra(error: Exception) -> bool:
    """Whether it comes from Hydra's own code, and not from what it runs."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("hydra.")


def _files_of_group(group: str, name: str) -> str:
    """Hydra lists the choices of a group itself, but not where several can be made at once."""
    choices = [file.stem for file in _group(group)]
    near = difflib.get_close_matches(name, choices, n=1)
    return (f"\nDid you mean {near[0]}?" if near else "") + f"\nChoices of {group}: {', '.join(choices)}"


def _group(name: str) -> list[Path]:
    return sorted((Path(sys.argv[0]).parent / "conf" / name).glob("*.yaml"))


def _choices_that_have(full_key: str) -> str:
    """The choices of the key's group in whose file it is, as in loss=distillation for loss.teacher."""
    group, _, key = full_key.partition(".")
    if Path(sys.argv[0]).name != "train.py":  # test.py has no groups: a run brings its own
        return ""
    as_typed = "'callbacks=[default,{}]'" if group == "callbacks" else group + "={}"
    line = re.compile(rf"^{re.escape(key)}:", re.MULTILINE)
    having = [as_typed.format(file.stem) for file in _group(group) if line.search(file.read_text("utf-8"))]
    return f"\nIt is a key of {', '.join(having)}" if having else ""


def _choices(error: OmegaConfBaseException) -> str:
    if not OmegaConf.is_dict(error.parent_node) or error.key in (None, *error.parent_node):
        return ""
    keys = [str(key) for key in error.parent_node if key != "hydra" and not str(key).startswith("_")]
    near = difflib.get_close_matches(str(error.key), keys, n=1)
    near = near or [f"{key}.{error.key}" for key in keys if _has(error.parent_node[key], error.key)]
    return (f"\nDid you mean {near[0]}?" if near else "") + f"\nKeys here: {', '.join(keys)}"


def _has(node: Any, key: Any) -> bool:
    return bool(OmegaConf.is_dict(node) and key in node)

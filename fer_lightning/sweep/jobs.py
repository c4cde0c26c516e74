"""The jobs of a sweep's folder: what each came to, and whether a process is at work on it. Imports no torch.

A job's folder holds report/metrics.json when the job is done, pruned.txt when it was given up as hopeless, error.txt
when it failed, and none of them while it runs or when it was stopped. What is in a metrics.json that the program has
not written is damaged.
"""

import functools
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import Timeout
from omegaconf import DictConfig

from fer_lightning.config.own_modules import with_trust
from fer_lightning.config.typed_command import command, config_options, override, typed_overrides
from fer_lightning.errors import ConfigError
from fer_lightning.processes import side_by_side
from fer_lightning.report.metrics_json import score_in
from fer_lightning.report.run_yaml import hydra_value, run_overrides
from fer_lightning.sweep.folder_lock import is_locked, lock_folder

log = logging.getLogger(__name__)

PRUNED, FAILED = "pruned.txt", "error.txt"
"""Files of a job that is one of these; the first line says why."""

LONGEST_REASON = 1000
"""Characters of it that are shown."""

PLAN = "jobs.yaml"
"""In a sweep's folder, where its jobs are known from the start: the overrides of each."""

STUDY_FILE = "study.db"
"""In a sweep's folder, where its jobs are the trials of a search."""

SHARED_STUDY_FILE = "study.json"
"""In its place, where the trials are in a database that several machines share."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job. `score` is not a number unless it is done; `why` is one line, empty if it is done."""

    state: Literal["done", "pruned", "failed", "running", "stopped", "damaged"]
    score: float = math.nan
    why: str = ""


def outcome(folder: Path, monitor: str) -> Outcome:
    """Returns what the job with this folder came to; its score is what `monitor` names in report/metrics.json."""
    try:
        return Outcome("done", score_in(folder / "report" / "metrics.json", monitor))
    except (FileNotFoundError, json.JSONDecodeError):  # the latter: killed while it was written
        pass
    except (ValueError, OSError) as error:
        return Outcome("damaged", why=str(error))
    if (folder / PRUNED).is_file():
        return Outcome("pruned", why=_first_line(folder / PRUNED))
    if (folder / FAILED).is_file():
        return Outcome("failed", why=_first_line(folder / FAILED))
    written = max(file.lstat().st_mtime for file in (folder, *folder.glob("*")))
    last = f"last wrote {max(0, time.time() - written):,.0f} s ago"
    return Outcome("running", why=last) if is_locked(folder) else Outcome("stopped", why=f"stopped half-way, {last}")


@contextmanager
def job(folder: Path, monitor: str) -> Iterator[Outcome]:
    """Holds the folder of a job around its work; yields what it has come to before: done and pruned leave none.

    Waits while another process, one that has outlived its sweep, is still at work on the same job.

    Raises:
        ConfigError: the folder cannot be written into or locked.
    """
    _name_console_lines(folder.name)
    try:
        try:
            lock = lock_folder(folder)
        except Timeout:
            log.info("another process is still at work in %s: waiting until it ends, or is stopped", folder)
            lock = lock_folder(folder, wait=True)
    except OSError as error:
        raise ConfigError(f"the folder of the job cannot be written into: {error}") from error
    try:
        before = outcome(folder, monitor)
        if before.state in ("done", "pruned"):
            log.info("%s already: %s", before.state, before.why or f"{monitor} {before.score:.4f}")
        (folder / FAILED).unlink(missing_ok=True)
        yield before
    finally:
        lock.release()


@contextmanager
def held(folder: Path, otherwise: str = "") -> Iterator[None]:
    """Keeps other sweeps out of this sweep's folder, which it makes.

    Args:
        folder: of the sweep.
        otherwise: what else can be done where another process is in there, as the end of a sentence.

    Raises:
        ConfigError: another process is in there, or the folder cannot be made or written into.
    """
    try:
        lock = lock_folder(folder)
    except Timeout as error:
        raise ConfigError(
            f"another process is running the sweep {folder}: wait for it, or stop it first{otherwise}"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the folder of the sweep cannot be made, or not written into: {error}. Give another with hydra.sweep.dir=…"
        ) from error
    try:
        yield
    finally:
        lock.release()


def refuse_other_jobs(folder: Path, jobs: Sequence[list[str]]) -> None:
    """Refuses to continue a sweep as another one: what has a number there must be the job of that number here.

    More jobs than there are is fine.

    Raises:
        ConfigError: names the first job that is another.
    """
    for number, place in sorted(job_folders(folder).items()):
        was = run_overrides(place)
        if was is not None and (differ := differing(was, jobs[number] if number < len(jobs) else [])):
            raise ConfigError(
                f"{folder} holds another sweep: its job {number} {differ}. To continue that sweep, give the "
                f"overrides it began with; for a new one, leave out hydra.sweep.dir or give another folder"
            )


def job_folders(sweep: Path) -> dict[int, Path]:
    """Returns the folders that Hydra has made for the jobs of a sweep, wherever below it, by the number of the job."""
    made = [hydra.parent for hydra in sweep.rglob(".hydra") if hydra.is_dir()]
    numbered = [(number_of(folder), folder) for folder in sorted(made, key=lambda folder: folder.stat().st_mtime)]
    # Of a copy that somebody made, and what Hydra named by the number, the latter is the job.
    numbered.sort(key=lambda one: one[1].name == str(one[0]))
    return {number: folder for number, folder in numbered if number is not None}


def differing(was: Sequence[str], now: Sequence[str]) -> str:
    """Returns which overrides only one of two commands has, as the end of a sentence; empty if they have the same."""
    gone, new = ([word for word in one if word not in other] for one, other in ((was, now), (now, was)))
    if not gone and not new:
        return ""
    return f"has {' '.join(gone) or 'nothing else'}, and here is {' '.join(new) or 'nothing else'}"


def continuing(config: DictConfig) -> str:
    """Returns the command that goes on with a sweep, out of the config that it began with."""
    hydra = config.hydra
    ours, options = typed_overrides(hydra.overrides.hydra), config_options(hydra)
    kept = [one for one in ours if one.lstrip("+").partition("=")[0] not in ("hydra.mode", "hydra.sweep.dir")]
    words = [*typed_overrides(hydra.overrides.task), *kept, override("hydra.sweep.dir", Path(hydra.sweep.dir))]
    return with_trust(command(f"{hydra.job.name}.py", *dict.fromkeys([*options, "-m", *words])))


def _name_console_lines(name: str) -> None:
    """Begins each line of the console with the name of its job, where jobs run side by side."""
    for handler in logging.getLogger().handlers:
        if side_by_side() and not isinstance(handler, logging.FileHandler):
            handler.setFormatter(logging.Formatter(f"#{name} %(message)s"))


def number_of(folder: Path) -> int | None:
    """Returns the number of a job, by what Hydra has written into its folder, or else by the folder's name."""
    file = folder / ".hydra" / "hydra.yaml"
    recorded = str(_recorded_number(folder, file.stat().st_mtime_ns)) if file.is_file() else ""
    number = recorded if recorded.isdecimal() else folder.name
    return int(number) if number.isdecimal() else None


@functools.cache  # a search asks for those of all its trials after each of them
def _recorded_number(folder: Path, written: int) -> Any:
    """Returns what Hydra has recorded as the number of a job, in a file of that time."""
    try:
        return hydra_value(folder, "job", "num")
    except ConfigError:  # killed while it was written
        return None


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8", errors="replace") as stream:
        return next(iter(stream.read(LONGEST_REASON).strip().splitlines()), "no reason was written")

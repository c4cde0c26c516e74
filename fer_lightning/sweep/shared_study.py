"""A study of Optuna in a database, on which several machines work at the same time, each in a folder of its own.

A machine gives a sign of life for each of its trials. A trial without one for `SILENT` intervals has failed, and its
values are the next to be tried, by whichever machine asks first; a machine that is back in time goes on with it.
"""

import logging
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, NoSuchModuleError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from fer_lightning.config.storage_url import KEY, url_of_this_process, without_password
from fer_lightning.errors import ConfigError
from fer_lightning.sweep.study_record import study_record

log = logging.getLogger(__name__)

SILENT = 5
"""Intervals without a sign of life after which a trial has failed."""

RETRIES = 2
"""How often the values of such trials are tried again."""

CONNECT_SECONDS = 10
"""To wait for PostgreSQL, which by itself waits for minutes."""


@dataclass(frozen=True)
class SharedStudy:
    """Where a study is: `heartbeat` is the seconds from one sign of life to the next."""

    url: str
    name: str
    heartbeat: int = 60

    def __str__(self) -> str:
        return without_password(self.url)

    def __repr__(self) -> str:
        return f"SharedStudy({self}, {self.name})"

    def storage(self) -> RDBStorage:
        """Returns the database, with Optuna's tables in it.

        Raises:
            ConfigError: the URL is none, its driver is missing, or its tables are another Optuna's.
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached or used.
        """
        try:
            url = make_url(self.url)
            driver = url.get_driver_name()
        except NoSuchModuleError as error:
            raise ConfigError(f"{KEY}={self}: {error}. Expected something like postgresql://…") from error
        except (SQLAlchemyError, ValueError) as error:  # whose text may have the password in it
            raise ConfigError(
                f"{KEY}={self} is no URL of a database. Expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with "
                f"% and two digits for special characters in the password, such as %40 for @"
            ) from error
        # A connection for each use: epochs are long, and each job of a sweep would leave one open.
        options: dict[str, Any] = {"poolclass": NullPool}
        if driver in ("psycopg", "psycopg2") and "connect_timeout" not in url.query:
            options["connect_args"] = {"connect_timeout": CONNECT_SECONDS}
        for attempt in range(3):
            try:
                return self._opened(options)
            except (IntegrityError, ProgrammingError):  # two machines make the tables in the same moment
                if attempt == 2:
                    raise
                time.sleep(1)
        raise AssertionError("the last attempt returns or raises")

    def _opened(self, options: dict[str, Any]) -> RDBStorage:
        try:
            with unfinished_features():
                return RDBStorage(
                    self.url.replace("{", "{{").replace("}", "}}"),  # which Optuna formats
                    engine_kwargs=options,
                    heartbeat_interval=self.heartbeat,
                    grace_period=SILENT * self.heartbeat,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
                )
        except ImportError as error:
            missing = getattr(error.__cause__ or error, "name", None) or error
            raise ConfigError(
                f"{KEY}={self} needs a driver that is not installed, {missing}. "
                f"For postgresql: pip install 'psycopg[binary]' 'sqlalchemy>=2.1'"
            ) from error
        except RuntimeError as error:
            raise ConfigError(f"{KEY}={self}: {error}") from error


@contextmanager
def unfinished_features() -> Iterator[None]:
    """Leaves out Optuna's warnings that signs of life are experimental, and meant for Study.optimize."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with")
        yield


class SignsOfLife:
    """Gives them for some trials, from a thread, until the process ends or `stop`."""

    def __init__(self, storage: RDBStorage, interval: float) -> None:
        self._storage, self._interval = storage, interval
        self._trials: set[int] = set()
        self._over = Event()
        self._thread = Thread(target=self._give, daemon=True)
        self._thread.start()

    def begin(self, trial_id: int) -> None:
        self._storage.record_heartbeat(trial_id)
        self._trials.add(trial_id)

    def end(self, trial_id: int) -> None:
        self._trials.discard(trial_id)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _give(self) -> None:
        while not self._over.wait(self._interval):
            try:
                for trial_id in tuple(self._trials):
                    self._storage.record_heartbeat(trial_id)
            except (SQLAlchemyError, StorageInternalError) as error:
                log.warning("the study cannot be reached, and will be tried again: %s", reason(error))


def study_of_this_process(folder: Path) -> SharedStudy | None:
    """Returns the study that a sweep's folder names, if the process knows its URL; None where the folder holds it.

    Raises:
        ConfigError: the URL is in no environment variable.
    """
    record = study_record(folder)
    return SharedStudy(url_of_this_process(record.storage), record.study) if record else None


def machine(folder: Path) -> str:
    """Returns the name of this machine and the folder that it works in."""
    return f"{socket.gethostname()}:{folder.absolute()}"


def reason(error: Exception) -> str:
    """Returns the first line of what the driver of the database says."""
    origin = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    return next(iter(str(getattr(origin, "orig", None) or origin).splitlines()), type(origin).__name__)

"""Reports mistakes of the user of `train.py` and `test.py`; light enough for --help."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

import fer_lightning.config.resolvers  # noqa: F401 (which conf/ refers to)
from fer_lightning.config.home import with_home
from fer_lightning.config.messages import message
from fer_lightning.config.storage_url import hide_passwords
from fer_lightning.config.typed_words import for_hydra
from fer_lightning.errors import ConfigError
from fer_lightning.processes import end_with, leave_files_and_console_to_the_first, process_rank
from fer_lightning.use.streams import READER_GONE, print_nowhere

FULL_ERROR = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""True if the user wants to see the traceback of a mistake too."""


def launch(main: Callable[[], Any]) -> None:
    """Runs a `hydra.main` function; ends with exit status 1 and one message where Hydra cannot use the command line."""
    # Hydra then hands its errors on to us instead of printing them in its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if process_rank() > 0:
        leave_files_and_console_to_the_first()
    # Where Hydra finds our sweepers: it takes them from the package hydra_plugins only, which many folders may share.
    sys.path.append(str(Path(__file__).parents[1] / "sweep" / "plugin"))
    sys.argv[1:] = [with_home(argument) for argument in sys.argv[1:]]
    try:
        sys.argv[1:] = for_hydra(sys.argv[0], hide_passwords(sys.argv[1:]))
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # behind | head, where it has nothing to do but to print
        print_nowhere()
        sys.exit(READER_GONE)
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


def give_up(error: ConfigError) -> NoReturn:
    """Ends the program with one message; not by an exception, which Hydra would introduce with a line of its own."""
    if FULL_ERROR:
        raise error
    end_with(str(error))


def _raised_by_hydra(error: Exception) -> bool:
    """Returns whether it comes from Hydra's own code, and not from what it runs."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("hydra.")

"""Runs networks by onnxruntime such that a run that goes on for ever can be ended. Imports no torch.

Python handles a signal between two of its own steps, and onnxruntime holds its thread until a run is over: a file whose
loop has no end, as a tampered one may have, would take no Ctrl-C and no SIGTERM.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import onnxruntime
from numpy.typing import NDArray

GRACE_S = 5.0
"""Seconds that a run may take after the first signal: what it has found by then would be lost."""

AGAIN_S = 0.2
"""Seconds after which runs that have begun since are ended too."""

_running: set[onnxruntime.RunOptions] = set()


class RunEndedError(Exception):
    """A run that was ended before it had an answer."""


def run(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.generic]]
) -> list[NDArray[np.generic]]:
    """Returns the outputs of these names.

    Raises:
        RunEndedError: `end_runs` was called meanwhile.
    """
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4  # what goes wrong is raised too
    _running.add(options)
    try:
        found: list[NDArray[np.generic]] = session.run([*outputs], dict(inputs), options)
    except Exception as error:  # onnxruntime's own kinds have no base but this
        if options.terminate:
            raise RunEndedError("the network was ended before it had an answer") from error
        raise
    finally:
        _running.discard(options)
    return found


def end_runs() -> None:
    """Ends the runs of all threads; each raises RunEndedError."""
    for options in [*_running]:
        options.terminate = True


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM end the runs in its block: the second one at once, the first if a run takes much longer.

    What handles these signals stays as it is, and is called when the run has ended; a RunEndedError that leaves the
    block becomes KeyboardInterrupt, or after SIGTERM SystemExit. Its block is run by the main thread.
    """
    heard, written = os.pipe()
    if os.name == "posix":  # where set_wakeup_fd demands it
        os.set_blocking(written, False)
    before = signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    came: list[int] = []
    over = threading.Event()
    waiting = threading.Thread(target=_hear, args=(heard, came, over), name="signals end runs", daemon=True)
    waiting.start()
    try:
        yield
    except RunEndedError as error:
        raise (SystemExit(128 + came[-1]) if came[-1:] == [signal.SIGTERM] else KeyboardInterrupt()) from error
    finally:
        signal.set_wakeup_fd(before)
        over.set()
        os.close(written)
        waiting.join()
        os.close(heard)


def _hear(heard: int, came: list[int], over: threading.Event) -> None:
    """Reads the numbers of signals from a pipe as they come, until its other end is closed."""
    while numbers := os.read(heard, 64):
        for number in numbers:
            if number in (signal.SIGINT, signal.SIGTERM):
                came.append(number)
                patience = GRACE_S if len(came) == 1 else 0.0
                threading.Thread(target=_keep_ending_runs, args=(over, patience), daemon=True).start()


def _keep_ending_runs(over: threading.Event, patience: float) -> None:
    while not over.wait(patience):
        end_runs()
        patience = AGAIN_S

"""Runs networks by onnxruntime such that a run that goes on for ever can be ended. Imports no torch.

Python handles a signal between two of its own steps, and onnxruntime holds its thread until a run is over: a file whose
loop has no end, as a tampered one may have, would take no Ctrl-C and no SIGTERM.
"""

import select
import signal
import socket
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
    heard, written = socket.socketpair()
    written.setblocking(False)
    before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    came: list[int] = []
    waiting = threading.Thread(target=_end_runs_after, args=(heard, came), name="signals end runs", daemon=True)
    waiting.start()
    try:
        yield
    except RunEndedError as error:
        raise (SystemExit(128 + came[-1]) if came[-1:] == [signal.SIGTERM] else KeyboardInterrupt()) from error
    finally:
        signal.set_wakeup_fd(before)
        written.close()
        waiting.join()
        heard.close()


def _end_runs_after(heard: socket.socket, came: list[int]) -> None:
    """Waits for signals, whose numbers are written to a socket as they come, until that is closed."""
    patience: float | None = None
    while True:
        if select.select([heard], [], [], patience)[0]:
            if not (numbers := heard.recv(64)):
                return
            asking = [number for number in numbers if number in (signal.SIGINT, signal.SIGTERM)]
            came += asking
            patience = GRACE_S if asking and len(came) == 1 else patience
        else:
            patience = AGAIN_S
        if len(came) > 1 or patience == AGAIN_S:
            end_runs()
            patience = AGAIN_S

"""Answers pictures that come from several people at once, in few calls of the network. Imports no torch."""

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from fer_lightning.use.detector import Detector
from fer_lightning.use.endable_runs import AGAIN_S, end_runs
from fer_lightning.use.faces import Answer, Frame, Unreadable
from fer_lightning.use.images import image_frames
from fer_lightning.use.line import answers
from fer_lightning.use.network import Network

MOST_TOGETHER = 16
"""Pictures that are answered together at most: the first of them waits until the last one's faces are found."""


@dataclass(eq=False)
class _Job:
    """A picture that waits for its answer."""

    content: bytes
    source: str
    index: int
    time_s: float | None
    answer: Future[Answer] = field(default_factory=Future)

    def frame(self) -> Frame | Unreadable:
        """Returns the picture, decoded; of an animation the first frame."""
        first = next(image_frames(self.source, self.content))
        return replace(first, index=self.index, time_s=self.time_s) if isinstance(first, Frame) else first


class BatchedLine:
    """One thread that answers whatever waits, as `line.answers` would: the faces of several pictures in one call.

    A picture is decoded when its turn comes, so that of those that wait there are the files alone in memory.

    Args:
        detector: finds the faces in a frame.
        network: says what they show.
        unsure: the confidence below which the label is "unsure"; None for the network's own.
    """

    def __init__(self, detector: Detector, network: Network, unsure: float | None = None) -> None:
        self.network = network
        self.unsure_below = network.card.unsure_below if unsure is None else unsure
        self._detector = detector
        self._began_s: float | None = None  # when the pictures that are being answered were taken; None between two
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batched line", daemon=True)
        self._thread.start()

    def submit(self, content: bytes, source: str, index: int = 0, time_s: float | None = None) -> Future[Answer]:
        """Returns what will have the answer to an image file's content; cancelled before its turn, it costs nothing.

        Args:
            content: of the file.
            source: of the answer's `Frame`.
            index: likewise.
            time_s: likewise.
        """
        job = _Job(content, source, index, time_s)
        self._waiting.put(job)
        return job.answer

    def end_run_over(self, seconds: float) -> None:
        """Ends the network's run where it has taken longer than that: otherwise nobody would have an answer any more.

        Those whose pictures are in it get a RunEndedError.
        """
        began_s = self._began_s  # which the thread may set meanwhile
        if began_s is not None and time.monotonic() - began_s > seconds:
            end_runs()

    def close(self, seconds: float | None = None) -> None:
        """Answers what still waits, and ends the thread.

        Args:
            seconds: that this may take, before the network's runs are ended; None for any.
        """
        self._waiting.put(None)
        self._thread.join(seconds)
        while self._thread.is_alive():
            end_runs()
            self._thread.join(AGAIN_S)

    def _work(self) -> None:
        for jobs in self._batches():
            self._began_s = time.monotonic()
            wanted = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            try:
                frames = (job.frame() for job in wanted)
                found = answers(frames, self._detector, self.network, unsure=self.unsure_below)
                for job, answer in zip(wanted, found, strict=True):
                    job.answer.set_result(answer)
            except Exception as error:  # the thread has to live on: who waits gets it
                for job in wanted:
                    if not job.answer.done():
                        job.answer.set_exception(error)
            self._began_s = None

    def _batches(self) -> Iterator[Sequence[_Job]]:
        """Yields what waits, as soon as there is something, until it is closed."""
        while (job := self._waiting.get()) is not None:
            jobs: list[_Job | None] = [job]
            while len(jobs) < MOST_TOGETHER and None not in jobs:
                try:
                    jobs.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            yield [one for one in jobs if one is not None]
            if None in jobs:
                return

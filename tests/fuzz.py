"""Byte-level mutation of small valid files: how many cases there are, where they start, how one is made again."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

CASES = int(os.environ.get("FUZZ_CASES", "300"))
"""In all: CI's 300, or those of `make nightly`."""

SEED = int(os.environ.get("FUZZ_SEED", "0"))
"""0 gives the same cases on every run. A failing case is told as a seed and a number, which make it again."""

SECONDS = 20
"""What takes longer is a hang: the readers take milliseconds."""

TOKENS: tuple[bytes, ...] = (
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"-1",
    b"256",
    b"1e3",
    b"007",
)
TOKENS += (b"9" * 30, b"PK\x03\x04", b"../", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80", b"Usage", b"3," + b"7 " * 50)

Mutation = Callable[[random.Random, bytearray], None]


def mutated(content: bytes, what: str, case: int) -> bytes:
    """The content with one to four changes; a function of what it is called, the case and SEED."""
    rng = random.Random(f"{what} {case} {SEED}")
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice((_flip, _overwrite, _insert, _delete, _cut, _splice))(rng, changed)
    return bytes(changed)


class Hang(BaseException):
    """No Exception, which a reader may take for what is wrong with the file."""


@contextmanager
def no_hang(what: str, seconds: float = SECONDS) -> Iterator[None]:
    """Ends what takes longer.

    Raises:
        Hang: it took longer, even if it went on to its own end, or to another exception.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang(told)

    told = f"{what}: still reading after {seconds} seconds"
    before = signal.signal(signal.SIGALRM, stop)
    begun = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if time.monotonic() - begun >= seconds:
            raise Hang(told)


def _place(rng: random.Random, content: bytearray) -> int:
    """Anywhere; as often near an end, where formats keep what describes the rest."""
    near = min(len(content), 300)
    return rng.choice((rng.randint(0, len(content)), rng.randint(0, near), len(content) - rng.randint(0, near)))


def _flip(rng: random.Random, content: bytearray) -> None:
    if content:
        content[min(_place(rng, content), len(content) - 1)] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, content: bytearray) -> None:
    token, place = rng.choice(TOKENS), _place(rng, content)
    content[place : place + len(token)] = token


def _insert(rng: random.Random, content: bytearray) -> None:
    place = _place(rng, content)
    content[place:place] = rng.choice((*TOKENS, rng.randbytes(rng.randint(1, 20))))


def _delete(rng: random.Random, content: bytearray) -> None:
    place = _place(rng, content)
    del content[place : place + rng.choice((1, 2, 10, 1000))]


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[_place(rng, content) :]


def _splice(rng: random.Random, content: bytearray) -> None:
    start = _place(rng, content)
    piece = content[start : start + rng.choice((4, 100, 3000))]
    place = _place(rng, content)
    content[place:place] = piece

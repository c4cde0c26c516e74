"""What can be typed behind predict.py, and its page of help. Imports nothing slow."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fer_lightning.installation import package_version, shell_command

SCRIPT = "predict.py"

PARTS = ("table", "pictures", "videos", "timelines", "page")
"""What can be written into the folder: table is faces.csv and faces.jsonl."""

COMMANDS_SHOWN = """
  {command} photo.jpg                       what the faces in a photograph show
  {command} holiday/ clip.mp4 --out found   folders and videos too, into the folder found
  {command} --webcam 0                      a camera, until Ctrl-C
  {command} photo.jpg --run outputs/train/… with a network of your own
  {command} '*.jpg' @more.txt               wildcards, and a list of paths, one a line
  cat face.png | {command} - --json         from standard input, as JSON to standard output

Nothing leaves this machine, and nothing is fetched. A network names the expression that a face looks
most like; an expression is not a feeling."""

CLOSING = """
exit status: 0; 1 if nothing could be read, or not written; 2 for a wrong command; 130 after Ctrl-C,
143 after SIGTERM, which end with what was found by then, written whole."""


@dataclass(frozen=True)
class Command:
    """A command that has been checked, as far as that needs no file.

    Args: as `--help` has them; `out` is None for a new folder, or for none with `--json`.
    """

    paths: tuple[str, ...]
    webcam: str | None
    recursive: bool
    network: str | None
    run: Path | None
    model: Path | None
    boxes: Path | None
    detector: str
    min_score: float | None
    min_size: int
    unsure: float | None
    smooth: float
    tta: Literal["none", "flip"]
    device: str
    threads: int | None
    out: Path | None
    parts: tuple[str, ...]
    as_json: bool
    explain: bool


def parsed(arguments: Sequence[str]) -> Command:
    """Returns what was typed; exits with 2 for a wrong command, and with 0 after --help."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if not given.paths and given.webcam is None:
        parser.error("name a picture, a video or a folder, or --webcam 0")
    if given.paths and given.webcam is not None:
        parser.error("--webcam takes no paths with it: give two commands")
    if given.boxes and given.detector == "none":
        parser.error("--boxes says where faces are, --detector none that each picture is one: give one of them")
    if (given.boxes or given.detector == "none") and (given.min_score is not None or given.min_size):
        parser.error("--min-score and --min-size are for the detector, which is not used")
    if given.explain and not given.run:
        parser.error("--explain needs the network of a run: Grad-CAM needs a torch network. Give --run FOLDER")
    if given.only and given.json and not given.out:
        parser.error("--only says what is written into a folder; with --json, that needs --out FOLDER")
    return Command(
        paths=tuple(given.paths),
        webcam=given.webcam,
        recursive=given.recursive,
        network=given.network,
        run=given.run,
        model=given.model,
        boxes=given.boxes,
        detector=given.detector,
        min_score=given.min_score,
        min_size=given.min_size,
        unsure=given.unsure,
        smooth=given.smooth,
        tta=given.tta,
        device=given.device,
        threads=given.threads,
        out=given.out,
        parts=given.only or PARTS,
        as_json=given.json,
        explain=given.explain,
    )


def _parser() -> argparse.ArgumentParser:
    command = shell_command(SCRIPT)
    parser = argparse.ArgumentParser(
        prog=command,
        usage=f"{command} PATH ... [options]",
        description="Finds the faces in photographs and videos, and says what they show.\n"
        + COMMANDS_SHOWN.format(command=command),
        epilog=CLOSING,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=100),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"fer_lightning {package_version()}")

    add = parser.add_argument_group("what is looked at").add_argument
    add(
        "paths",
        metavar="PATH",
        nargs="*",
        help="pictures, videos, folders; @FILE: a list of paths; -: standard input",
    )
    add("--recursive", "-r", action="store_true", help="look into the folders in folders too")
    add("--webcam", metavar="N", help="a camera, by its number, from 0")

    add = parser.add_argument_group("which network").add_mutually_exclusive_group().add_argument
    add("--network", metavar="NAME", help="large (the default), small or ferplus, of the package")
    add("--run", metavar="FOLDER", type=Path, help="of a training of yours, or a checkpoint in it")
    add("--model", metavar="FILE", type=Path, help="an exported network, FILE.onnx")

    add = parser.add_argument_group("which faces").add_argument
    add("--min-score", metavar="X", type=score, help="score of a face at least, 0 to 1 (0.8)")
    add("--min-size", metavar="PIXELS", type=whole(0), default=0, help="width of a face at least (0)")
    add(
        "--detector",
        choices=("yunet", "none"),
        default="yunet",
        help="none: each picture is a face, cut out before",
    )
    add("--boxes", metavar="FILE", type=Path, help="where the faces are: a CSV with source, frame, x, y, width, height")

    add = parser.add_argument_group("what is said of them").add_argument
    add(
        "--unsure",
        metavar="X",
        type=share,
        help="say unsure below this probability (the network's own; 0: never)",
    )
    add("--tta", choices=("none", "flip"), default="none", help="flip: average over a face and its mirror image")
    add(
        "--smooth",
        metavar="SECONDS",
        type=seconds,
        default=0.5,
        help="over how long videos are smoothed (0.5; 0: not at all)",
    )
    add("--explain", action="store_true", help="show where the evidence lies (Grad-CAM), with --run")

    add = parser.add_argument_group("what is written").add_argument
    add("--out", metavar="FOLDER", type=Path, help="empty or new (a new one in outputs/predict)")
    add("--only", metavar="PART,PART", type=_parts, help=f"of {', '.join(PARTS)} (all)")
    add("--json", action="store_true", help="print JSON lines, and write no folder but --out's")

    add = parser.add_argument_group("how it is computed").add_argument
    add("--device", metavar="NAME", default="auto", help="for --run: cpu, cuda, mps (auto)")
    add("--threads", metavar="N", type=whole(1), help="of the processor (all)")
    return parser


def share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def score(text: str) -> float:
    value = share(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def seconds(text: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None


def whole(least: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} on")
        return int(text)

    return whole


def _parts(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if wrong := [word for word in words if word not in PARTS]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(PARTS)}")
    return words

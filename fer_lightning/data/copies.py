"""Copies within and between sets of faces: python -m fer_lightning.data.copies A [B …]

A and B are whatever data.path takes. Prints how many faces of each part have exact and near copies in which part, and
writes all pairs, these counts and a picture of some pairs. See docs/copies.md.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from fer_lightning.data.classes import ClassOptions
from fer_lightning.data.copy_sheet import write_sheet
from fer_lightning.data.copy_tables import Copies, copies_in
from fer_lightning.data.emotions import NUMBERINGS
from fer_lightning.data.faces import Faces
from fer_lightning.data.near_pairs import NEAR
from fer_lightning.data.numbering import NumberingOption
from fer_lightning.data.perceptual_hash import BITS
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.tables import write_table
from fer_lightning.errors import DataError
from fer_lightning.files import folder_around

log = logging.getLogger(__name__)

OPTION = NumberingOption("--numbering", " ", ("", ""))

OWN = "own"
"""Stands for the names or the order that a set has itself."""


def find_copies(
    paths: Sequence[Path], out: Path, numberings: Sequence[str] = (), within: int = NEAR, drop_bad_rows: bool = False
) -> Copies:
    """Prints the copies in sets of faces, and writes copies.csv, counts.csv and sheet.png into the folder `out`.

    Args:
        paths: of the sets.
        out: a folder that is empty or not there yet, and in none of the sets.
        numberings: what bare numbers are, see `ClassOptions`: one for all sets, or one for each; OWN where there are
            none.
        within: bits, of 128, that the hashes of near copies may differ in.
        drop_bad_rows: leave out what cannot be read.

    Raises:
        DataError: a set cannot be read, or `out` is anything else.
    """
    _refuse(paths, out, numberings)
    each = [*numberings] * len(paths) if len(numberings) == 1 else [*numberings] or [OWN] * len(paths)
    sets = {
        name: read_faces(
            path, "drop" if drop_bad_rows else "error", classes=ClassOptions(_numbering(numbering), option=OPTION)
        )
        for name, path, numbering in zip(_names(paths), paths, each, strict=True)
    }
    copies = copies_in(sets, within, shown=True)
    print(as_text(copies, sets))
    write_table(copies.pairs.drop(columns=["index_1", "index_2"]), out / "copies.csv")
    write_table(copies.counts, out / "counts.csv")
    if len(copies.pairs):
        for sentence in write_sheet(copies.pairs, [*sets.values()], out / "sheet.png"):
            print(sentence)
    return copies


def as_text(copies: Copies, sets: dict[str, Faces]) -> str:
    """Returns the counts as a table, and what holds for all sets together."""
    count = sum(map(len, sets.values()))
    near = copies.pairs[copies.pairs["copy"] == "near"]
    lines = [
        f"{copies.redundant:,} of {count:,} faces are exact copies of one before them; "
        f"{copies.of_two_labels:,} groups of exact copies have more than one label.",
        f"{len(near):,} pairs of different images are near copies, {int(near['mirrored'].sum()):,} of them mirrored; "
        f"{int((near['label_1'] != near['label_2']).sum()):,} have two labels.",
    ]
    if copies.flat:
        lines.append(
            f"{copies.flat:,} faces are without structure, as of one shade: near copies are not looked for among them."
        )
    if not len(copies.counts):
        return "\n".join(lines)
    counts = copies.counts.rename(
        columns={"exact, another label": "(other label)", "near, another label": "(other label) "}
    )
    if len(sets) == 1:
        counts = counts.drop(columns=["set", "in set"])
    numbers = {name: "{:,}".format for name in counts.columns if pd.api.types.is_numeric_dtype(counts[name])}
    table = counts.to_string(index=False, formatters=numbers)
    heading = "How many faces have a copy, and where (in their own part: another face):"
    return "\n".join([heading, table, *lines])


def _refuse(paths: Sequence[Path], out: Path, numberings: Sequence[str]) -> None:
    where = [Path(os.path.expanduser(path)).resolve() for path in paths]
    if twice := [str(path) for path, at in zip(paths, where, strict=True) if where.count(at) > 1]:
        raise DataError(f"{twice[0]}: is given twice. All copies within a set are found if it is given once.")
    if len(numberings) not in (0, 1, len(paths)):
        raise DataError(
            f"--numbering is given {len(numberings)} times for {len(paths)} sets: give it once for all, or once for "
            f"each in their order, --numbering {OWN} for a set whose classes have names."
        )
    if (inside := folder_around(out, paths)) is not None:
        raise DataError(f"{out}: is in {inside}, and nothing is written into a set of faces. Give another --out.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: there is something already, and nothing is overwritten. Give another --out.")


def _numbering(given: str) -> str | list[str] | None:
    if given == OWN:
        return None
    return given.split(",") if "," in given else given


def _names(paths: Sequence[Path]) -> list[str]:
    """Returns the paths' last names, or the whole paths where two are the same."""
    names = [path.name or str(path) for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m fer_lightning.data.copies",
        description="Finds exact and near copies within and between sets of faces and their parts.",
        epilog="Near copies are faces whose perceptual hashes differ in few bits: the same picture in another size, "
        "compressed, lighter, cut a little otherwise, or mirrored. docs/copies.md has how many of them are found, and "
        "how many that are found are none.",
    )
    parser.add_argument("sets", metavar="SET", type=Path, nargs="+", help="whatever data.path takes")
    new = "outputs/copies/<time>"
    parser.add_argument("--out", metavar="FOLDER", type=Path, help=f"a new or an empty folder (default: {new})")
    orders = f"the order of classes that are bare numbers: {', '.join(NUMBERINGS)}, or their names in order, joined"
    parser.add_argument(
        "--numbering",
        action="append",
        default=[],
        help=f"{orders} by commas; once for all sets, or once for each in their order, {OWN!r} for one with names",
    )
    parser.add_argument(
        "--bits",
        type=int,
        default=NEAR,
        help=f"in which hashes of near copies may differ, 0 to {BITS // 2}, of {BITS} (%(default)s)",
    )
    parser.add_argument("--on-bad-rows", choices=("error", "drop"), default="error", help="refuse them (error) or not")
    given = parser.parse_args(arguments)
    if not 0 <= given.bits <= BITS // 2:
        parser.error(f"--bits is {given.bits}; it may be 0 to {BITS // 2}")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    out = Path(os.path.expanduser(given.out or f"outputs/copies/{datetime.now():%Y-%m-%d_%H-%M-%S-%f}")).absolute()
    try:
        copies = find_copies(given.sets, out, given.numbering, given.bits, given.on_bad_rows == "drop")
    except (DataError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    written = ["copies.csv", "counts.csv", *["sheet.png"] * bool(len(copies.pairs))]
    print(f"{', '.join(written)}: {out}")


if __name__ == "__main__":
    main()

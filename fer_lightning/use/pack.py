"""Replaces a network that comes with the package by that of a run: python -m fer_lightning.use.pack RUN NAME

Refuses one that is too large, or that answers otherwise once it is exported, or is less accurate than the one that is
there: on the same faces, FER2013's PublicTest, or of other data the run's test split. Writes its model card too.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from fer_lightning.errors import ConfigError
from fer_lightning.use.export_packages import refuse_without_packages
from fer_lightning.use.network import LARGEST_NETWORKS, PACKAGED_MARGIN, refuse_other_than_runs
from fer_lightning.use.streams import open_closed_streams


def main(arguments: Sequence[str] | None = None) -> None:
    """Packs as the command line says; what is wrong with it is said before torch is imported."""
    open_closed_streams()
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.use.pack", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a finished run")
    parser.add_argument("name", metavar="NAME", choices=[*LARGEST_NETWORKS], help=", ".join(LARGEST_NETWORKS))
    parser.add_argument("--data", metavar="PATH", type=Path, help="where the run's faces are now (where they were)")
    parser.add_argument("--into", metavar="FOLDER", type=Path, help="write both files there (the package and docs/)")
    parser.add_argument(
        "--margin",
        type=float,
        default=PACKAGED_MARGIN,
        help=f"side of the square around a face, in widths of its box ({PACKAGED_MARGIN})",
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        refuse_other_than_runs(given.run)
        refuse_without_packages()
        from fer_lightning.use.packing import pack

        packed = pack(given.run, given.name, given.data, given.into, given.margin)
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
    print(packed.made.comparison)
    for part in packed.measured:
        print(f"{part.faces.what}: accuracy {part.accuracy_in_words()}")
    if packed.difference:
        print("better than before by {:.2%} (95% interval {:.2%} to {:.2%})".format(*packed.difference))
    print(f"wrote {packed.made.file} ({packed.made.file.stat().st_size:,} bytes), and its card")


if __name__ == "__main__":
    main()

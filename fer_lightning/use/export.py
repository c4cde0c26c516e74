"""Writes a trained network as one file for other programs: python -m fer_lightning.use.export RUN --format onnx

The file takes uint8 faces and returns calibrated probabilities. It is compared with the network of the run first, and
not written where it answers otherwise.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from fer_lightning.errors import ConfigError
from fer_lightning.transforms.face_crop import BOX_MARGIN
from fer_lightning.use.card import Flip, Weights
from fer_lightning.use.export_packages import refuse_without_packages
from fer_lightning.use.network import refuse_other_than_runs
from fer_lightning.use.streams import open_closed_streams

Format = Literal["onnx", "onnx-int8", "pt2"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports as the command line says; what is wrong with it is said before torch is imported."""
    open_closed_streams()
    parser = argparse.ArgumentParser(prog="python -m fer_lightning.use.export", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="a run's folder, a checkpoint or a model.safetensors")
    parser.add_argument("--format", choices=get_args(Format), default="onnx", help="pt2: for torch.export (onnx)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the file to write (model.onnx in the run's folder)")
    parser.add_argument("--name", help="what the network is called (the name of the run's folder)")
    parser.add_argument("--weights", choices=get_args(Weights), default="float32", help="how they are stored (float32)")
    parser.add_argument("--tta", choices=get_args(Flip), default="none", help="flip: average over mirror images too")
    parser.add_argument("--data", metavar="PATH", type=Path, help="where the run's faces are now (where they were)")
    parser.add_argument(
        "--margin",
        type=float,
        default=BOX_MARGIN,
        help=f"side of the square around a face, in widths of its box ({BOX_MARGIN})",
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        refuse_other_than_runs(given.run)
        if given.format != "pt2":
            refuse_without_packages()
        from fer_lightning.use.exporting import export

        made = export(
            given.run,
            given.format,
            given.out,
            given.name,
            given.weights,
            given.tta,
            data=given.data,
            margin=given.margin,
        )
    except (ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
    if made.speed:
        print(made.speed)
    print(f"{made.comparison}\nwrote {made.file} ({made.file.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()

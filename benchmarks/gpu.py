"""What a GPU is needed for: python -m benchmarks.gpu [KEY=VALUE …] --data FILE [--only best ensemble epoch quick]

FILE is FER2013 in any form that data.path takes. Each part prints a table; the run folders, with all figures, stay.

best      experiment=resnet18_best, one seed: PublicTest with and without averaging, epochs/s
ensemble  the same with two more seeds, and the three together
epoch     a step of train.py's epoch against its floor, batches of 512, compiled
quick     experiment=quick and quick_65 as they are: how long they take here, and what they reach
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import epoch
from benchmarks.side_by_side import markdown, medians
from fer_lightning.report.compare import ensemble_accuracy, runs_in
from fer_lightning.report.provenance import machine

TRAIN, TEST = (Path(__file__).parent.parent / name for name in ("train.py", "test.py"))
SEEDS = (0, 1, 2)
STEPS = 50
REPEATS = 5


def main(arguments: Sequence[str] | None = None) -> None:
    parts = {"best": best, "ensemble": ensemble, "epoch": epoch_ratio, "quick": quick}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="FER2013, as data.path takes it")
    parser.add_argument("--only", nargs="+", choices=list(parts), default=["best"], help="default: best")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"), help="default: outputs/gpu")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="for all trainings: trainer.max_epochs=300 …")
    given = parser.parse_intermixed_args(arguments)
    print(f"{machine('cuda' if torch.cuda.is_available() else 'cpu')}; torch {torch.__version__}", flush=True)
    for name in given.only:
        print(parts[name](given.out.absolute(), given.data.absolute(), given.overrides), flush=True)


def best(out: Path, data: Path, overrides: list[str]) -> str:
    (run,) = _trained_best(out, data, overrides, SEEDS[:1])
    return markdown("resnet18_best, PublicTest", [_row(run)])


def ensemble(out: Path, data: Path, overrides: list[str]) -> str:
    runs = _trained_best(out, data, overrides, SEEDS)
    rows = [_row(run) for run in runs]
    for name, folder in (("accuracy (95% interval)", "report"), ("ten-crop averaging", "ten_crop")):
        accuracy = ensemble_accuracy(runs_in([run / folder for run in runs]))
        rows.append(dict.fromkeys(rows[0], "") | {"run": "the three together", name: f"{accuracy:.2%}"})
    return markdown("resnet18_best, three seeds, PublicTest", rows)


def epoch_ratio(out: Path, data: Path, overrides: list[str]) -> str:
    """As benchmarks.epoch, in large batches and compiled."""
    # Else what is compiled too often would run as it is, without a word.
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    large = ("data.batch_size=512", "compile=true", *overrides)
    rows = []
    for model in epoch.STEPS:
        with tempfile.TemporaryDirectory() as folder:
            seconds = medians(epoch.ours_and_floor(Path(folder), data, model, STEPS, *large), REPEATS)
        rows.append(epoch.row(model, seconds))
    return markdown("A step of train.py's epoch, in milliseconds, batches of 512, compiled", rows)


def quick(out: Path, data: Path, overrides: list[str]) -> str:
    runs = [_trained(out, [f"experiment={name}", f"data.path={data}", *overrides]) for name in ("quick", "quick_65")]
    return markdown("The recipes that reach 60% and 65% on two cores, as they are", [_row(run) for run in runs])


def _trained_best(out: Path, data: Path, overrides: list[str], seeds: Sequence[int]) -> list[Path]:
    command = ["experiment=resnet18_best", f"data.path={data}", "compile=true", *overrides]
    return [_trained(out, [*command, f"seed={seed}"]) for seed in seeds]


def _trained(out: Path, overrides: list[str]) -> Path:
    """The folder of a run by train.py, tested again with ten-crop averaging; what is done is not done twice."""
    name = "_".join(word.partition("=")[2] if word.startswith("experiment") else word for word in overrides)
    run = out / name.replace("/", "-")
    if not (run / "report" / "metrics.json").is_file():
        stopped = any(run.glob("checkpoints/*.ckpt"))
        train = [f"resume='{run}'"] if stopped else [*overrides, f"hydra.run.dir='{run}'"]
        subprocess.run([sys.executable, str(TRAIN), *train], check=True)
    if not (run / "ten_crop" / "metrics.json").is_file():
        test = [f"run_dir='{run}'", "tta=ten_crop", f"hydra.run.dir='{run / 'ten_crop'}'"]
        subprocess.run([sys.executable, str(TEST), *test], check=True)
    return run


def _row(run: Path) -> dict[str, str]:
    figures: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text("utf-8"))
    ten_crop = json.loads((run / "ten_crop" / "metrics.json").read_text("utf-8"))["test/accuracy"]
    low, high = figures["test/accuracy_low"], figures["test/accuracy_high"]
    return {
        "run": " ".join(word for word in figures["command"].split()[2:] if not word.startswith(("data.path", "hydra"))),
        "epochs": str(figures["epochs"]),
        "minutes, all in all": f"{figures['minutes']:.1f}",
        "epochs/s": f"{figures['epochs'] / figures['minutes'] / 60:.2f}",
        "accuracy (95% interval)": f"{figures['test/accuracy']:.2%} ({low:.1%} to {high:.1%})",
        "flip averaging": f"{figures['test/accuracy_flip']:.2%}",
        "ten-crop averaging": f"{ten_crop:.2%}",
        "without copies": f"{figures['test/accuracy_new']:.2%}",
    }


if __name__ == "__main__":
    main()

"""What a GPU is needed for: python -m benchmarks.gpu --data FILE [--only best ensemble epoch quick] [--out FOLDER]

FILE is FER2013 in any form that data.path takes, the smaller the better to carry: fer2013.csv.xz, say. Each part prints
a table; the run folders, with all figures, stay in the folder.

best      experiment=resnet18_best, one seed: PublicTest with and without averaging, epochs/s
ensemble  the same with two more seeds, and the three together
epoch     the training part of train.py's epoch against its floor, batches of 512, compiled
quick     experiment=quick and quick_65: how long they take here
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import epoch, ours
from benchmarks.side_by_side import markdown, medians
from fer_lightning.models import load_model
from fer_lightning.report.provenance import machine

TRAIN, TEST = (Path(__file__).parent.parent / name for name in ("train.py", "test.py"))
SEEDS = (0, 1, 2)


def main(arguments: Sequence[str] | None = None) -> None:
    parts = {"best": best, "ensemble": ensemble, "epoch": epoch_ratio, "quick": quick}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="FER2013, as data.path takes it")
    parser.add_argument("--only", nargs="+", choices=list(parts), default=["best"], help="default: best")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"), help="default: outputs/gpu")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of all trainings: trainer.max_epochs=300, …")
    given = parser.parse_intermixed_args(arguments)
    data = f"data.path={given.data.absolute()}"
    print(f"{machine('cuda' if torch.cuda.is_available() else 'cpu')}; torch {torch.__version__}", flush=True)
    for name in given.only:
        print(parts[name](given.out.absolute(), data, given.overrides), flush=True)


def best(out: Path, data: str, overrides: list[str]) -> str:
    return markdown("resnet18_best, PublicTest", [_row(run) for run in _trained_best(out, data, overrides, SEEDS[:1])])


def ensemble(out: Path, data: str, overrides: list[str]) -> str:
    runs = _trained_best(out, data, overrides, SEEDS)
    rows = [_row(run) for run in runs]
    labels, of_runs = _log_probabilities(out, data, runs)
    together = of_runs.logsumexp(0).argmax(1)
    accuracy = float((together == labels).double().mean())
    rows.append(dict.fromkeys(rows[0], "") | {"run": "their ensemble", "flip averaging": f"{accuracy:.2%}"})
    return markdown("resnet18_best, three seeds, PublicTest", rows)


def epoch_ratio(out: Path, data: str, overrides: list[str]) -> str:
    """As benchmarks.epoch, in large batches and compiled."""
    rows, steps = [], 50
    for model in ("resnet18", "deep_emotion"):
        large = ("data.batch_size=512", "compile=true", "data.splits.test=PublicTest", *overrides)
        run = partial(epoch.experiment, out / f"epoch_{model}", Path(data.partition("=")[2]), model, steps, *large)
        ways = {"ours": lambda run=run: epoch.fitted(run()), "floor": partial(epoch.bare_loop, run(), steps)}
        seconds = medians(ways, 5)
        rows.append(
            {
                "network": model,
                "train.py, ms a step": f"{seconds['ours'] / steps * 1e3:.2f}",
                "forward, backward and step alone": f"{seconds['floor'] / steps * 1e3:.2f}",
                "train.py / floor": f"{seconds['ours'] / seconds['floor']:.2f}",
            }
        )
    return markdown("An epoch of training, batches of 512, compiled", rows)


def quick(out: Path, data: str, overrides: list[str]) -> str:
    names = ("quick", "quick_65")
    runs = [_trained(out / name, [f"experiment={name}", data, *overrides]) for name in names]
    return markdown("Time to accuracy, PublicTest", [_row(run) for run in runs])


def _trained_best(out: Path, data: str, overrides: list[str], seeds: Sequence[int]) -> list[Path]:
    command = ["experiment=resnet18_best", data, "compile=true", *overrides]
    return [_trained(out / f"resnet18_best_{seed}", [*command, f"seed={seed}"]) for seed in seeds]


def _trained(folder: Path, overrides: list[str]) -> Path:
    """The folder of a finished run by train.py, and in tta/ its figures with ten-crop averaging; made only once."""
    if not (folder / "tta" / "metrics.json").is_file():
        subprocess.run([sys.executable, str(TRAIN), *overrides, f"hydra.run.dir={folder}"], check=True)
        test = [f"run_dir={folder}", "tta=ten_crop", f"hydra.run.dir={folder / 'tta'}"]
        subprocess.run([sys.executable, str(TEST), *test], check=True)
    return folder


def _row(run: Path) -> dict[str, str]:
    figures: dict[str, Any] = json.loads((run / "report" / "metrics.json").read_text("utf-8"))
    ten_crop = json.loads((run / "tta" / "metrics.json").read_text("utf-8"))["test/accuracy"]
    return {
        "run": run.name,
        "epochs": str(figures["epochs"]),
        "minutes": f"{figures['minutes']:.1f}",
        "epochs/s": f"{figures['epochs'] / figures['minutes'] / 60:.2f}",
        "accuracy (95% interval)": f"{figures['test/accuracy']:.2%} "
        f"({figures['test/accuracy_low']:.1%} to {figures['test/accuracy_high']:.1%})",
        "flip averaging": f"{figures['test/accuracy_flip']:.2%}",
        "ten-crop averaging": f"{ten_crop:.2%}",
        "without copies": f"{figures['test/accuracy_new']:.2%}",
    }


def _log_probabilities(out: Path, data: str, runs: list[Path]) -> tuple[Tensor, Tensor]:
    """Labels (N,) of the test faces, and what each run says of them with flip averaging: (R, N, C)."""
    module = ours.experiment(out / "ensemble", "experiment=resnet18_best", data).datamodule
    labels, of_runs = torch.empty(0), []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for run in runs:
        model = load_model(run / "checkpoints" / "best.ckpt").to(device)
        with torch.inference_mode():
            batches = [
                (model.log_probabilities(images.to(device), "flip").cpu(), labels)
                for images, labels in (module.on_after_batch_transfer(batch, 0) for batch in module.test_dataloader())
            ]
        of_runs.append(torch.cat([log_p for log_p, _ in batches]))
        labels = torch.cat([labels for _, labels in batches])
    return labels, torch.stack(of_runs)


if __name__ == "__main__":
    main()

"""How long a report takes: python -m benchmarks.report RUN … [--csv fer2013.csv]"""

import argparse
import logging
import tempfile
import time
import warnings
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from benchmarks import ours
from benchmarks.side_by_side import markdown, medians, timed
from fer_lightning.config.build import rebuild
from fer_lightning.report.results import Results
from fer_lightning.report.run_page import write_report


def row(run_dir: Path, csv: Path | None, repeats: int) -> dict[str, str]:
    """Of PublicTest, by the best network of a finished run."""
    run = OmegaConf.load(run_dir / ".hydra" / "config.yaml")
    assert isinstance(run, DictConfig)
    with tempfile.TemporaryDirectory() as folder:
        data = [f"data.path='{csv}'"] if csv else []
        changes = ours.composed("test", Path(folder), *data, "data.splits.test=PublicTest")
        experiment = rebuild(run, changes, run_dir / "checkpoints" / "best.ckpt")
        model, trainer = experiment.model, experiment.trainer
        started = time.perf_counter()
        trainer.test(model, experiment.datamodule, verbose=False)
        testing = time.perf_counter() - started
        results = Results.of(model, trainer)
        report = timed(lambda: write_report(Path(folder), model, trainer, results, {}, run_dir, run.monitor))
        seconds = medians({"report": report}, repeats, warm_up=0)["report"]
    return {
        "network": type(model.net).__name__,
        "faces": f"{len(results.predictions):,}",
        "testing, with and without flip": f"{testing:.1f} s",
        "its report": f"{seconds:.1f} s",
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.partition(":")[0])
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folders of finished runs of train.py")
    parser.add_argument("--csv", type=Path, help="fer2013.csv; else the data that each was trained on")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(markdown("The report of a run", [row(run, given.csv, given.repeats) for run in given.runs]))


if __name__ == "__main__":
    main()

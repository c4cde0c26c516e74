"""debug=look: what the network would be fed, and how many faces each class has; nothing is trained."""

import logging
from pathlib import Path

from fer_lightning.build import Experiment
from fer_lightning.report.sheets import fed_figure

log = logging.getLogger(__name__)


def look(experiment: Experiment, run_dir: Path) -> None:
    """Writes run_dir/report/fed.png; the counts of the classes are in the log by then."""
    path = run_dir / "report" / "fed.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    fed_figure(experiment.datamodule).savefig(path, dpi=160)
    log.info("\ntraining faces before and after augmentation   %s", path)

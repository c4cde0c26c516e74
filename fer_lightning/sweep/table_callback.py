"""Shows a sweep when it ends. Hydra makes this callback for single runs too, so nothing slow is imported here."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class SweepTable(Callback):
    """Shows the sweep when all its jobs are done, and ends the program with 1 if one of them failed."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from fer_lightning.sweep.jobs import FAILED, job_folders
        from fer_lightning.sweep.report import show

        folder = Path(config.hydra.sweep.dir)
        if config.action:  # nothing was trained: there are no scores
            if failed := sum((job / FAILED).is_file() for job in job_folders(folder).values()):
                raise SystemExit(f"error: {failed} jobs failed; their error.txt says why")
            return
        try:
            table = show(folder, config)
        except (OSError, ValueError) as error:
            raise SystemExit(f"error: {error}") from error
        if failed := int(table["state"].isin(["failed", "stopped", "damaged"]).sum()):
            # Hydra would take an Exception from a callback for a warning.
            raise SystemExit(f"error: {failed} of {len(table)} jobs failed; the table says why")

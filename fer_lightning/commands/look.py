"""debug=look: faces of each class, how many there are, and what a network would be fed; no network is made."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from fer_lightning.config.build import build_data
from fer_lightning.config.check import check
from fer_lightning.config.typed_command import as_typed
from fer_lightning.data import FERDataModule
from fer_lightning.data.chart_names import numbers_in_words
from fer_lightning.data.faces import Faces
from fer_lightning.data.split_table import split_frame
from fer_lightning.report.face_charts import augmentation_chart, class_samples
from fer_lightning.report.page import Section, Table, write_page

log = logging.getLogger(__name__)

SAMPLES = "Spread evenly over the split. Point at a face for its place in the source."


def look(cfg: DictConfig, run_dir: Path) -> None:
    """Writes run_dir/report/index.html.

    Raises:
        ConfigError: as `build`.
    """
    check(cfg)
    data = build_data(cfg)
    page = run_dir / "report" / "index.html"
    write_look(data, page)
    log.info("\nfaces of each class, what a network would be fed, and these counts   %s", as_typed(page))


def write_look(data: FERDataModule, page: Path) -> None:
    """Writes a page: the counts of each split, training faces before and after augmentation, faces of each class."""
    assert data.faces is not None
    sections = [
        Section("Faces in each split", tables=[_counts(data, data.faces)]),
        Section("What a network would be fed", numbers_in_words(data.class_names), charts=[augmentation_chart(data)]),
        Section("Faces of each class", texts=[SAMPLES], samples=class_samples(data)),
    ]
    write_page(page, "Before training", sections)


def _counts(data: FERDataModule, faces: Faces) -> Table:
    """Returns a row for each class, however many there are, and a column for each split."""
    copies = {split: int(copied.sum()) for split, copied in data.also_in_train.items()}
    frame = split_frame(faces, data.rows, data.origins, copies)
    origins = [f"{split} is {origin}" for split, origin in frame.pop("is").items() if origin]
    rows = [
        [(str(name), str(name)), *((f"{one:,}" if isinstance(one, int) else str(one), one) for one in counts)]
        for name, counts in zip(frame.columns, frame.T.to_numpy().tolist(), strict=True)
    ]
    return Table(["class", *frame.index], rows, f"Of {data.source}: {', '.join(origins)}.")

"""study.json: what a sweep's folder says of a study that several machines share. Leads to no database by itself."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fer_lightning.errors import ConfigError
from fer_lightning.files import text_in, written_whole
from fer_lightning.sweep.jobs import SHARED_STUDY_FILE

LONGEST_RECORD = 1 << 16
"""Characters of it."""


class BestTrial(BaseModel):
    model_config = ConfigDict(strict=True)

    trial: int
    score: float
    overrides: list[str]
    trained_in: str


class StudyRecord(BaseModel):
    """What a folder says of the study that its jobs are trials of, as it was at that time."""

    model_config = ConfigDict(strict=True)

    storage: str
    study: str
    time: str
    trials: int = 0
    best: BestTrial | None = None

    def write(self, folder: Path) -> None:
        with written_whole(folder / SHARED_STUDY_FILE) as unfinished:
            unfinished.write_text(self.model_dump_json(indent=2), "utf-8")


def study_record(folder: Path) -> StudyRecord | None:
    """Returns what a sweep's folder says of its shared study; None where the study, if any, is its own.

    Raises:
        ConfigError: it is damaged.
    """
    file = folder / SHARED_STUDY_FILE
    if not file.is_file():
        return None
    try:
        return StudyRecord.model_validate_json(text_in(file, LONGEST_RECORD))
    except (ValidationError, ValueError, OSError) as error:
        raise ConfigError(f"{file} is not what a search writes there: it is damaged") from error

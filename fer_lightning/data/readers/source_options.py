"""What a person says of a source where its form leaves it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fer_lightning.data.readers.opinions import LabelsFrom
from fer_lightning.signature import refuse_out_of_range

COLUMNS = ("image", "label", "split", "person")
"""What a column of a table of images can hold."""


@dataclass(frozen=True)
class SourceOptions:
    """What is said of a source beforehand; its names are keys of conf/data.

    Args:
        columns: the column of a table for each of image, label, split and person; what is null or left out is looked
            for by the usual names.
        labels_from: which is right where folders and a table name different classes for an image.

    Raises:
        ValueError: an argument outside its range.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    labels_from: LabelsFrom | None = None

    def __post_init__(self) -> None:
        refuse_out_of_range(SourceOptions, vars(self))
        if unknown := set(self.columns) - {*COLUMNS}:
            raise ValueError(f"columns names {', '.join(sorted(unknown))}; its keys are {', '.join(COLUMNS)}")

    @property
    def given_columns(self) -> dict[str, str]:
        return {key: str(name) for key, name in self.columns.items() if name is not None}

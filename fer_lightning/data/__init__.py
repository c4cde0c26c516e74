"""From whatever form people have the data in to batches."""

from fer_lightning.data.faces import EMOTIONS, Faces
from fer_lightning.data.module import FERDataModule
from fer_lightning.errors import DataError

__all__ = ["EMOTIONS", "DataError", "FERDataModule", "Faces"]

"""From whatever form people have the data in to batches."""

from fer_lightning.data.faces import EMOTIONS, DataError, Faces
from fer_lightning.data.module import FERDataModule

__all__ = ["EMOTIONS", "DataError", "FERDataModule", "Faces"]

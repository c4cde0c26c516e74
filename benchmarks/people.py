"""How people feed FER2013 to a network today: a picture at a time, by PIL, in a DataLoader."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.ours import CONF

OURS = OmegaConf.load(CONF / "augmentation" / "standard.yaml")
STANDARD = transforms.Compose(
    [
        transforms.RandomAffine(OURS.degrees, translate=(OURS.translate, OURS.translate), scale=tuple(OURS.scale)),
        transforms.RandomHorizontalFlip(OURS.flip),
        transforms.ColorJitter(brightness=OURS.brightness, contrast=OURS.contrast),
        transforms.ToTensor(),
        transforms.Normalize([0.508], [0.255]),
    ]
)


class DataFrameFaces(Dataset[tuple[Tensor, int]]):
    """A data frame of pixel strings, parsed when a face is asked for."""

    def __init__(self, csv: Path) -> None:
        table = pd.read_csv(csv)
        self.table = table[table["Usage"] == "Training"].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.table.iloc[index]
        pixels = np.array(row["pixels"].split(" "), dtype=np.uint8).reshape(48, 48)
        return STANDARD(Image.fromarray(pixels)), int(row["emotion"])


def image_folder(folder: Path) -> ImageFolder:
    return ImageFolder(str(folder), transforms.Compose([transforms.Grayscale(), *STANDARD.transforms]))


def loader(dataset: Dataset[Any], workers: int, batch_size: int = 128) -> "DataLoader[Any]":
    return DataLoader(dataset, batch_size, shuffle=True, num_workers=workers)


def seconds_of_batches(loader: "DataLoader[Any]", count: int) -> float:
    """To make so many batches, once the workers have started and until they are told to end."""
    batches = iter(loader)
    next(batches)
    started = time.perf_counter()
    for _ in range(count):
        next(batches)
    return time.perf_counter() - started

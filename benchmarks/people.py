"""How people feed FER2013 to a network today: a picture at a time, by PIL, in a DataLoader."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

STANDARD = transforms.Compose(  # as conf/augmentation/standard.yaml
    [
        transforms.RandomAffine(15, translate=(0.1, 0.1), scale=(0.8, 1.2)),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(brightness=0.2, contrast=0.2),
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


def loader(dataset: Dataset[tuple[Tensor, int]], workers: int, batch_size: int = 128) -> "DataLoader[list[Tensor]]":
    return DataLoader(dataset, batch_size, shuffle=True, num_workers=workers)


def batches(loader: "DataLoader[list[Tensor]]", count: int) -> None:
    """Makes so many batches and throws them away."""
    for number, _ in enumerate(loader, start=1):
        if number == count:
            break

"""A card says what tables can show, and where nothing lies."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fer_lightning.errors import ConfigError
from fer_lightning.report.command_paths import without_folders
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.model_file import save_model
from fer_lightning.transforms.preprocessing import Preprocessing
from fer_lightning.use.card import Card
from fer_lightning.use.network import network


def test_a_card_is_checked_when_it_is_made() -> None:
    card = Card("a", ("b",), 48, 1)
    assert Card(**asdict(card)) == card
    for changes in ({"size": 0}, {"channels": 2}, {"temperature": -1.0}, {"unsure_below": 1.5}, {"sha256": "x"}):
        with pytest.raises(ValueError, match=f"{next(iter(changes))} is"):
            replace(card, **changes)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("happy", "happy"), "names that differ"),
        (("happy", ""), "names that are not empty"),
        (("happy", " "), "names that are not empty"),
        (("happy", "unsure"), "names other than unsure and no face"),
        (("No face", "happy"), "names other than unsure and no face"),
        (("happy", "a\nb"), "letters that can be printed"),
        (("happy", "\x1b]0;title\a"), "letters that can be printed"),
        (("happy", "\u202eyppah"), "letters that can be printed"),
        ((), "at least 1 item"),
    ],
)
def test_classes_that_tables_cannot_show_are_refused(names: tuple[str, ...], wanted: str) -> None:
    with pytest.raises(ValueError, match=rf"class_names is .*{wanted}"):
        Card("a", names, 48, 1)
    assert Card("a", ("zufrieden – äöü", "喜び"), 48, 1).class_names[1] == "喜び"


def test_a_run_of_such_classes_is_refused_too(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    model = EmotionClassifier("deep_emotion", ("unsure", "sad"))
    save_model(model, Preprocessing(48, (0.5,), (0.25,)), folder)
    with pytest.raises(ConfigError, match=r"run cannot be used: class_names is .*other than unsure"):
        network(folder)


@pytest.mark.parametrize(
    ("command", "elsewhere"),
    [
        ("python train.py --config-path=/home/me/conf data.path=/home/me/a.csv", "python train.py data.path=a.csv"),
        ("fer-train 'data.path=[/a/b.csv,{path: x/c}]' lr=1/2", "fer-train 'data.path=[b.csv,{path: x/c}]' lr=1/2"),
        (r"fer-train 'data.path=C:\Users\me\faces' loss=x/y", "fer-train 'data.path=faces' loss=x/y"),
    ],
)
def test_a_card_names_files_and_not_where_they_are(command: str, elsewhere: str) -> None:
    assert without_folders(command) == elsewhere

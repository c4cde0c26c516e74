"""A finished run is measured on all faces of a set that it was not trained on, and on its own sets as it split them."""

import logging
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from fer_lightning.config.data_paths import own_entries, with_own_entries
from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.other_sets import MeasuredRun
from tests.data.faces_files import random_images
from tests.data.test_several_sets import faces_of, pictures

NAMES = ("happy", "sad")


def folder(root: Path, count: int, seed: int, parts: tuple[str, ...] = ("",)) -> Path:
    """Returns a folder of images, as many in each part."""
    images = random_images(count * len(parts), seed)
    pictures(
        root, images, tuple(f"{part}/{NAMES[i % 2]}/{i:03}.png".lstrip("/") for part in parts for i in range(count))
    )
    return root


def trained(*path: Any, **options: Any) -> FERDataModule:
    data = FERDataModule([*path], **options)
    data.setup()
    return data


def plain(entry: Any) -> Any:
    return {**entry, "path": str(entry["path"])} if isinstance(entry, dict) else str(entry)


def measured(
    run: FERDataModule,
    *path: Any,
    given: dict[str, Any] | None = None,
    run_entries: tuple[Any, ...] = (),
    **options: Any,
) -> FERDataModule:
    """Returns the data as test.py has it.

    Args:
        given: data.splits of the command.
        run_entries: data.path of the run's config.
        options: of the run.
    """
    data = FERDataModule([*path], **{**options, **({"splits": given} if given else {})})
    state = run.state_dict()
    data.load_state_dict(state)
    entries = own_entries(OmegaConf.create([*map(plain, run_entries)]))
    data.known_classes, data.measured_run = run.class_names, MeasuredRun(state["source"], given or {}, entries)
    data.setup("test")
    return data


def test_all_of_a_set_without_a_test_part_is_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run, other = trained(folder(tmp_path / "own", 20, 0)), folder(tmp_path / "other", 30, 1)
    with caplog.at_level("INFO"):
        data = measured(run, other)
    assert (len(data.rows["test"]), data.origins["test"]) == (30, "all")
    assert (
        "has no test part, and the network was not trained on it: all of its 30 faces are measured. A part"
        in caplog.text
    )
    assert f"with 'data.path=[{{path: {other}, test_fraction: 0.1}}]'" in caplog.text
    part = measured(run, {"path": other, "test_fraction": 0.1})
    assert (len(part.rows["test"]), part.origins["test"]) == (4, "10% of all")


def test_a_test_part_and_what_is_typed_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = trained(folder(tmp_path / "own", 20, 0))
    parts = folder(tmp_path / "parts", 10, 1, ("train", "val", "test"))
    assert measured(run, parts).origins["test"] == "test"
    assert measured(run, parts, given={"test": "val"}).origins["test"] == "val"
    assert measured(run, parts, given={"train": "val"}).origins["test"] == "test"
    two = folder(tmp_path / "two", 20, 2, ("train", "val"))
    with caplog.at_level("INFO"):
        assert measured(run, two).origins["test"] == "train + val"
    assert "measured, train (20), val (20). A part of them is measured with 'data.splits.test=train'" in caplog.text
    assert measured(run, two, given={"train": "val"}).origins["test"] == "10% of val"
    with pytest.raises(DataError, match=r"data\.splits\.test names holdout"):
        measured(run, two, given={"test": "holdout"})


def test_parts_of_the_run_bind_no_set_without_them(tmp_path: Path) -> None:
    own = folder(tmp_path / "own", 20, 0, ("train", "val"))
    run = trained(own, splits={"test": "val", "train": "train"})
    options: dict[str, Any] = {"splits": {"test": "val", "train": "train"}}
    assert measured(run, own, **options).origins["test"] == "val"
    assert measured(run, folder(tmp_path / "other", 10, 1), **options).origins["test"] == "all"
    assert measured(run, folder(tmp_path / "more", 10, 2, ("train", "val")), **options).origins["test"] == "val"


def files_to_test(data: FERDataModule, place: int | None = None) -> list[str]:
    """Returns the files of the test faces, of one of several sets."""
    faces, rows = faces_of(data), data.rows["test"]
    if place is not None:
        assert faces.sets is not None
        rows = rows[faces.sets[rows] == place]
    return [faces.files[row] for row in rows.tolist()]


def test_own_faces_are_split_as_the_run_has_split_them(tmp_path: Path) -> None:
    """Given again by another name, moved, or as one of several."""
    own, second = folder(tmp_path / "own", 40, 0), folder(tmp_path / "second", 40, 1)
    run = trained(own, second)
    cut = [files_to_test(run, place) for place in (0, 1)]
    (tmp_path / "link").symlink_to(own, target_is_directory=True)
    moved = Path(shutil.copytree(own, tmp_path / "moved"))
    for path in (own, tmp_path / "link", moved):
        again = measured(run, path)
        assert files_to_test(again) == cut[0]
    both = measured(run, folder(tmp_path / "other", 10, 2), second)
    assert files_to_test(both, 1) == cut[1]
    assert len(files_to_test(both, 0)) == 10


def test_training_faces_in_another_set_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = folder(tmp_path / "own", 20, 0)
    run, other = trained(own), folder(tmp_path / "other", 20, 1)
    learnt = faces_of(run).files[int(run.rows["train"][0])]
    shutil.copy(own / learnt, other / "happy" / "copy.png")
    with caplog.at_level("INFO"):
        data = measured(run, other)
    assert len(data.rows["test"]) == 21
    copied = data.rows["test"][data.also_in_train["test"]]
    assert [faces_of(data).files[row] for row in copied.tolist()] == ["happy/copy.png"]
    assert next(line for line in caplog.text.splitlines() if line.startswith("test ")).split()[-1] == "1"
    assert torch.equal(data.rows["test"], torch.arange(21))


def test_a_moved_set_is_known_by_val_too_and_it_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fractions: dict[str, Any] = {"val_fraction": 0.1, "test_fraction": 0.7}
    run = trained(folder(tmp_path / "own", 100, 0), **fractions)
    moved = Path(shutil.copytree(tmp_path / "own", tmp_path / "moved"))
    caplog.set_level(logging.INFO)
    again = measured(run, moved, **fractions)
    assert files_to_test(again) == files_to_test(run)
    assert f"{moved}: taken for a set of the run, which has seen 30 of its 100 faces" in caplog.text


def test_of_several_sets_one_without_the_part_is_measured_whole(tmp_path: Path) -> None:
    run = trained(folder(tmp_path / "own", 40, 0))
    parts = folder(tmp_path / "parts", 10, 1, ("train", "val"))
    both = measured(run, parts, folder(tmp_path / "plain", 20, 2), given={"test": "val"})
    assert {file.split("/")[0] for file in files_to_test(both, 0)} == {"val"}
    assert [len(files_to_test(both, place)) for place in (0, 1)] == [10, 20]


def test_own_sets_keep_what_the_run_says_of_them(tmp_path: Path) -> None:
    own, other = str(tmp_path / "own"), str(tmp_path / "other")
    node = OmegaConf.create([{"path": own, "test_fraction": 0.08}, other])
    (tmp_path / "link").symlink_to(tmp_path / "own", target_is_directory=True)
    link = str(tmp_path / "link")
    assert with_own_entries(node, link, [own, other]) == [{"path": link, "test_fraction": 0.08}]
    for given in (other, OmegaConf.create([other, str(tmp_path)])):
        assert with_own_entries(node, given, [own, other]) == given
    assert with_own_entries(own, own, own) == own


def test_a_set_that_moved_is_split_by_its_own_entry(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "first", 50, 0), folder(tmp_path / "second", 50, 1)
    entries = (first, {"path": second, "test_fraction": 0.3, "val_fraction": 0.2})
    run = trained(*entries)
    moved = [Path(shutil.copytree(path, tmp_path / "moved" / path.name)) for path in (second, first)]
    assert [len(files_to_test(run, place)) for place in (0, 1)] == [4, 16]
    assert files_to_test(measured(run, moved[0], run_entries=entries)) == files_to_test(run, 1)
    assert files_to_test(measured(run, moved[1], run_entries=entries)) == files_to_test(run, 0)
    both = measured(run, *moved, run_entries=entries)
    assert [files_to_test(both, place) for place in (0, 1)] == [files_to_test(run, place) for place in (1, 0)]
    typed = measured(run, {"path": moved[0], "test_fraction": 0.1}, run_entries=entries)
    assert len(files_to_test(typed)) == 4


def test_a_moved_set_keeps_the_parts_of_its_entry(tmp_path: Path) -> None:
    own, other = folder(tmp_path / "own", 20, 0, ("train", "val", "test")), folder(tmp_path / "other", 20, 1)
    entries = ({"path": own, "splits": {"test": "val", "val": "test"}}, {"path": other, "splits": {"test": "all"}})
    run = trained(entries[0])
    moved = Path(shutil.copytree(own, tmp_path / "moved"))
    assert measured(run, moved, run_entries=entries).origins["test"] == "val"


def test_another_set_s_own_test_part_goes_before_the_run_s(tmp_path: Path) -> None:
    options: dict[str, Any] = {"splits": {"test": "val", "train": "train", "val": "test"}}
    run = trained(folder(tmp_path / "own", 20, 0, ("train", "val", "test")), **options)
    other = folder(tmp_path / "other", 10, 1, ("train", "val", "test"))
    assert measured(run, other, **options).origins["test"] == "test"
    assert measured(run, other, given={"test": "val"}, **options).origins["test"] == "val"
    usages = folder(tmp_path / "usages", 10, 2, ("Training", "PublicTest", "PrivateTest"))
    public: dict[str, Any] = {"splits": {"test": "PublicTest"}}
    assert measured(run, usages, **public).origins["test"] == "PrivateTest"


@pytest.mark.parametrize("name", ["it's a [set], 1", "a{b: c}", 'say "x"\\', "José", "${seed}"])
def test_the_hint_works_when_it_is_pasted(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run, other = trained(folder(tmp_path / "own", 20, 0)), folder(tmp_path / name, 30, 1)
    measured(run, other)
    hint = next(line for line in caplog.messages if "is measured with " in line).partition("is measured with ")[2]
    (word,) = shlex.split(hint)
    value = OverridesParser.create().parse_override(word).value()
    (entry,) = OmegaConf.create({"value": value}).value
    assert (entry.path, entry.test_fraction) == (str(other), 0.1)

"""Copies that were planted in sets are found, counted, listed and drawn; nothing else is."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.copies import jpeg
from fer_lightning.data.copies import main
from fer_lightning.data.copy_tables import copies_in
from fer_lightning.data.faces import Faces
from tests.data.test_perceptual_hash import faces as smooth_faces
from tests.scripts import REPOSITORY

PARTS = ("train", "test")
PLACE = ["set", "part", "faces", "in set", "in part"]


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return smooth_faces(count, seed)[:, 0].numpy()


def written(root: Path, pictures: dict[str, NDArray[np.uint8]]) -> Path:
    for name, picture in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / name)
    return root


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Ten faces in train, three in test; a test face is in train, one's mirror image, and one twice in train."""
    known = images(13)
    of_test = {"1": known[0], "2": known[1][:, ::-1], "3": known[12]}
    pictures = {f"train/happy/{place:02}.png": face for place, face in enumerate(known[:9])}
    pictures |= {"train/sad/09.png": known[3]} | {f"test/sad/{name}.png": face for name, face in of_test.items()}
    return written(tmp_path / "faces", pictures)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_planted_copies_are_found_and_nothing_else(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.stat().st_mtime_ns for file in planted.rglob("*.png")}
    main([str(planted), "--out", str(tmp_path / "out")])
    copies = rows(tmp_path / "out" / "copies.csv")
    found = {
        (row["copy"], row["file_1"], row["file_2"], row["label_1"], row["label_2"], row["mirrored"]) for row in copies
    }
    assert found == {
        ("exact", "train/happy/00.png", "test/sad/1.png", "happy", "sad", "False"),
        ("near", "train/happy/01.png", "test/sad/2.png", "happy", "sad", "True"),
        ("exact", "train/happy/03.png", "train/sad/09.png", "happy", "sad", "False"),
    }
    assert {row["set_1"] for row in copies} == {"faces"}
    counts = [tuple(row.values()) for row in rows(tmp_path / "out" / "counts.csv")]
    assert counts == [
        ("faces", "train", "10", "faces", "train", "2", "2", "0", "0"),
        ("faces", "train", "10", "faces", "test", "1", "1", "1", "1"),
        ("faces", "test", "3", "faces", "train", "1", "1", "1", "1"),
    ]
    printed = capsys.readouterr().out
    assert "2 of 13 faces are exact copies of one before them; 2 groups of exact copies have more than one" in printed
    assert "1 pairs of different images are near copies, 1 of them mirrored; 1 have two labels." in printed
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > 1000
    assert {file: file.stat().st_mtime_ns for file in planted.rglob("*.png")} == before


def test_copies_between_sets_are_found(planted: Path, tmp_path: Path) -> None:
    compressed = {f"{place}.png": jpeg(50)(face) for place, face in enumerate(images(13)[4:7])}
    named = {f"happiness/{name}": face for name, face in compressed.items()}
    other = written(tmp_path / "other", named | {"anger/0.png": images(1, 5)[0], "anger/1.png": images(13)[7]})
    main([str(planted), str(other), "--out", str(tmp_path / "out")])
    table = pd.read_csv(tmp_path / "out" / "counts.csv")
    counts = {tuple(row[: len(PLACE)]): row[len(PLACE) :] for row in table.to_numpy().tolist()}
    assert counts["faces", "train", 10, "other", "all"] == [1, 1, 3, 0]
    assert counts["other", "all", 5, "faces", "train"] == [1, 1, 3, 0]
    assert ("other", "all", 5, "other", "all") not in counts


def test_sets_without_copies_have_a_table_and_no_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "faces", {f"happy/{place}.png": face for place, face in enumerate(images(5))})
    main([str(folder), "--out", str(tmp_path / "out")])
    assert "0 of 5 faces are exact copies" in capsys.readouterr().out
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["copies.csv", "counts.csv"]


def table(seed: int, count: int, distinct: int) -> Faces:
    rng = np.random.default_rng(seed)
    pictures = smooth_faces(distinct, 1).repeat(2, 1, 1, 1)
    pictures[distinct:] = pictures[distinct:].flip(3)  # each has a near copy
    return Faces(
        images=pictures[torch.from_numpy(rng.integers(0, 2 * distinct, count))],
        labels=torch.from_numpy(rng.integers(0, 3, count)),
        parts=torch.from_numpy(rng.integers(0, 2, count).astype(np.uint8)),
        numbers=torch.arange(1, count + 1),
        part_names=PARTS,
    )


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_loop_over_all_faces(seed: int) -> None:
    sets = {"a": table(seed, 30, 12), "b": table(seed + 100, 20, 12)}
    faces = [
        (name, PARTS[part], label, image.numpy().tobytes(), image.flip(2).numpy().tobytes())
        for name, one in sets.items()
        for image, part, label in zip(one.images, one.parts.tolist(), one.labels.tolist(), strict=True)  # type: ignore[call-overload]
    ]
    copies = copies_in(sets)
    expected = {}
    for place in {face[:2] for face in faces}:
        for other in {face[:2] for face in faces}:
            counts = [0, 0, 0, 0]
            for i, face in enumerate(faces):
                others = [one for j, one in enumerate(faces) if i != j and one[:2] == other and face[:2] == place]
                for column, key in ((0, 3), (2, 4)):
                    labels = {one[2] for one in others if one[key] == face[3]}
                    counts[column] += bool(labels)
                    counts[column + 1] += bool(labels - {face[2]})
            if any(counts):
                expected[(*place, *other)] = counts
    found = copies.counts.set_index(["set", "part", "in set", "in part"])
    assert {key: row[1:] for key, row in zip(found.index, found.to_numpy().tolist(), strict=True)} == expected
    distinct = {face[3] for face in faces}
    assert copies.redundant == len(faces) - len(distinct)
    assert copies.of_two_labels == sum(len({one[2] for one in faces if one[3] == image}) > 1 for image in distinct)


def test_equal_and_flat_faces_are_listed_once_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count, flat = 300, 40
    face = images(1)[0]
    pictures = {f"train/happy/{place:03}.png": face for place in range(count)}
    pictures |= {f"test/sad/{shade:03}.png": np.full((48, 48), shade, np.uint8) for shade in range(flat)}
    main([str(written(tmp_path / "faces", pictures)), "--out", str(tmp_path / "out")])
    listed = rows(tmp_path / "out" / "copies.csv")
    assert len(listed) == count - 1
    assert {(row["copy"], row["file_1"]) for row in listed} == {("exact", "train/happy/000.png")}
    printed = capsys.readouterr().out
    assert f"{count - 1} of {count + flat} faces are exact copies" in printed
    assert "0 pairs of different images are near copies" in printed
    assert f"{flat} faces are without structure, as of one shade: near copies are not looked for" in printed


def test_numbers_for_classes_are_named_for_each_set(planted: Path, tmp_path: Path) -> None:
    numbered = written(tmp_path / "numbered", {"1/a.png": images(1)[0], "7/b.png": images(2, 9)[1]})
    named, own = [str(planted), str(numbered)], ["--numbering", "own"]
    out = ["--out", str(tmp_path / "out")]
    asked = r"(?s)error: .*numbered: its classes are numbers.* with --numbering ….* as in --numbering neutral,happy,…\."
    with pytest.raises(SystemExit, match=asked):
        main([*named, *out])
    main([*named, *own, "--numbering", "rafdb", *out])
    copies = rows(tmp_path / "out" / "copies.csv")
    assert [row["label_2"] for row in copies if row["set_2"] == "numbered"] == ["surprise"]
    main([*named, *own, "--numbering", "happy,x,sad,angry,fear,disgust,neutral", "--out", str(tmp_path / "more")])
    copies = rows(tmp_path / "more" / "copies.csv")
    assert [row["label_2"] for row in copies if row["set_2"] == "numbered"] == ["happy"]


def test_names_that_the_font_lacks_are_numbers_on_the_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    face = images(1)[0]
    pictures = {f"{label}/{place}.png": face for label in ("happy", "怒り") for place in range(2)}
    # matplotlib warns of a letter that it cannot draw, and a warning is an error here.
    main([str(written(tmp_path / "顔", pictures)), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert "\nIn the pictures, class 2 is 怒り.\n" in printed
    assert "\nIn the pictures, set 1 is 顔.\n" in printed
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.width > 1000


def test_mistakes_are_one_message_and_leave_nothing(planted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    full = tmp_path / "full"
    full.mkdir()
    (tmp_path / "link").symlink_to(planted, target_is_directory=True)
    (full / "mine.txt").write_text("mine")
    for words, why in (
        ([str(tmp_path / "gone")], "gone: there is no such file"),
        ([str(planted), f"{planted}/../faces"], "is given twice"),
        ([str(planted), "--out", str(planted / "out")], "nothing is written into a set"),
        ([str(planted), "--out", str(tmp_path / "link" / "out")], "nothing is written into a set"),
        ([str(planted), "--out", str(full)], "nothing is overwritten"),
        ([str(planted), "--numbering", "own", "--numbering", "own"], "--numbering is given 2 times for 1 sets"),
        ([str(planted), "--numbering", "mine"], "numbering is 'mine'"),
    ):
        with pytest.raises(SystemExit, match=f"^error: .*{why}"):
            main([*words, *(() if "--out" in words else ("--out", str(out)))])
    assert not out.exists()
    assert [file.name for file in full.iterdir()] == ["mine.txt"]
    assert not (planted / "out").exists()


def test_the_command_is_typed_as_it_is_documented(planted: Path, tmp_path: Path) -> None:
    def typed(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "fer_lightning.data.copies", *words]
        environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "", "FER_LIGHTNING_CACHE": str(tmp_path / "cache")}
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)

    done = typed(str(planted))
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "copies").iterdir()
    assert done.stdout.splitlines()[-1] == f"copies.csv, counts.csv, sheet.png: {folder}"
    with pytest.raises(SystemExit, match=r"^2$"):
        main([str(planted), "--bits", "70"])

"""FER+'s votes become the labels that FERPlus's own code makes of them, or are refused by row."""

from pathlib import Path

import numpy as np
import pytest

from fer_lightning.data import DataError, FERDataModule
from fer_lightning.data.faces import FERPLUS_EMOTIONS
from fer_lightning.data.readers.ferplus import Rule, VotesOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.write_images import export
from tests.data.faces_files import (
    FLAT,
    all_images,
    assert_same_faces,
    csv_bytes,
    messages,
    pixel_text,
    random_images,
    votes_csv,
    write_image,
)

# The first three, the fifth and the sixth are rows of the real file. Worked out by hand from FERPlus's ferplus.py.
# Columns: neutral happiness surprise sadness anger disgust fear contempt unknown NF.
EXAMPLES: list[tuple[str, str | None, dict[str, float] | None]] = [
    ("4 0 0 1 3 2 0 0 0 0", None, {"neutral": 4 / 7, "angry": 3 / 7}),  # 4 of 9 is no majority; 7 of 9 are over 3/4
    ("6 0 1 1 0 0 0 0 2 0", "neutral", {"neutral": 1.0}),  # single votes do not count: 6 of 8 are 3/4
    ("5 0 0 3 1 0 0 0 1 0", "neutral", {"neutral": 5 / 8, "sad": 3 / 8}),
    ("4 0 0 4 1 0 0 0 1 0", None, {"neutral": 0.5, "sad": 0.5}),
    ("0 10 0 0 0 0 0 0 0 0", "happy", {"happy": 1.0}),
    ("0 0 6 0 0 0 4 0 0 0", "surprise", {"surprise": 0.6, "fear": 0.4}),
    ("0 0 0 0 0 0 0 7 0 3", "contempt", {"contempt": 1.0}),  # NF is next and ends it
    ("6 0 2 0 0 0 0 0 2 0", "neutral", {"neutral": 6 / 8, "surprise": 2 / 8}),  # surprise is as high as unknown
    ("3 0 3 0 0 0 0 0 3 1", None, {"neutral": 0.5, "surprise": 0.5}),
    ("5 0 0 0 0 0 0 0 5 0", None, None),  # half is not more than half
    ("2 2 2 2 0 0 1 1 0 0", None, None),  # four emotions are too many
    ("1 1 1 1 1 1 1 1 1 1", None, None),
    ("0 2 0 0 0 0 0 0 8 0", None, None),
    ("2 0 0 0 0 0 0 0 0 8", None, None),
    ("0 0 4 0 0 0 0 0 5 1", None, None),
]
NO_FACE = ("Training", "", "0 0 0 0 0 0 0 0 0 10")
NAMED = [("Training", f"fer{row:07}.png", votes) for row, (votes, _, _) in enumerate(EXAMPLES)]


def write_both(folder: Path, votes: list[tuple[str, str, str]]) -> Path:
    """fer2013.csv with as many rows as there are votes, and fer2013new.csv beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    images = random_images(len(votes))
    rows = [f"0,{pixel_text(image)},{usage}" for image, (usage, _, _) in zip(images, votes, strict=True)]
    (folder / "fer2013.csv").write_bytes(csv_bytes("emotion,pixels,Usage", rows))
    (folder / "fer2013new.csv").write_bytes(votes_csv(votes))
    return folder / "fer2013.csv"


def test_majority_keeps_the_rows_in_which_more_than_half_agree(tmp_path: Path) -> None:
    faces = read_faces(write_both(tmp_path, NAMED), votes=VotesOptions())
    kept = [row for row, (_, emotion, _) in enumerate(EXAMPLES) if emotion]
    assert [FERPLUS_EMOTIONS[label] for label in faces.labels] == [EXAMPLES[row][1] for row in kept]
    assert np.array_equal(faces.images[:, 0].numpy(), random_images(len(EXAMPLES))[kept])
    assert faces.class_names == FERPLUS_EMOTIONS
    assert faces.numbers.tolist() == [row + 1 for row in kept]
    assert faces.soft_labels is None


def test_probability_shares_the_label_among_strong_emotions(tmp_path: Path) -> None:
    faces = read_faces(write_both(tmp_path, NAMED), votes=VotesOptions(rule="probability"))
    shares = [share for _, _, share in EXAMPLES if share]
    expected = np.array([[share.get(name, 0) for name in FERPLUS_EMOTIONS] for share in shares], np.float32)
    assert faces.soft_labels is not None
    np.testing.assert_allclose(faces.soft_labels.numpy(), expected, rtol=1e-6)
    assert faces.labels.tolist() == expected.argmax(1).tolist()


def test_what_is_measured_on_is_by_majority_under_either_rule(tmp_path: Path) -> None:
    votes = [(usage, name, votes) for usage in ("PublicTest", "PrivateTest") for _, name, votes in NAMED]
    path = write_both(tmp_path, votes)
    majority, probability = (read_faces(path, votes=VotesOptions(rule=rule)) for rule in ("majority", "probability"))
    assert majority.labels.tolist() == probability.labels.tolist()
    assert all_images(majority).tolist() == all_images(probability).tolist()


def test_the_log_says_how_many_rows_were_dropped_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_both(tmp_path, [*NAMED, NO_FACE, ("PublicTest", "fer0000016.png", "9 0 0 0 0 0 0 0 0 0")])
    _, log = messages(caplog, path, votes=VotesOptions())
    assert (
        "FER+ Training, rule majority: 6 of 16 rows kept; dropped: 1 without a face, 3 with most votes for unknown or "
        "NF, 6 without enough agreement"
    ) in log
    assert "FER+ PublicTest, rule majority: 1 of 1 rows kept; dropped: 0 without a face" in log
    assert "PrivateTest" not in log
    _, log = messages(caplog, path, votes=VotesOptions(rule="probability"))
    assert "FER+ Training, rule probability: 9 of 16 rows kept; dropped: 1 without a face, 3 with" in log


def test_votes_are_found_next_to_the_pixels_or_where_named(tmp_path: Path) -> None:
    path = write_both(tmp_path / "around" / "fer2013", NAMED)
    expected = read_faces(path, votes=VotesOptions())
    assert_same_faces(read_faces(tmp_path / "around", votes=VotesOptions()), expected)
    (path.parent / "fer2013new.csv").rename(tmp_path / "around" / "fer2013new.csv")
    assert_same_faces(read_faces(tmp_path / "around", votes=VotesOptions()), expected)
    (tmp_path / "around" / "fer2013new.csv").rename(tmp_path / "votes.csv")
    assert_same_faces(read_faces(path, votes=VotesOptions(path=tmp_path / "votes.csv")), expected)
    with pytest.raises(DataError, match=r"no fer2013new\.csv in .*fer2013\. .*github\.com/microsoft/FERPlus: put"):
        read_faces(path, votes=VotesOptions())
    with pytest.raises(DataError, match=r"data\.votes\.path: there is no file .*none\.csv\. .*microsoft/FERPlus"):
        read_faces(path, votes=VotesOptions(path=tmp_path / "none.csv"))


def test_exported_pixels_take_votes_and_exported_labels_none(tmp_path: Path) -> None:
    path = write_both(tmp_path, NAMED)
    votes = tmp_path / "fer2013new.csv"
    expected = read_faces(path, votes=VotesOptions(rule="probability"))
    export(path, tmp_path / "pixels")
    assert_same_faces(read_faces(tmp_path / "pixels", votes=VotesOptions(votes, "probability")), expected)
    export(path, tmp_path / "labelled", votes=VotesOptions(votes, "probability"))
    assert_same_faces(read_faces(tmp_path / "labelled", votes=VotesOptions(rule="probability")), expected)
    with pytest.raises(
        DataError, match=r"labelled: has FER\+ labels of its own, by probability; .*rule=majority would"
    ):
        read_faces(tmp_path / "labelled", votes=VotesOptions())
    with pytest.raises(DataError, match=r"labelled: has FER\+ labels of its own, by probability; data\.votes\.path=/"):
        read_faces(tmp_path / "labelled", votes=VotesOptions(votes, "probability"))


LINES = votes_csv(NAMED).decode().splitlines()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (LINES[:-1], r"new\.csv: 14 rows of votes, expected 15, as .*fer2013\.csv has faces: one row each"),
        ([*LINES, LINES[-1]], r"new\.csv: more rows of votes, expected 15"),
        (LINES[:1], "holds no row of votes"),
        ([], r"no column 'Usage': found '', expected Usage,Image name,neutral"),
        ([LINES[0].replace(",contempt", ",scorn"), *LINES[1:]], r"no column 'contempt': found .*microsoft/FERPlus"),
        (
            [*LINES[:3], LINES[3].replace("Training", "PublicTest"), *LINES[4:]],
            r"row 3: found the Usage 'PublicTest'",
        ),
        ([*LINES[:2], LINES[2].replace(",6,", ",-6,"), *LINES[3:]], r"row 2 \(line 3\), column neutral: found '-6'"),
        (
            [*LINES[:2], LINES[2].replace(",6,", ",6.5,"), *LINES[3:]],
            r"column neutral: found '6\.5', expected a",
        ),
        ([*LINES[:2], LINES[2].replace(",6,", ",,"), *LINES[3:]], r"column neutral: found ''"),
        ([*LINES[:2], LINES[2] + ",0", *LINES[3:]], r"row 2 \(line 3\): found 13 fields, expected 12"),
        ([*LINES[:2], LINES[2].replace("fer", "f\xe9r"), *LINES[3:]], r"new\.csv: is not UTF-8 text .*0xe9"),
    ],
)
def test_votes_that_are_not_those_of_these_faces_are_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write_both(tmp_path, NAMED)
    (tmp_path / "fer2013new.csv").write_bytes("\n".join(lines).encode("latin-1"))
    with pytest.raises(DataError, match=message):
        read_faces(path, votes=VotesOptions())


def test_columns_are_found_by_name_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    path = write_both(tmp_path, NAMED)
    expected = read_faces(path, votes=VotesOptions())
    turned = [",".join(reversed(line.split(","))) for line in LINES]
    (tmp_path / "fer2013new.csv").write_text("\ufeff" + "\n\n".join(turned) + "\n", "utf-8")
    assert_same_faces(read_faces(path, votes=VotesOptions()), expected)


def test_dropped_rows_leave_nothing_that_votes_could_match(tmp_path: Path) -> None:
    path = write_both(tmp_path, NAMED)
    path.write_bytes(path.read_bytes().replace(b"\n0,", b"\nx,", 1))
    with pytest.raises(DataError, match=r"data\.on_bad_rows=drop left out 1 rows, so the rows of FER\+'s votes no"):
        read_faces(path, on_bad_rows="drop", votes=VotesOptions())


def test_sources_whose_rows_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    write_both(tmp_path, NAMED)
    votes = VotesOptions(tmp_path / "fer2013new.csv")
    for row, image in enumerate(random_images(len(NAMED))):
        write_image(tmp_path / "images" / "Training" / "happy" / f"{row:02}.png", image)
    with pytest.raises(DataError, match=r"images: these images are in no order .* no labels\.csv\. Give fer2013\.csv"):
        read_faces(tmp_path / "images", votes=votes)
    (tmp_path / "train.csv").write_bytes(csv_bytes("emotion,pixels", [f"3,{FLAT}"] * len(NAMED)))
    with pytest.raises(DataError, match=r"train\.csv: found the parts all, expected FER2013's Usage"):
        read_faces(tmp_path / "train.csv", votes=votes)


def test_another_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="rule is 'plurality': it should be 'majority' or 'probability'"):
        VotesOptions(rule="plurality")  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["majority", "probability"])
def test_only_training_batches_by_probability_have_soft_labels(tmp_path: Path, rule: Rule) -> None:
    votes = [(usage, name, votes) for usage in ("Training", "PublicTest", "PrivateTest") for _, name, votes in NAMED]
    datamodule = FERDataModule(write_both(tmp_path, votes), votes=VotesOptions(rule=rule))
    with_counts = {"majority": [3, 1, 1, 0, 0, 0, 0, 1], "probability": [6, 1, 1, 0, 0, 0, 0, 1]}
    datamodule.setup()
    images, labels = next(iter(datamodule.train_dataloader()))
    if rule == "probability":
        assert (str(labels.dtype), tuple(labels.shape)) == ("torch.float32", (len(images), 8))
        assert labels.sum(1).tolist() == pytest.approx([1] * len(images))
    else:
        assert (str(labels.dtype), tuple(labels.shape)) == ("torch.int64", (len(images),))
    assert datamodule.class_counts.tolist() == with_counts[rule]
    for loader in (datamodule.val_dataloader(), datamodule.test_dataloader()):
        assert next(iter(loader))[1].tolist() == [0, 0, 1, 2, 7, 0]


def test_all_of_it_disagreeing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"FER\+'s votes agree on none of the 2 faces"):
        read_faces(write_both(tmp_path, [NAMED[-1], NO_FACE]), votes=VotesOptions())

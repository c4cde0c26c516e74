"""A small source in every form of docs/data.md, of drawn noise, with the truth about its faces."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.write_images import export
from tests.data.drawn_sets import AFFECTNET, EMOTIONS, FERPLUS, SETS, Truth, csv_text, draw, draw_all, write
from tests.data.faces_files import csv_bytes, pixel_text, random_images, votes_csv

ROWS = 48
USAGES = ("Training", "Training", "PublicTest", "PrivateTest")
PARTS = dict(zip(USAGES[1:], ("train", "val", "test"), strict=True))
WORDS = ("bored", "engaged", "not sure")


class Drawn(NamedTuple):
    """A source that was drawn."""

    path: Path  # that data.path names
    truths: list[Truth]  # of what has no files, each one's is the row
    options: Mapping[str, Any] = {}  # of FERDataModule, without which it is not read


def rows_of(header: str, classes: tuple[str, ...] = EMOTIONS, words: bool = False) -> tuple[bytes, list[Truth]]:
    """Returns a CSV of pixels with these columns in this order."""
    truths, lines = [], []
    for number, image in enumerate(random_images(ROWS, seed=5)):
        label, usage = number // 4 % len(classes), USAGES[number % 4]
        fields = {"emotion": classes[label] if words else str(label), "pixels": pixel_text(image), "Usage": usage}
        fields["label"] = fields["emotion"]
        lines.append(",".join(fields[name.strip()] for name in header.split(",")))
        truths.append(Truth(str(number + 1), usage if "Usage" in header else "all", classes[label]))
    return csv_bytes(header, lines), truths


def pixels(root: Path, name: str, header: str = "emotion,pixels,Usage", **how: Any) -> Drawn:
    root.mkdir(parents=True, exist_ok=True)
    content, truths = rows_of(header, **how)
    if name.endswith(".tgz"):
        with tarfile.open(root / name, "w:gz") as tar:
            member = tarfile.TarInfo("fer2013/fer2013.csv")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    else:
        (root / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return Drawn(root / name, truths)


def ferplus(root: Path) -> Drawn:
    """The emotion of each vote is another than the CSV's."""
    drawn = pixels(root, "fer2013.csv")
    votes, truths = [], []
    for number, truth in enumerate(drawn.truths):
        place = number // 4 % 8
        votes.append((truth.part, "face.png", " ".join("10" if vote == place else "0" for vote in range(10))))
        truths.append(truth._replace(emotion=FERPLUS[place]))
    (root / "fer2013new.csv").write_bytes(votes_csv(votes))
    return Drawn(drawn.path, truths, {"votes": VotesOptions()})


def numbered_folders(root: Path) -> Drawn:
    truths = [
        Truth(f"{part}/{n}/{i}.jpg", part, AFFECTNET[n]) for part in ("train", "val") for n in range(8) for i in "1234"
    ]
    return Drawn(root, draw_all(root, truths), {"numbering": "affectnet"})


def folders(root: Path) -> Drawn:
    truths = [Truth(f"{word}/{i}.bmp", "all", word) for word in WORDS for i in range(12)]
    return Drawn(root, draw_all(root, truths))


def listed(root: Path) -> list[Truth]:
    """Draws the images of a table, each person's in one part."""
    truths = []
    for number in range(ROWS):
        part = PARTS[USAGES[number % 4]]
        truths.append(Truth(f"pictures/{number:02}.webp", part, WORDS[number // 4 % 3], f"{part} {number // 12}"))
    return draw_all(root, truths)


def table(root: Path) -> Drawn:
    truths = listed(root)
    rows = [[truth.file, truth.emotion, truth.part, truth.person] for truth in truths]
    write(root / "faces.csv", csv_text([["image", "label", "split", "person"], *rows]))
    return Drawn(root, truths)


def tables_of_parts(root: Path) -> Drawn:
    truths = [truth._replace(person="") for truth in listed(root)]
    for part in PARTS.values():
        rows = [[truth.file, truth.emotion] for truth in truths if truth.part == part]
        write(root / f"{part}.csv", csv_text([["path", "emotion"], *rows]))
    return Drawn(root, truths)


def parquet(root: Path) -> Drawn:
    """With the names of the labels in the schema."""
    truths = []
    for part in PARTS.values():
        images, labels = [], []
        name = f"{part}-00000-of-00001.parquet"
        for number, truth in enumerate((one for one in listed(root / "drawn") if one.part == part), start=1):
            content = (root / "drawn" / truth.file).read_bytes()
            images.append({"bytes": content, "path": truth.file})
            labels.append(WORDS.index(truth.emotion))
            truths.append(Truth(f"{name}/{number}", part, truth.emotion))
        features = {"image": {"_type": "Image"}, "label": {"names": [*WORDS], "_type": "ClassLabel"}}
        schema = {"huggingface": json.dumps({"info": {"features": features}})}
        (root / "hub").mkdir(exist_ok=True)
        pq.write_table(
            pa.table({"image": images, "label": labels}).replace_schema_metadata(schema), root / "hub" / name
        )
    return Drawn(root / "hub", truths)


def webdataset(root: Path) -> Drawn:
    truths = []
    with tarfile.open(_made(root / "tars") / "train-000000.tar", "w") as tar:
        for number in range(ROWS):
            draw(root / "drawn" / f"{number:06}.jpg")
            content = (root / "drawn" / f"{number:06}.jpg").read_bytes()
            fields = {"label": WORDS[number // 4 % 3], "split": PARTS[USAGES[number % 4]]}
            for ending, piece in (("jpg", content), ("json", json.dumps(fields).encode())):
                member = tarfile.TarInfo(f"{number:06}.{ending}")
                member.size = len(piece)
                tar.addfile(member, io.BytesIO(piece))
            truths.append(Truth(f"train-000000.tar/{number:06}.jpg", fields["split"], fields["label"]))
    return Drawn(root / "tars", truths)


def exported(root: Path) -> Drawn:
    drawn = table(root / "set")
    export(drawn.path, root / "images")
    truths = [
        truth._replace(file=f"{truth.part}/{truth.emotion}/{row:02}.png") for row, truth in enumerate(drawn.truths, 1)
    ]
    return Drawn(root / "images", truths)


def _known_set(root: Path, form: str) -> Drawn:
    return Drawn(root, SETS[form](root))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


FORMS: Mapping[str, Callable[[Path], Drawn]] = {
    "fer2013.csv": partial(pixels, name="fer2013.csv"),
    "icml_face_data.csv": partial(pixels, name="icml_face_data.csv", header="emotion, Usage, pixels"),
    "train.csv": partial(pixels, name="train.csv", header="emotion,pixels"),
    "fer2013.csv.gz": partial(pixels, name="fer2013.csv.gz"),
    "data.tgz": partial(pixels, name="data.tgz"),
    "ckextended.csv": partial(pixels, name="ckextended.csv", classes=(*EMOTIONS, "contempt")),
    "pixels with words": partial(pixels, name="faces.csv", header="label,pixels,Usage", classes=WORDS, words=True),
    "FER+, votes": ferplus,
    "folders of classes": folders,
    "AffectNet, numbered folders": numbered_folders,
    "table": table,
    "tables of parts": tables_of_parts,
    "parquet": parquet,
    "webdataset": webdataset,
    "labels.csv": exported,
    **{form: partial(_known_set, form=form) for form in SETS},
}
"""What draws a source, by a name for its form."""

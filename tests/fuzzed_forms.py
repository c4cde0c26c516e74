"""The forms of files that are mutated, and what must hold of each, whatever was changed in it."""

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from fer_lightning.data.readers.ferplus import VotesOptions
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.data.write_images import export
from fer_lightning.errors import DataError
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.weights import InitialWeights, load_initial_weights
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.training.models import load_model
from tests.data.faces_files import USAGES, all_images, votes_csv
from tests.fuzz import mutated
from tests.plain_reading import CSV, IMAGES, ROWS, assert_rows_of_csv, read, rows_of


def archive(name: str) -> bytes:
    file = io.BytesIO()
    if name.endswith("zip"):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("fer2013/README", "about")
            zipped.writestr("fer2013/fer2013.csv", CSV)
    else:
        with tarfile.open(fileobj=file, mode="w:gz" if name.endswith("tgz") else "w") as tar:
            for member, content in (("fer2013/README", b"about"), ("fer2013/fer2013.csv", CSV)):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def packed(name: str, make: Callable[[], bytes]) -> Callable[[Path, int], None]:
    """Its checksums let through only what unpacks to the very same."""

    def check(folder: Path, case: int) -> None:
        (folder / name).write_bytes(mutated(make(), name, case))
        assert read(folder / name) in (None, ROWS)

    return check


def plain_csv(folder: Path, case: int) -> None:
    content = mutated(CSV, "csv", case)
    (folder / "fer2013.csv").write_bytes(content)
    assert_rows_of_csv(content, read(folder / "fer2013.csv"))


def plain_tar(folder: Path, case: int) -> None:
    """Only its headers have checksums: what was in the member is checked as far as it is still there."""
    content = mutated(archive("tar"), "tar", case)
    (folder / "data.tar").write_bytes(content)
    for label, usage, _ in (read(folder / "data.tar") or {}).values():
        assert label in range(7)
        assert usage in (*USAGES, "all")


def images(suffix: str) -> Callable[[Path, int], None]:
    def check(folder: Path, case: int) -> None:
        file = io.BytesIO()
        Image.fromarray(IMAGES[0]).save(file, {"png": "PNG", "jpg": "JPEG"}[suffix])
        (folder / "happy").mkdir()
        (folder / "happy" / f"1.{suffix}").write_bytes(mutated(file.getvalue(), suffix, case))
        found = read(folder)
        assert found is None or suffix == "jpg" or found == {1: (0, "all", IMAGES[0].tobytes())}  # jpg: no checksums
        assert found is None or [row[:2] for row in found.values()] == [(0, "all")]

    return check


def votes(folder: Path, case: int) -> None:
    (folder / "fer2013.csv").write_bytes(CSV)
    content = votes_csv([(USAGES[n], "fer.png", "10 0 0 0 0 0 0 0 0 0") for n in range(3)])
    (folder / "fer2013new.csv").write_bytes(mutated(content, "votes", case))
    try:
        faces = read_faces(folder, votes=VotesOptions())
    except DataError:
        return
    for number, (label, usage, pixels) in rows_of(faces).items():
        assert (usage, pixels) == ROWS[number][1:]
        assert label in range(8)


def labels(saved: Callable[[bytes], bytes]) -> Callable[[Path, int], None]:
    """The table of exported images, perhaps as a spreadsheet saves it."""

    def check(folder: Path, case: int) -> None:
        (folder / "fer2013.csv").write_bytes(CSV)
        export(folder / "fer2013.csv", folder / "images")
        file = folder / "images" / "labels.csv"
        file.write_bytes(mutated(saved(file.read_bytes()), "labels", case))
        for label, _, pixels in (read(folder / "images") or {}).values():
            assert label in range(8)
            assert pixels in {pixels for _, _, pixels in ROWS.values()}

    return check


def png(image: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(IMAGES[image]).save(file, "PNG")
    return file.getvalue()


def image_table(folder: Path, case: int) -> None:
    """Somebody's table of images: whatever it says, a face has the pixels of one of its images."""
    for image in range(3):
        (folder / f"{image}.png").write_bytes(png(image))
    content = b"image,label,split,person\n0.png,happy,train,ann\n1.png,bored,val,bo\n2.png,sad,test,ann\n"
    (folder / "faces.csv").write_bytes(mutated(content, "image table", case))
    for path in (folder / "faces.csv", folder):
        for _, _, pixels in (read(path) or {}).values():
            assert pixels in {image.tobytes() for image in IMAGES}


def webdataset(folder: Path, case: int) -> None:
    """The same of a tar of images and classes; what is in its images has checksums."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for image in range(3):
            for name, content in ((f"{image}.png", png(image)), (f"{image}.json", b'{"label": "happy"}')):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    (folder / "train-000000.tar").write_bytes(mutated(file.getvalue(), "webdataset", case))
    for _, _, pixels in (read(folder) or {}).values():
        assert pixels in {image.tobytes() for image in IMAGES}


def cache(folder: Path, case: int) -> None:
    """What it holds comes from the source, whatever became of it."""
    (folder / "fer2013.csv").write_bytes(CSV)
    read(folder)
    file = folder / ".fer_lightning" / "fer2013.csv.safetensors"
    file.write_bytes(mutated(file.read_bytes(), "cache", case))
    assert read(folder) == ROWS


def encoded_cache(folder: Path, case: int) -> None:
    """Its table holds or is made again; an image that was changed is found when it is decoded."""
    for number, image in enumerate(IMAGES):
        (folder / "happy").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / "happy" / f"{number}.{('png', 'jpg', 'bmp')[number]}")
    kept = PixelOptions(keep="encoded")
    expected = all_images(read_faces(folder, pixels=kept))
    file = folder / ".fer_lightning" / f"{folder.name}.encoded"
    file.write_bytes(mutated(file.read_bytes(), "encoded cache", case))
    faces = read_faces(folder, pixels=kept)
    assert faces.labels.tolist() == [0, 0, 0]
    for row, name in enumerate(faces.files):
        try:
            same = torch.equal(faces.images[row], expected[row])
        except DataError as error:
            same = f"the image {name} in it cannot be read" in str(error)
        assert same, name


CHECKPOINT = io.BytesIO()


MODEL = EmotionClassifier("deep_emotion")


def checkpoint_bytes() -> bytes:
    """Of a network, as train.py keeps it, without its optimizer's state."""
    if not CHECKPOINT.getvalue():
        data: dict[str, Any] = {
            "source": "x",
            "votes": None,
            "mean": (0.5,),
            "std": (0.25,),
            "image_size": 48,
            "size": 48,
            "fit": "crop",
            "labelled": {},
        }
        content = {
            "FERDataModule": {**data, **dict.fromkeys(("trained_on", "chosen_on"), torch.zeros(3, dtype=torch.int64))},
            "format_version": 2,
            "hyper_parameters": dict(MODEL.hparams),
            "state_dict": MODEL.state_dict(),
        }
        torch.save(content, CHECKPOINT)
    return CHECKPOINT.getvalue()


def checkpoint(folder: Path, case: int) -> None:
    (folder / "best.ckpt").write_bytes(mutated(checkpoint_bytes(), "checkpoint", case))
    try:
        loaded = load_model(folder / "best.ckpt")
    except ValueError:
        return
    for name, value in MODEL.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def pickle_of_checkpoint(folder: Path, case: int) -> None:
    """Changed by somebody who gets the checksums right: a network or a refusal."""
    with zipfile.ZipFile(io.BytesIO(checkpoint_bytes())) as old, zipfile.ZipFile(folder / "best.ckpt", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, mutated(content, "pickle", case) if name.endswith("data.pkl") else content)
    try:
        loaded = load_model(folder / "best.ckpt")
    except ValueError:
        return
    assert {name: value.shape for name, value in loaded.state_dict().items()} == {
        name: value.shape for name, value in MODEL.state_dict().items()
    }


def weights(suffix: str) -> Callable[[Path, int], None]:
    def check(folder: Path, case: int) -> None:
        path = folder / f"model.{suffix}"
        state = {name: value.contiguous() for name, value in MODEL.net.state_dict().items()}
        save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
        path.write_bytes(mutated(path.read_bytes(), suffix, case))
        net = DeepEmotion()
        try:
            load_initial_weights(net, "deep_emotion", InitialWeights(weights_path=str(path)))
        except ValueError:
            return
        if suffix == "pth":  # safetensors has no checksum
            assert all(torch.equal(net.state_dict()[name], value) for name, value in state.items())

    return check


FORMS: dict[str, Callable[[Path, int], None]] = {
    "csv": plain_csv,
    "gz": packed("fer2013.csv.gz", lambda: gzip.compress(CSV, mtime=0)),
    "xz": packed("fer2013.csv.xz", lambda: lzma.compress(CSV)),
    "zip": packed("fer2013.zip", lambda: archive("zip")),
    "tgz": packed("fer2013.tgz", lambda: archive("tgz")),
    "tar": plain_tar,
    "png": images("png"),
    "jpg": images("jpg"),
    "votes": votes,
    "labels": labels(lambda table: table),
    "labels of a spreadsheet": labels(
        lambda table: b"\xef\xbb\xbf" + table.replace(b",", b";").replace(b"\n", b"\r\n")
    ),
    "labels of pandas": labels(lambda table: b"," + table.replace(b"\n", b"\n1,", 3)),
    "image table": image_table,
    "webdataset": webdataset,
    "cache": cache,
    "encoded cache": encoded_cache,
    "checkpoint": checkpoint,
    "pickle of a checkpoint": pickle_of_checkpoint,
    "pth": weights("pth"),
    "safetensors": weights("safetensors"),
}

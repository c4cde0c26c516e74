"""The pixels that predicting has of a file give the very face that the data module makes of that file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer_lightning.data.face_pixels import face_in
from fer_lightning.data.readers.pixel_options import PixelOptions
from fer_lightning.data.readers.source import read_faces
from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.image_file import opened_image
from fer_lightning.transforms.pixel_format import Channels, Fit, PixelFormat
from fer_lightning.use.faces import Frame
from fer_lightning.use.sources import frames
from tests.data.faces_files import all_images, written_pictures


def files_of_further_modes(folder: Path) -> list[Path]:
    """Files in the modes that written_pictures has not."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (61, 90, 3), dtype=np.uint8))
    grey, clear = colour.convert("L"), colour.copy()
    clear.putalpha(grey)
    palette = colour.convert("P", palette=Image.Palette.ADAPTIVE)
    sixteen = Image.fromarray(rng.integers(0, 65536, (61, 90), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 5
    moving = {"save_all": True, "append_images": [colour.rotate(180)], "duration": 100}
    files = []
    for name, picture, options in (
        ("16.png", sixteen, {}),
        ("16.tif", sixteen, {}),
        ("16_turned.png", sixteen, {"exif": exif}),
        ("rgb.tif", colour, {"exif": exif}),
        ("jpeg_in.tif", colour, {"compression": "jpeg"}),
        ("cmyk.tif", colour.convert("CMYK"), {}),
        ("ycbcr.tif", colour.convert("YCbCr"), {}),
        ("lab.tif", colour.convert("LAB"), {}),
        ("palette.bmp", palette, {}),
        ("palette.gif", palette, {"transparency": 3}),
        ("palette_alpha.png", palette, {"transparency": bytes(range(256))}),
        ("clear_colour.png", colour, {"transparency": (1, 2, 3)}),
        ("clear_grey.png", grey, {"transparency": 7}),
        ("rgba.tif", clear, {}),
        ("rgba.webp", clear, {"lossless": True}),
        ("rgb.webp", colour, {}),
        ("progressive.jpg", colour, {"progressive": True, "quality": 40}),
        ("moving.gif", colour, moving),
        ("moving.webp", colour, moving),
        ("moving.png", colour, moving),
    ):
        file = folder / name
        picture.save(file, **options)
        try:
            with Image.open(file) as written:
                written.load()
        except OSError:  # Pillow before 13 does not read the YCbCr TIFF that it writes
            file.unlink()
        else:
            files.append(file)
    return files


def first_frame(file: Path) -> Frame:
    frame = next(frames([str(file)]))
    assert isinstance(frame, Frame), frame
    return frame


@pytest.mark.parametrize(("channels", "fit"), [(1, "crop"), (1, "pad"), (3, "crop"), (3, "stretch")])
def test_a_frame_becomes_what_its_file_does_in_training(channels: Channels, fit: Fit, tmp_path: Path) -> None:
    folder = tmp_path / "train" / "happy"
    files = written_pictures(folder) + files_of_further_modes(folder)
    shape: dict[str, Any] = {"size": 40, "channels": channels, "fit": fit}
    faces = read_faces(tmp_path, pixels=PixelOptions(**shape))
    assert len(faces) == len(files)
    assert faces.files is not None
    for name, expected in zip(faces.files, all_images(faces), strict=True):
        face = PixelFormat(**shape)(first_frame(tmp_path / name).pixels)
        assert np.array_equal(face, expected.numpy()), name


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("box", [(20, 9, 50, 40), (-9, 20, 40, 70)], ids=["inside", "beyond the edge"])
def test_a_faces_square_is_that_of_training(channels: Channels, box: Any, tmp_path: Path) -> None:
    to_pixels = PixelFormat(size=36, channels=channels)
    for file in files_of_further_modes(tmp_path):
        if file.name not in ("16_turned.png", "rgb.tif"):  # in training, boxes are those of the stored picture
            with opened_image(file.read_bytes()) as picture:
                expected = face_in(picture, box, to_pixels)
            square = face_square(Image.fromarray(first_frame(file).pixels), box)
            assert np.array_equal(to_pixels(square), expected), file.name

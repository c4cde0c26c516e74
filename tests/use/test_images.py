"""Every image that people have becomes the pixels that training makes of it; damage is one row that says why."""

import builtins
import io
import itertools
import struct
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from fer_lightning.use.faces import Frame, Unreadable
from fer_lightning.use.images import image_frames
from fer_lightning.use.sources import frames
from tests.use.photograph import HOPPER, hopper


def content(picture: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def pixels(content: bytes) -> list[int]:
    """The RGB of the first frame's first pixel."""
    frame = next(image_frames("a", content))
    assert isinstance(frame, Frame), frame
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.ndim == 3
    return list(map(int, frame.pixels[0, 0]))


def reasons(content: bytes) -> str:
    (only,) = image_frames("a", content)
    assert isinstance(only, Unreadable)
    return only.reason


RED = Image.new("RGB", (16, 9), (200, 30, 60))
SIXTEEN = Image.fromarray(np.full((9, 16), 200 * 257, np.uint16))
CLEAR = Image.new("RGBA", (16, 9), (200, 30, 60, 0))

FORMS: dict[str, tuple[Image.Image, str, Mapping[str, Any], list[int]]] = {
    "jpeg": (RED, "JPEG", {"quality": 100, "subsampling": 0}, [200, 30, 60]),
    "png": (RED, "PNG", {}, [200, 30, 60]),
    "webp": (RED, "WEBP", {"lossless": True}, [200, 30, 60]),
    "bmp": (RED, "BMP", {}, [200, 30, 60]),
    "tiff": (RED, "TIFF", {}, [200, 30, 60]),
    "gif": (RED, "GIF", {}, [200, 30, 60]),
    "grey": (RED.convert("L"), "PNG", {}, [84, 84, 84]),
    "black and white": (RED.convert("1", dither=Image.Dither.NONE), "PNG", {}, [0, 0, 0]),
    "palette": (RED.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", {}, [200, 30, 60]),
    "cmyk": (Image.new("CMYK", (16, 9), (55, 225, 195, 0)), "TIFF", {}, [200, 30, 60]),
    "all transparent": (CLEAR, "PNG", {}, [200, 30, 60]),
    "transparent grey": (CLEAR.convert("LA"), "PNG", {}, [84, 84, 84]),
    "16 bit png": (SIXTEEN, "PNG", {}, [200, 200, 200]),
    "16 bit tiff": (SIXTEEN, "TIFF", {}, [200, 200, 200]),
}


@pytest.mark.parametrize(("picture", "form", "options", "expected"), FORMS.values(), ids=FORMS)
def test_images_of_every_form_are_read_as_rgb(
    picture: Image.Image, form: str, options: Mapping[str, Any], expected: list[int]
) -> None:
    assert np.abs(np.subtract(pixels(content(picture, form, **options)), expected)).max() <= 1


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_is_read() -> None:
    assert np.abs(np.subtract(pixels(content(RED, "AVIF", quality=100)), [200, 30, 60])).max() <= 4


def test_a_heic_is_read_upright() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    half = Image.new("RGB", (64, 32), (200, 30, 60))
    half.paste((0, 0, 0), (32, 0, 64, 32))
    frame = next(image_frames("a", content(half, "HEIF", quality=90, exif=exif.tobytes())))
    assert isinstance(frame, Frame)
    assert frame.pixels.shape == (64, 32, 3)
    assert np.abs(frame.pixels[5, 5].astype(int) - (200, 30, 60)).max() < 12
    assert frame.pixels[60].max() < 12


def test_a_heic_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without_heif(name: str, *arguments: Any) -> Any:
        if name == "pillow_heif":
            raise ImportError(name)
        return found(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_heif)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    assert reasons(heic) == ("the image cannot be read: it is a HEIC image: reading it needs the package pillow-heif")


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_read_frame_by_frame_at_its_times(form: str) -> None:
    shades, durations = (0, 120, 240, 60), (40, 200, 70, 1000)
    first, *others = (Image.new("RGB", (16, 9), (shade, shade, shade)) for shade in shades)
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
    moving = content(first, form, save_all=True, append_images=others, duration=list(durations), **options)
    found = list(image_frames("a", moving))
    assert all(isinstance(frame, Frame) for frame in found)
    assert [frame.index for frame in found] == [0, 1, 2, 3]
    assert [frame.time_s for frame in found] == pytest.approx([0, 0.04, 0.24, 0.31])
    assert [int(frame.pixels[0, 0, 0]) for frame in found if isinstance(frame, Frame)] == list(shades)


def test_frames_of_no_duration_are_shown_as_browsers_do() -> None:
    moving = content(Image.new("L", (9, 9)), "GIF", save_all=True, append_images=[Image.new("L", (9, 9), 200)])
    assert [frame.time_s for frame in image_frames("a", moving)] == [0, 0.1]


def test_pages_and_other_views_are_no_animation() -> None:
    pages = content(RED, "TIFF", save_all=True, append_images=[CLEAR.convert("RGB")])
    views = content(RED, "MPO", save_all=True, append_images=[RED])
    for several in (pages, views):
        (frame,) = image_frames("a", several)
        assert frame.time_s is None


def test_a_damaged_animation_keeps_its_first_frames() -> None:
    rng = np.random.default_rng(0)
    first, *others = (Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)) for _ in range(4))
    moving = content(first, "GIF", save_all=True, append_images=others, duration=100)
    found = list(image_frames("a", moving[: len(moving) * 5 // 8]))
    assert [isinstance(one, Frame) for one in found] == [True, True, False]
    assert found[2].index == 2
    assert found[2].time_s == pytest.approx(0.2)


def test_pillows_warnings_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(sized(12_000, 9_000))
    clear = Image.new("P", (9, 9))
    clear.info["transparency"] = bytes(256)
    clear.save(tmp_path / "b.png")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        found = list(frames([str(tmp_path)]))
    assert [type(one) for one in found] == [Unreadable, Frame]
    assert shown == []


PHOTOGRAPH = HOPPER.read_bytes()


def flipped(content: bytes, at: int) -> bytes:
    """The content with one byte changed."""
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def sized(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = ((struct.pack(">I", len(one) - 4), one, struct.pack(">I", zlib.crc32(one))) for one in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(itertools.chain(*parts))


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "it is empty"),
        (b"a text", "neither an image nor a video; expected jpg"),
        (PHOTOGRAPH[:20], "the image cannot be read: it is damaged at its beginning"),
        (PHOTOGRAPH[: len(PHOTOGRAPH) // 2], "the image cannot be read: image file is truncated"),
        (content(hopper(), "PNG")[:100_000], "the image cannot be read: "),
        (flipped(content(hopper(), "PNG"), 100_000), "the image cannot be read: broken PNG file"),
        (sized(30_000, 30_000), "the image cannot be read: more than 30,000,000 pixels"),
        (sized(12_000, 9_000), "the image cannot be read: more than 30,000,000 pixels"),
        (sized(6_000, 6_000), "the image cannot be read: 6000x6000: more than 30,000,000 pixels"),
        (sized(0, 9), "the image cannot be read: it is damaged at its beginning"),
        (content(Image.new("F", (9, 9)), "TIFF"), "the image cannot be read: mode F: more than 16 bits per channel"),
    ],
    ids=["empty", "text", "start of a jpeg", "half a jpeg", "half a png", "a changed byte", "30000×30000", "12000×9000",
         "6000×6000", "no pixels", "floats"],
)  # fmt: skip
def test_damage_is_one_row_that_says_why(damaged: bytes, reason: str) -> None:
    assert reasons(damaged).startswith(reason)

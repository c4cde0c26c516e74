"""How well near copies are found: python -m benchmarks.copies --csv fer2013.csv [--sheets FOLDER]

Known changes of faces make pairs that should be found. Pairs that are found in the file itself are counted and, with
--sheets, drawn for a person to judge, some of each distance. docs/copies.md has the tables, and what a person saw.
"""

import argparse
import io
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor

from benchmarks.side_by_side import markdown, peak_megabytes
from fer_lightning.data.copy_sheet import write_sheet
from fer_lightning.data.copy_tables import copies_in
from fer_lightning.data.faces import Faces
from fer_lightning.data.near_pairs import CANDIDATE, FAR, NEAR, differing_bits, near_pairs
from fer_lightning.data.perceptual_hash import BATCH, WORDS, perceptual_hashes, recut_hashes
from fer_lightning.data.readers.source import read_faces
from fer_lightning.report.provenance import machine

Face = NDArray[np.uint8]

DISTANCES = (8, 12, 14, 16, 18, 20, 22, 24)
"""Bits that may differ, for each of which all is counted."""

CHANGED = 3000
"""Faces that each change is made to."""

MANY = 300_000
"""Faces of the larger set that is compared with itself: these faces, again and again, with some bits of noise."""


def by_pillow(change: Callable[[Image.Image], Image.Image]) -> Callable[[Face], Face]:
    return lambda face: np.asarray(change(Image.fromarray(face)))


def jpeg(quality: int) -> Callable[[Face], Face]:
    def compressed(picture: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        picture.save(stream, "jpeg", quality=quality)
        return Image.open(stream)

    return by_pillow(compressed)


def shifted(right: int, down: int) -> Callable[[Face], Face]:
    """The pixels at the edge are repeated."""

    def change(face: Face) -> Face:
        side, most = len(face), max(right, down)
        padded = np.pad(face, most, mode="edge")
        return padded[most - down : most - down + side, most - right : most - right + side]

    return change


def cut(share: float) -> Callable[[Face], Face]:
    """Cuts this share off each side, and enlarges what is left."""

    def change(picture: Image.Image) -> Image.Image:
        side = picture.width
        box = (share * side, share * side, (1 - share) * side, (1 - share) * side)
        return picture.resize((side, side), Image.Resampling.BILINEAR, box)

    return by_pillow(change)


def in_size(side: int) -> Callable[[Face], Face]:
    return by_pillow(lambda picture: picture.resize((side, side), Image.Resampling.BILINEAR))


def mirrored(face: Face) -> Face:
    return face[:, ::-1]


CHANGES: Mapping[str, Callable[[Face], Face]] = {
    **{f"JPEG, quality {quality}": jpeg(quality) for quality in (90, 50, 20)},
    "half the size, and back": lambda face: in_size(len(face))(in_size(len(face) // 2)(face)),
    "in 112×112": in_size(112),
    "brighter by 30%": by_pillow(lambda picture: ImageEnhance.Brightness(picture).enhance(1.3)),
    "70% of the contrast": by_pillow(lambda picture: ImageEnhance.Contrast(picture).enhance(0.7)),
    "blurred, by 1 pixel": by_pillow(lambda picture: picture.filter(ImageFilter.GaussianBlur(1))),
    "moved by 1 pixel": shifted(1, 0),
    "moved by 1 pixel both ways": shifted(1, 1),
    "moved by 2 pixels": shifted(2, 0),
    "moved by 2 pixels both ways": shifted(2, 2),
    **{f"{share:.0%} cut off each side": cut(share) for share in (0.02, 0.04, 0.08)},
    "turned by 3 degrees": by_pillow(lambda picture: picture.rotate(3, Image.Resampling.BILINEAR)),
    "mirrored": mirrored,
    "mirrored, JPEG 50, moved by 1": lambda face: shifted(1, 0)(jpeg(50)(mirrored(face))),
}


def bits_between(images: Tensor, hashes: Tensor) -> NDArray[np.uint8]:
    """Bits in which each image differs from the face of this hash, as `near_pairs` counts them; FAR if it does not."""
    plain = differing_bits(perceptual_hashes(images).numpy(), hashes.numpy())[0]
    cuts = [recut_hashes(batch) for batch in images.split(BATCH)]
    recut = differing_bits(torch.cat(cuts).numpy(), hashes[:, None].numpy())[0].min(1)
    return np.where(plain <= CANDIDATE, np.minimum(plain, recut), FAR).astype(np.uint8)


def recall_table(faces: Tensor, hashes: Tensor) -> str:
    """Of the pairs that each change makes, those that are found at each distance."""
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(faces))[:CHANGED])
    rows = []
    for name, change in CHANGES.items():
        images = torch.from_numpy(np.stack([change(face) for face in faces[chosen, 0].numpy()]))[:, None]
        bits = bits_between(images, hashes[chosen])
        uncut = differing_bits(perceptual_hashes(images).numpy(), hashes[chosen].numpy())[0]
        shares = {f"{most} bits": f"{(bits <= most).mean():.1%}" for most in DISTANCES}
        rows.append({"change": name, **shares, f"{NEAR} bits, uncut": f"{(uncut <= NEAR).mean():.1%}"})
    return markdown(f"Pairs that are found, of {len(chosen):,}", rows)


def found_table(faces: Faces, sheets: Path | None) -> str:
    """Pairs that are found in a set of faces; draws some of each distance."""
    pairs = copies_in({"": faces}, DISTANCES[-1]).pairs
    images = len(faces) - int((pairs["copy"] == "exact").sum())
    near, rows = pairs[pairs["copy"] == "near"], []
    for least, most in zip((0, *(bits + 1 for bits in DISTANCES)), DISTANCES, strict=False):
        found = near[near["bits"].between(least, most)]
        share = f"{1e6 * len(found) / (images * (images - 1) / 2):.2f}"
        mirrored = f"{int(found['mirrored'].sum()):,}"
        rows.append(
            {"bits": f"{least} to {most}", "pairs": f"{len(found):,}", "mirrored": mirrored, "in a million": share}
        )
        if sheets and len(found):
            write_sheet(found.sample(frac=1, random_state=0), [faces], sheets / f"{least}-{most}.png")
    return markdown(f"Near copies among {images:,} different images", rows)


def cost_table(faces: Tensor, hashes: Tensor) -> str:
    """Time and memory of comparing all with all; the larger set has as many candidates for each pair of faces."""
    started = time.perf_counter()
    perceptual_hashes(faces)
    hashing = time.perf_counter() - started
    rng, rows = np.random.default_rng(0), []
    source = torch.from_numpy(rng.integers(0, len(faces), MANY))
    noise = [torch.from_numpy(rng.integers(0, 2**63, (MANY, WORDS), np.int64)) for _ in range(2)]
    many = hashes[source] ^ (noise[0] & noise[1])  # a quarter of the bits: fewer would make near copies
    for name, of_set, origin in (("these faces", hashes, torch.arange(len(faces))), ("drawn from them", many, source)):
        before, started = peak_megabytes(), time.perf_counter()
        near_pairs(of_set, lambda some, origin=origin: recut_hashes(faces[origin[some]]))  # type: ignore[misc]
        seconds, after = time.perf_counter() - started, peak_megabytes()
        made = f"{hashing:.2f} s" if of_set is hashes else "–"
        cost = {"all with all": f"{seconds:.0f} s", "more memory": f"{after - before:.0f} MB"}
        rows.append({"set": name, "faces": f"{len(of_set):,}", "hashes": made, **cost})
    return markdown("What it costs", rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copies", description=__doc__.partition(":")[0])
    parser.add_argument("--csv", type=Path, required=True, help="fer2013.csv")
    parser.add_argument(
        "--sheets", type=Path, metavar="FOLDER", help="draws pairs of each distance, for a person to judge"
    )
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    faces = read_faces(given.csv)
    images = faces.images[torch.arange(len(faces))]
    hashes = perceptual_hashes(images)
    print(machine("cpu"))
    print(recall_table(images, hashes), flush=True)
    print(found_table(faces, given.sheets), flush=True)
    print(cost_table(images, hashes), flush=True)


if __name__ == "__main__":
    main()

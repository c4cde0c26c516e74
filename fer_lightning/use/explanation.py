"""Shows where in a face the evidence for its label lies: Grad-CAM, of the network of a run."""

from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from fer_lightning.files import written_whole
from fer_lightning.report.attention import grad_cam
from fer_lightning.transforms.face_crop import face_square
from fer_lightning.transforms.pixel_format import PixelFormat
from fer_lightning.transforms.pixels import as_picture
from fer_lightning.transforms.preprocessing import scaled
from fer_lightning.use.faces import Answer, Face, Frame
from fer_lightning.use.run_network import RunNetwork
from fer_lightning.use.writers import SourceNames, starts_source

MOST_EXPLAINED = 100
"""Faces at most, the first ones."""

SIDE_SHOWN = 240
"""Pixels of a face's picture at least: next to it lies the same face with the map over it."""

OPACITY = 0.55
"""Of the map over the face."""


class Explanations:
    """Writes FOLDER/NAME-faceN.png for each face of a picture, and for the first face of each track of a video.

    Args:
        network: of a run; its gradients are computed.
        names: those that the annotated pictures and videos have.
    """

    def __init__(self, folder: Path, network: RunNetwork, names: SourceNames) -> None:
        self._folder, self._network, self._names = folder, network, names
        self._last: Frame | None = None
        self._tracks: set[int] = set()  # of this video, that have been explained
        self.written: list[tuple[Path, Face]] = []
        self.layer = ""

    def write(self, answer: Answer) -> None:
        frame = answer.frame
        if not isinstance(frame, Frame):
            return
        if starts_source(frame, self._last):
            self._tracks = set()
        self._last = frame
        name = self._names.name(frame)
        for face in answer.faces:
            if face.track in self._tracks or len(self.written) == MOST_EXPLAINED:
                continue
            if face.track is not None:
                self._tracks.add(face.track)
            page = f"-page{frame.index + 1}" if frame.time_s is None and frame.index else ""
            number = f"face{face.number + 1}" if face.track is None else f"track{face.track}"
            file = self._folder / f"{name}{page}-{number}.png"
            with written_whole(file) as unfinished:
                Image.fromarray(self._explained(frame, face)).save(unfinished, "png")
            self.written.append((file, face))

    def close(self, stopped: bool = False) -> None: ...

    def _explained(self, frame: Frame, face: Face) -> NDArray[np.uint8]:
        """Returns a face as the network sees it, and next to it with the map, uint8 (H, 2·W, 3)."""
        card, model, box = self._network.card, self._network.model, face.detection
        picture = Image.fromarray(frame.pixels)
        square = picture if box.whole else face_square(picture, box.box, card.margin)
        pixels = torch.from_numpy(PixelFormat(card.size, card.channels, card.fit)(square).copy())
        images = model.preprocessing.normalized(scaled(pixels[None].to(model.device)))
        classes = torch.tensor([card.class_names.index(face.best)], device=model.device)
        maps, self.layer = grad_cam(model.net, images, classes)
        factor = -(-SIDE_SHOWN // card.size)
        side = card.size * factor
        seen = Image.fromarray(as_picture(pixels)).convert("RGB").resize((side, side), Image.Resampling.NEAREST)
        heat = Image.fromarray(maps[0].float().cpu().numpy()).resize((side, side), Image.Resampling.BILINEAR)
        colours = (colormaps["inferno"](np.asarray(heat))[..., :3] * 255).astype(np.uint8)
        return np.concatenate([np.asarray(seen), np.asarray(Image.blend(seen, Image.fromarray(colours), OPACITY))], 1)

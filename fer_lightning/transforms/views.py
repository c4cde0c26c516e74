"""Test-time averaging: a face is shown in several views, and their probabilities are averaged."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Tta = Literal["none", "flip", "ten_crop"]

CROP = 11 / 12
"""Side of a crop as a share of the image's: 44 of 48 pixels, as is usual on FER2013."""


def views(images: Tensor, tta: Tta) -> list[Tensor]:
    """Returns images, float (B, 1, S, S), as they are shown: each view float (B, 1, S, S).

    "flip" is the image and its mirror image; "ten_crop" the four corners and the centre, enlarged to S again, each
    with its mirror image (Krizhevsky et al., NeurIPS 2012).
    """
    if tta == "none":
        return [images]
    if tta == "flip":
        return [images, images.flip(3)]
    side = images.shape[-1]
    crop = round(side * CROP)
    far, centre = side - crop, (side - crop) // 2
    corners = [(0, 0), (0, far), (far, 0), (far, far), (centre, centre)]
    crops = [images[..., top : top + crop, left : left + crop] for top, left in corners]
    enlarged = [F.interpolate(c, side, mode="bilinear", align_corners=False) for c in crops]
    return [*enlarged, *(view.flip(3) for view in enlarged)]

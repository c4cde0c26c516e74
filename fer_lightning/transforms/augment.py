"""Augmentation of a batch of faces on the device it is on, with parameters drawn for each face."""

import math
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor
from torchvision.transforms.v2 import CutMix, MixUp
from torchvision.transforms.v2.functional import rgb_to_grayscale

from fer_lightning.signature import NonNegative, Positive, checked
from fer_lightning.transforms.sharpness import blurred, noisy
from fer_lightning.transforms.warp import affine_grid

Padding = Literal["zeros", "border", "reflection"]

Share = Annotated[float, Field(ge=0, le=1)]
Area = Annotated[float, Field(gt=0, le=1)]


class Augmentation:
    """Random affine warp with flip, then brightness, contrast, saturation, hue, blur, noise and erasing of a batch.

    The parameters have torchvision's names and meaning (`RandomAffine`, `RandomHorizontalFlip`, `ColorJitter`,
    `RandomErasing`), with two differences: they are drawn for each face, not for each batch, and all geometry is one
    bilinear warp, so that a face is interpolated once. Blur and noise are amounts of this class's own.

    Args:
        degrees: rotation is uniform in ±degrees.
        translate: shift is uniform in ±translate × width, and likewise for the height.
        scale: size factor, uniform in [low, high].
        shear: horizontal shear is uniform in ±shear degrees.
        flip: probability of a horizontal flip.
        padding: what the warp shows beyond the image's edge, by grid_sample's names: "zeros" is black, "border" the
            nearest pixel, "reflection" the mirrored image.
        brightness: factor uniform in [1 - brightness, 1 + brightness].
        contrast: factor uniform in [1 - contrast, 1 + contrast].
        saturation: factor uniform in [1 - saturation, 1 + saturation]; of colour images, as is the next.
        hue: turned by a share of the colour circle, uniform in ±hue.
        blur: standard deviation of a Gaussian, uniform in [0, blur] × width, and likewise for the height.
        noise: standard deviation of what is added to each value, itself uniform in [0, noise].
        erasing: probability that a rectangle is set to 0.
        erasing_scale: area of that rectangle as a share of the image, uniform in [low, high].
        erasing_ratio: its height divided by its width, log-uniform in [low, high].
        mixup: each face of a batch is blended with another, and so are their labels, by one share for the batch from
            Beta(mixup, mixup) (Zhang et al., ICLR 2018); 0 is off.
        cutmix: a rectangle of each face comes from another, the same one in a whole batch, its area from
            Beta(cutmix, cutmix), and the labels by area (Yun et al., ICCV 2019); 0 is off. With mixup too, each batch
            gets the one or the other.

    Raises:
        ValueError: a parameter outside its range.
    """

    @checked
    def __init__(
        self,
        degrees: Annotated[float, Field(ge=0, le=180)] = 0.0,
        translate: Share = 0.0,
        scale: tuple[Positive, Positive] = (1.0, 1.0),
        shear: Annotated[float, Field(ge=0, le=89)] = 0.0,
        flip: Share = 0.0,
        brightness: Share = 0.0,
        contrast: Share = 0.0,
        saturation: Share = 0.0,
        hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
        blur: Share = 0.0,
        noise: Share = 0.0,
        erasing: Share = 0.0,
        erasing_scale: tuple[Area, Area] = (0.02, 0.2),
        erasing_ratio: tuple[Positive, Positive] = (0.3, 3.3),
        mixup: NonNegative = 0.0,
        cutmix: NonNegative = 0.0,
        padding: Padding = "zeros",
    ) -> None:
        for name, span in (("scale", scale), ("erasing_scale", erasing_scale), ("erasing_ratio", erasing_ratio)):
            if span[0] > span[1]:
                raise ValueError(f"{name} is {list(span)}; it must be [low, high], low at most high")
        self.degrees, self.translate, self.scale, self.shear = degrees, translate, scale, shear
        self.flip, self.brightness, self.contrast = flip, brightness, contrast
        self.saturation, self.hue = saturation, hue
        self.blur, self.noise = blur, noise
        self.erasing, self.erasing_scale, self.erasing_ratio = erasing, erasing_scale, erasing_ratio
        self.mixup, self.cutmix, self.padding = mixup, cutmix, padding
        self._warps = flip > 0 or degrees > 0 or translate > 0 or shear > 0 or tuple(scale) != (1, 1)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Returns augmented copies of images, float (B, C, H, W) in 0…1, drawn from a generator on the CPU."""
        drawn = self.draw(len(images), generator)
        values = torch.stack(list(drawn.values()))
        if images.device.type == "cuda":
            values = values.pin_memory()  # otherwise the transfer waits for the device
        values = values.to(images.device, non_blocking=True)  # one transfer, not twelve
        return self.apply(images, dict(zip(drawn, values, strict=True)), generator)

    def mix(self, images: Tensor, targets: Tensor, num_classes: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Blends images, float (B, C, S, S), and targets, int64 (B,) or float (B, C), if mixup or cutmix is on.

        Mixed targets are float (B, C). By torchvision's own transforms, which draw from torch's default generator: it
        is set from the given one, and afterwards as it was.
        """
        mixers = [
            kind(alpha=float(a), num_classes=num_classes)
            for kind, a in ((MixUp, self.mixup), (CutMix, self.cutmix))
            if a
        ]
        if not mixers:
            return images, targets
        chosen, seed = torch.randint(2**62, (2,), generator=generator).tolist()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            images, targets = mixers[chosen % len(mixers)](images, targets)
        return images, targets

    def draw(self, count: int, generator: Generator) -> dict[str, Tensor]:
        """Parameters of `count` faces, each float (count,): see `apply` for units.

        All are drawn whatever is switched on, so that one more augmentation leaves the others' draws as they were: but
        for saturation and hue, and blur and noise, which are drawn last.
        """
        uniform = torch.rand(12, count, generator=generator)
        signed = uniform * 2 - 1
        area = _between(uniform[8], self.erasing_scale)
        ratio = _between(uniform[9], (math.log(self.erasing_ratio[0]), math.log(self.erasing_ratio[1]))).exp()
        erased = (uniform[7] < self.erasing).float()
        drawn = {
            "angle": signed[0] * self.degrees,
            "translate_x": signed[1] * self.translate,
            "translate_y": signed[2] * self.translate,
            "scale": _between(uniform[3], self.scale),
            "shear": signed[4] * self.shear,
            "flip": (uniform[11] < self.flip).float(),
            "brightness": 1 + signed[5] * self.brightness,
            "contrast": 1 + signed[6] * self.contrast,
            "erase_height": erased * (area * ratio).sqrt().clamp(max=1),
            "erase_width": erased * (area / ratio).sqrt().clamp(max=1),
            "erase_y": uniform[10],
            "erase_x": torch.rand(count, generator=generator),
        }
        if self.saturation > 0 or self.hue > 0:
            saturation, hue = torch.rand(2, count, generator=generator) * 2 - 1
            drawn |= {"saturation": 1 + saturation * self.saturation, "hue": hue * self.hue}
        if self.blur > 0 or self.noise > 0:
            blur, noise = torch.rand(2, count, generator=generator)
            drawn |= {"blur": blur * self.blur, "noise": noise * self.noise}
        return drawn

    def apply(self, images: Tensor, drawn: dict[str, Tensor], generator: Generator | None = None) -> Tensor:
        """Returns images changed by given parameters, and by noise drawn from a generator on the CPU.

        angle and shear in degrees (positive angles turn clockwise on the screen, as in torchvision), translate_x/y
        as a share of width and height, brightness, contrast and saturation as factors, hue as a share of the colour
        circle, blur as a share of width and height, noise as a share of white, flip 0 or 1, the erased rectangle's
        height and width as a share of the image and its place as a share of the room that is left.
        """
        if self._warps:
            images = _warp(images, drawn, self.padding)
        if self.brightness > 0:
            images = (images * _per_face(drawn["brightness"])).clamp_(0, 1)
        if self.contrast > 0:
            mean = _grey(images).mean(dim=(1, 2, 3), keepdim=True)
            images = torch.lerp(mean, images, _per_face(drawn["contrast"])).clamp_(0, 1)
        if self.saturation > 0 and images.shape[1] == 3:
            images = torch.lerp(_grey(images), images, _per_face(drawn["saturation"])).clamp_(0, 1)
        if self.hue > 0 and images.shape[1] == 3:
            images = _hue_turned(images, drawn["hue"])
        if self.blur > 0:
            images = blurred(images, drawn["blur"])
        if self.noise > 0:
            images = noisy(images, drawn["noise"], generator)
        if self.erasing > 0:
            images = images * _kept(images, drawn)
        return images


def _warp(images: Tensor, drawn: dict[str, Tensor], padding: Padding) -> Tensor:
    """Warps by torchvision's affine (rotate · shear · scale about the centre, then translate), then flips.

    `affine_grid` wants the inverse, output position → input position, in coordinates of ±1: written out below, so
    that a batch of any size costs a handful of operations on (B,) tensors.
    """
    height, width = images.shape[-2:]
    angle, shear = torch.deg2rad(drawn["angle"]), torch.deg2rad(drawn["shear"])
    cos, sin, tan = angle.cos() / drawn["scale"], angle.sin() / drawn["scale"], shear.tan()
    inverse = torch.stack([cos - tan * sin, sin + tan * cos, -sin, cos], 1).view(-1, 2, 2)
    shift = torch.stack([drawn["translate_x"] * width, drawn["translate_y"] * height], 1)
    theta = torch.cat([inverse, -inverse @ shift.unsqueeze(2)], 2)  # (B, 2, 3), in pixels
    theta[:, 0, 1] *= height / width
    theta[:, 1, 0] *= width / height
    theta[:, 0, 2] *= 2 / width
    theta[:, 1, 2] *= 2 / height
    theta[:, :, 0] *= 1 - 2 * drawn["flip"].unsqueeze(1)
    return F.grid_sample(images, affine_grid(theta, height, width), padding_mode=padding, align_corners=False)


def _grey(images: Tensor) -> Tensor:
    """Returns images, float (B, 1 or 3, H, W), in grey by ITU-R 601, (B, 1, H, W)."""
    return images if images.shape[1] == 1 else rgb_to_grayscale(images)


def _hue_turned(images: Tensor, hue: Tensor) -> Tensor:
    """Returns images, float (B, 3, H, W) in 0…1, with each one's hue turned by a share of the colour circle, (B,).

    As torchvision's `adjust_hue` does to one image: from RGB to HSV and back.
    """
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    safe = chroma.clamp(min=1e-12)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = sixths + 6 * hue.view(-1, 1, 1)
    shades = [(turned + shift) % 6 for shift in (5, 3, 1)]
    return torch.stack([value - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in shades], 1)


def _kept(images: Tensor, drawn: dict[str, Tensor]) -> Tensor:
    """Returns 1 where a face is kept, 0 in its erased rectangle: (B, 1, H, W)."""
    outside = []
    for length, size, place in (
        (images.shape[-2], drawn["erase_height"], drawn["erase_y"]),
        (images.shape[-1], drawn["erase_width"], drawn["erase_x"]),
    ):
        pixels = (size * length).round()
        first = (place * (length - pixels + 1)).floor().unsqueeze(1)
        position = torch.arange(length, device=images.device)
        outside.append((position < first) | (position >= first + pixels.unsqueeze(1)))
    return (outside[0][:, None, :, None] | outside[1][:, None, None, :]).to(images.dtype)


def _between(uniform: Tensor, span: tuple[float, float]) -> Tensor:
    return span[0] + uniform * (span[1] - span[0])


def _per_face(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)

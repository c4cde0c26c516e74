"""The batched augmentation does to each face what torchvision's functions do to one."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from fer_lightning.transforms.augment import Augmentation

EVERYTHING = Augmentation(
    degrees=30,
    translate=0.2,
    scale=(0.8, 1.2),
    shear=15,
    flip=0.5,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.3,
    erasing=0.5,
)


def faces(count: int, height: int = 48, width: int = 48, channels: int = 1) -> Tensor:
    """Smooth random images: bilinear reading of white noise would amplify rounding."""
    noise = torch.rand(count, channels, 6, 6, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1)


def neutral(count: int) -> dict[str, Tensor]:
    drawn = dict.fromkeys(EVERYTHING.draw(1, torch.Generator()), torch.zeros(count))
    return drawn | dict.fromkeys(("scale", "brightness", "contrast", "saturation"), torch.ones(count))


def random(count: int = 16) -> dict[str, Tensor]:
    return EVERYTHING.draw(count, torch.Generator().manual_seed(2))


def by_torchvision(image: Tensor, p: dict[str, float]) -> Tensor:
    height, width = image.shape[-2:]
    image = tv.affine(
        image,
        angle=p["angle"],
        translate=[p["translate_x"] * width, p["translate_y"] * height],
        scale=p["scale"],
        shear=[p["shear"], 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    if p["flip"]:
        image = tv.horizontal_flip(image)
    image = tv.adjust_contrast(tv.adjust_brightness(image, p["brightness"]), p["contrast"])
    if len(image) == 3:
        image = tv.adjust_hue(tv.adjust_saturation(image, p["saturation"]), p["hue"])
    rows, columns = round(p["erase_height"] * height), round(p["erase_width"] * width)
    top, left = int(p["erase_y"] * (height - rows + 1)), int(p["erase_x"] * (width - columns + 1))
    erased: torch.Tensor = tv.erase(image, top, left, rows, columns, torch.zeros(1, 1, 1))
    return erased


@pytest.mark.parametrize(
    "names",
    [
        ["angle"],
        ["translate_x"],
        ["translate_y"],
        ["scale"],
        ["shear"],
        ["flip"],
        ["brightness"],
        ["contrast"],
        ["saturation"],
        ["hue"],
        ["erase_height", "erase_width", "erase_y", "erase_x"],
        list(random()),
    ],
    ids=lambda names: "+".join(names) if len(names) < 12 else "everything",
)
@pytest.mark.parametrize(
    "shape", [(48, 48, 1), (40, 56, 1), (48, 48, 3), (40, 56, 3)], ids=["square", "oblong", "colour", "oblong colour"]
)
def test_each_face_is_changed_as_torchvision_would(names: list[str], shape: tuple[int, int, int]) -> None:
    images, drawn = faces(16, *shape), random()
    drawn = neutral(16) | {name: drawn[name] for name in names}
    ours = EVERYTHING.apply(images, drawn)
    for i, image in enumerate(images):
        theirs = by_torchvision(image, {name: values[i].item() for name, values in drawn.items()})
        torch.testing.assert_close(ours[i], theirs, atol=2e-4, rtol=0)
    if names != ["flip"] and not (shape[2] == 1 and {*names} & {"hue", "saturation"} == {*names}):
        assert (ours - images).abs().mean() > 1e-3


def test_parameters_stay_in_torchvisions_ranges_for_each_face() -> None:
    drawn = EVERYTHING.draw(2000, torch.Generator().manual_seed(3))
    for name, low, high in (
        ("angle", -30, 30),
        ("translate_x", -0.2, 0.2),
        ("scale", 0.8, 1.2),
        ("shear", -15, 15),
        ("brightness", 0.6, 1.4),
        ("contrast", 0.6, 1.4),
        ("saturation", 0.6, 1.4),
        ("hue", -0.3, 0.3),
    ):
        values = drawn[name]
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high
        assert len(values.unique()) > 1900
    assert 0.45 < drawn["flip"].mean() < 0.55
    erased = drawn["erase_height"] > 0
    assert 0.45 < erased.float().mean() < 0.55
    area = (drawn["erase_height"] * drawn["erase_width"])[erased]
    assert 0.019 < area.min() < area.max() < 0.201


def test_a_generator_state_gives_a_batch_another_gives_another() -> None:
    images = faces(8)
    first, again, other = (EVERYTHING(images, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_blur_is_torchvisions_within_the_image() -> None:
    images = faces(2)
    blurred = Augmentation(blur=0.1).apply(images, neutral(2) | {"blur": torch.tensor([0.025, 0.0])})
    theirs = tv.gaussian_blur(images[0], [9, 9], [1.2, 1.2])
    torch.testing.assert_close(blurred[0, :, 6:-6, 6:-6], theirs[:, 6:-6, 6:-6], atol=2e-4, rtol=0)
    torch.testing.assert_close(blurred[1], images[1])


def test_blur_keeps_an_even_image_up_to_its_edge() -> None:
    even = torch.full((1, 3, 40, 56), 0.7)
    torch.testing.assert_close(Augmentation(blur=0.1).apply(even, {"blur": torch.tensor([0.05])}), even)


def test_noise_has_the_deviation_drawn_for_each_face() -> None:
    grey = torch.full((2, 1, 200, 200), 0.5)
    noise = torch.tensor([0.1, 0.02])
    noisy = Augmentation(noise=0.1).apply(grey, {"noise": noise}, torch.Generator().manual_seed(0))
    torch.testing.assert_close(noisy.std(dim=(1, 2, 3)), noise, atol=0, rtol=0.05)
    torch.testing.assert_close(noisy.mean(dim=(1, 2, 3)), torch.full((2,), 0.5), atol=2e-3, rtol=0)


def test_blur_and_noise_leave_the_draws_of_the_others() -> None:
    with_both = Augmentation(degrees=30, blur=0.1, noise=0.1)
    without = Augmentation(degrees=30)
    drawn, before = (one.draw(16, torch.Generator().manual_seed(2)) for one in (with_both, without))
    assert drawn.keys() - before.keys() == {"blur", "noise"}
    assert all(torch.equal(drawn[name], before[name]) for name in before)
    assert 0 <= drawn["blur"].min() < drawn["blur"].max() <= 0.1


def test_no_augmentation_returns_the_images_unchanged() -> None:
    images = faces(8)
    assert torch.equal(Augmentation()(images, torch.Generator()), images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"degrees": -1}, "degrees is -1; it must be at least 0 and at most 180"),
        ({"hue": 0.6}, "hue is 0.6; it must be at least 0 and at most 0.5"),
        ({"flip": 1.5}, "flip is 1.5; it must be at least 0 and at most 1"),
        ({"scale": (1.2, 0.8)}, r"scale is \[1.2, 0.8\]"),
        ({"erasing_scale": (0.1, 2.0)}, r"erasing_scale\[1\] is 2.0; it must be above 0 and at most 1"),
        ({"erasing_ratio": (0, 1)}, r"erasing_ratio\[0\] is 0; it must be above 0"),
        ({"padding": "mirror"}, "padding is 'mirror': it should be 'zeros', 'border' or 'reflection'"),
    ],
)
def test_a_parameter_outside_its_range_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("padding", "beyond"), [("zeros", [0.0, 0.0]), ("border", [0.2, 0.2]), ("reflection", [0.2, 0.4])]
)
def test_beyond_the_edge_the_padding_is_shown(
    padding: Literal["zeros", "border", "reflection"], beyond: list[float]
) -> None:
    images = torch.full((1, 1, 8, 8), 0.4)
    images[..., 0] = 0.2
    shifted = Augmentation(translate=0.5, padding=padding).apply(
        images, {name: value[:1] for name, value in neutral(1).items()} | {"translate_x": torch.tensor([0.25])}
    )
    assert shifted[0, 0, 3].tolist() == pytest.approx([*reversed(beyond), 0.2, 0.4, 0.4, 0.4, 0.4, 0.4])

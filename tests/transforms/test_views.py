"""Views of a face, and what is made of them."""

import torch
from torch import nn

from fer_lightning.nets.registry import register
from fer_lightning.training.classifier import EmotionClassifier
from fer_lightning.transforms.views import views


def test_flip_shows_the_image_and_its_mirror_image() -> None:
    images = torch.rand(3, 1, 48, 48)
    first, second = views(images, "flip")
    assert torch.equal(first, images)
    assert torch.equal(second, images.flip(3))
    assert views(images, "none") == [images]


def test_ten_crop_shows_corners_and_centre_with_mirror_images() -> None:
    images = torch.zeros(1, 1, 48, 48)
    images[..., :24, :24] = 1.0  # the upper left quarter is white
    crops = views(images, "ten_crop")
    assert len(crops) == 10
    assert all(crop.shape == images.shape for crop in crops)
    share = 24 / 44, 20 / 44, 22 / 44  # of a crop's side that is white: at the near edge, the far edge, the centre
    near, far, centre = share
    expected = [near * near, near * far, far * near, far * far, centre * centre]
    for crop, mirrored, white in zip(crops[:5], crops[5:], expected, strict=True):
        assert abs(float(crop.mean()) - white) < 0.02
        assert torch.equal(mirrored, crop.flip(3))


@register("brightness")
class Brightness(nn.Module):
    """Its logits are the mean of the left half and 0."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        left = images[..., : images.shape[-1] // 2].mean((1, 2, 3))
        return torch.stack([left, torch.zeros_like(left)], 1)


def test_probabilities_are_averaged_over_the_views() -> None:
    model = EmotionClassifier("brightness", ("a", "b"))
    images = torch.zeros(1, 1, 48, 48)
    images[..., :24] = 2.0
    left, right = torch.tensor([2.0, 0.0]).softmax(0), torch.tensor([0.0, 0.0]).softmax(0)
    torch.testing.assert_close(model.log_probabilities(images).exp()[0], left)
    torch.testing.assert_close(model.log_probabilities(images, "flip").exp()[0], (left + right) / 2)

"""Knowledge distillation: a network learns from what a larger one, trained before, makes of the same faces."""

import logging
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat
from torch import Tensor

from fer_lightning.data import FERDataModule
from fer_lightning.data.digests import digests
from fer_lightning.nets.torchvision import input_size_error
from fer_lightning.signature import Fraction, checked
from fer_lightning.training.checkpoint_content import checkpoint_content
from fer_lightning.training.losses import ClassWeights, CrossEntropy
from fer_lightning.training.models import load_model
from fer_lightning.transforms.pixels import chosen_images

log = logging.getLogger(__name__)


class Distillation(CrossEntropy):
    """Cross-entropy with the labels, and in training with the probabilities that a teacher gives the same faces too.

    Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015. The teacher sees each face as the network
    does, augmented; it does not learn. The loss of val and test is that of the labels alone, and so not to be compared
    with that of train. Where classes are weighted, an epoch's loss of train weighs the teacher's part of each batch by
    its labels too.

    Args:
        teacher: the checkpoint of a finished run.
        weight: share of the teacher in the loss; the labels have the rest.
        temperature: what the logits of both are divided by: the higher, the more the classes count that the
            teacher holds for unlikely.
        label_smoothing: see `CrossEntropy`; of the labels.
        class_weights: likewise.
        beta: likewise.

    Raises:
        ValueError: an argument outside its range.
    """

    @checked
    def __init__(
        self,
        teacher: str,
        weight: Annotated[float, Field(gt=0, le=1)] = 0.7,
        temperature: PositiveFloat = 2.0,
        label_smoothing: Fraction = 0.0,
        class_weights: ClassWeights = "none",
        beta: Fraction = 0.999,
    ) -> None:
        super().__init__(label_smoothing, class_weights, beta)
        self.path, self.weight, self.temperature = Path(teacher).expanduser(), weight, temperature

    def prepare(self, data: FERDataModule) -> None:
        """Loads the teacher, for the faces that it is to teach with; testing a network does not need it.

        Raises:
            ValueError: a file that is no checkpoint, or a teacher that knows other classes, takes images of another
                size, or has learnt faces of val or test.
        """
        if not self.path.exists():
            raise ValueError(f"teacher {self.path} does not exist: give the folder of a finished run")
        if not self.path.is_file():
            raise ValueError(f"teacher {self.path} is not a file: give the checkpoint of a finished run")
        known = checkpoint_content(self.path).data
        self.teacher = load_model(self.path)
        if self.teacher.class_names != data.class_names:
            names = (", ".join(names) for names in (self.teacher.class_names, data.class_names))
            raise ValueError("teacher {} knows the classes {}; the data has {}".format(self.path, *names))
        channels = known.preprocessing.channels
        if channels != data.preprocessing.channels:
            raise ValueError(
                f"teacher {self.path} takes images of {channels} channels, and data.channels is "
                f"{data.preprocessing.channels}: give the same"
            )
        size = data.preprocessing.image_size
        if known.image_size != size:
            raise ValueError(
                f"teacher {self.path} takes images of {known.image_size}×{known.image_size}, and data.image_size is "
                f"{size}: give the same"
            )
        for size in data.progressive_sizes:
            if input_size_error(self.teacher, size, channels):
                raise ValueError(f"teacher {self.path} does not run on images of {size}×{size}: data.progressive_sizes")
        assert data.faces is not None
        leaks = []
        for split, copied in data.also_in_train.items():
            learnt = torch.isin(digests(chosen_images(data.faces.images, data.rows[split])), known.trained_on) & ~copied
            if learnt.any():
                leaks.append(f"{int(learnt.sum()):,} faces of {split}, which is {data.origins[split]}")
        if leaks:
            raise ValueError(
                f"teacher {self.path} has learnt {', and '.join(leaks)}, and would pass on what they are: give both "
                f"runs the same data.splits, val_fraction, split_seed and fold"
            )
        shared = int(torch.isin(data.trained_on, known.trained_on).sum())
        log.info("teacher: %s, which has learnt %s of the faces to train on", self.path, f"{shared:,}")
        log.info("the loss of train counts what the teacher says; that of val and test does not")
        if shared == 0:
            message = "teacher %s has learnt none of these faces, but those of %s: is that the data.path you mean?"
            log.warning(message, self.path, known.source)
        self._scale, self._shift = known.preprocessing.scale_and_shift(data.preprocessing)

    def training_loss(self, logits: Tensor, targets: Tensor, weights: Tensor, images: Tensor) -> Tensor:
        with torch.no_grad():
            self.teacher.to(images.device)
            teacher_logits = self.teacher(images * self._scale.to(images) + self._shift.to(images)).float()
        teacher_log_probs = (teacher_logits / self.temperature).log_softmax(1)
        student_log_probs = (logits.float() / self.temperature).log_softmax(1)
        # Times the temperature's square, since its gradients shrink by that.
        from_teacher = (
            F.kl_div(student_log_probs, teacher_log_probs, reduction="batchmean", log_target=True) * self.temperature**2
        )
        return (1 - self.weight) * self(logits, targets, weights) + self.weight * from_teacher

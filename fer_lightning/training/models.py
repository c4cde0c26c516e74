"""What conf/model/ offers: an EmotionClassifier for each kind of network, built from plain values."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn
from torch.optim import Optimizer

from fer_lightning.config.trust import trusted_target
from fer_lightning.data import EMOTIONS
from fer_lightning.data.faces import SIDE
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18, Stem
from fer_lightning.nets.torchvision import colour_size, refusal, torchvision_net
from fer_lightning.nets.weights import Start, load_start
from fer_lightning.signature import argument_error
from fer_lightning.training.classifier import EmotionClassifier, class_name
from fer_lightning.training.fitting import LONGEST, refuse_misfit
from fer_lightning.training.losses import CrossEntropy
from fer_lightning.training.model_file import network_content
from fer_lightning.training.schedules import Schedule

CHANNELS_LAST_FROM = 16
"""Width from which ResNet18 can be laid out as NHWC. Below, oneDNN (of torch 2.15, on the CPU, in float32) writes past
its memory in the backward pass of a 1×1 convolution of stride 2 with fewer input channels, and the process dies."""


class TorchvisionClassifier(EmotionClassifier):
    """`nets.torchvision.torchvision_net`, from the weights that `nets.weights.Start` names.

    Raises:
        ValueError: a network that torchvision does not have, or weights that cannot be used.
    """

    def __init__(
        self,
        arch: str,
        class_names: Sequence[str] = EMOTIONS,
        start: Start | None = None,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        net = torchvision_net(arch, len(class_names))
        in_colour = load_start(net, arch, start or Start())
        super().__init__(
            net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, channels_last
        )
        self.image_size = colour_size(arch) if in_colour or refusal(net, SIDE) else SIDE
        # Not the start: the checkpoint itself holds the weights that a rebuilt model starts with.
        self.save_hyperparameters("arch", "class_names", "channels_last", logger=False)


class ResNet18Classifier(EmotionClassifier):
    """`nets.resnet18.ResNet18`, from the weights that `nets.weights.Start` names.

    channels_last only holds from width CHANNELS_LAST_FROM on.

    Raises:
        ValueError: an argument outside its range, or weights that cannot be used.
    """

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        stem: Stem = "imagenet",
        width: int = 64,
        dropout: float = 0.0,
        start: Start | None = None,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        net = ResNet18(len(class_names), stem, width, dropout)
        in_colour = load_start(net, "resnet18", start or Start())
        layout = channels_last and width >= CHANNELS_LAST_FROM
        super().__init__(net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, layout)
        self.image_size = colour_size("resnet18") if in_colour else SIDE
        self.save_hyperparameters("class_names", "stem", "width", "dropout", "channels_last", logger=False)


class DeepEmotionClassifier(EmotionClassifier):
    """`nets.deep_emotion.DeepEmotion`; the other arguments as `EmotionClassifier`.

    Args:
        transformer_lr_scale: the learning rate of the spatial transformer, as a multiple of that of the rest. At a high
            rate it can leave the image, and then sees black and learns nothing any more.

    Raises:
        ValueError: a transformer_lr_scale that is not above 0.
    """

    def __init__(
        self,
        class_names: Sequence[str] = EMOTIONS,
        dropout: float = 0.5,
        transformer_lr_scale: float = 1.0,
        channels_last: bool = False,
        decay_norms_and_biases: bool = False,
        loss: CrossEntropy | None = None,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Schedule | None = None,
        head_lr_scale: float = 1.0,
    ) -> None:
        if transformer_lr_scale <= 0:
            raise ValueError(f"transformer_lr_scale is {transformer_lr_scale}; it must be above 0")
        net = DeepEmotion(len(class_names), dropout)
        super().__init__(
            net, class_names, loss, optimizer, schedule, head_lr_scale, decay_norms_and_biases, channels_last
        )
        self.transformer_lr_scale = transformer_lr_scale
        self.save_hyperparameters("class_names", "dropout", "channels_last", logger=False)

    @property
    def lr_scales(self) -> list[tuple[nn.Module, float]]:
        assert isinstance(self.net, DeepEmotion)
        return [*super().lr_scales, (self.net.transformer, self.transformer_lr_scale)]


def load_model(source: Path | str, loss: CrossEntropy | None = None) -> EmotionClassifier:
    """Returns a trained network on the CPU, ready to predict; nothing in a file is executed.

    `model.preprocessing(picture)` is what it takes, and `model.class_names` are its classes.

    Args:
        source: the folder of a finished run (for its tested network), a checkpoint, or a model.safetensors.
        loss: needed only to measure the network.

    Raises:
        ValueError: a file that holds no such network.
    """
    content = network_content(Path(source))
    try:
        kind = model_kind(content.model_class)
        if problem := argument_error(kind, content.hyper_parameters):
            raise ValueError(f"hyper_parameters: {problem}")
        refuse_misfit(kind, content.hyper_parameters, content.state_dict)
        model: EmotionClassifier = kind(**content.hyper_parameters)  # type: ignore[arg-type]
        model.trained_by(loss)
        # Of a model.safetensors, which has not what classes weigh in the loss, they stay at one.
        model.load_state_dict({"class_weights": model.class_weights} | content.state_dict)
    except (ValueError, TypeError, RuntimeError) as error:
        why = str(error)[:LONGEST]  # it may name all that is in there
        raise ValueError(f"{source} is not a checkpoint of this program: {why}") from error
    model.preprocessing = content.preprocessing
    return model.eval()


def model_kind(name: str) -> type[EmotionClassifier]:
    """The class that a checkpoint names: one that is there already, or is imported since it is trusted (see `trust`).

    Older checkpoints name it without its module, and where ours lie may change: those are found by their last name.

    Raises:
        ValueError: there is none of that name, or it is not trusted.
    """
    kinds: list[type[EmotionClassifier]] = [EmotionClassifier]
    for kind in kinds:  # which grows on the way
        kinds += kind.__subclasses__()
    for kind in kinds[1:]:
        if class_name(kind) == name:
            return kind
    package, _, last = name.rpartition(".")
    ours = __name__.partition(".")[0]
    if package and package.partition(".")[0] != ours:
        try:
            target: type[EmotionClassifier] = trusted_target("model", name)
        except ValueError as error:
            raise ValueError(f"model_class is {error}") from error
        return target
    known = {kind.__name__: kind for kind in kinds[1:] if not package or kind.__module__.startswith(f"{ours}.")}
    if last not in known:
        raise ValueError(f"model_class is {name!r}; it is one of {', '.join(known)}")
    return known[last]

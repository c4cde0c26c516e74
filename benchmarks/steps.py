"""5. The training step itself: precision, layout, compilation, optimizer."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.side_by_side import markdown, medians, timed
from fer_lightning.nets.deep_emotion import DeepEmotion
from fer_lightning.nets.resnet18 import ResNet18

STEPS = {"resnet18": 3, "deep_emotion": 10}


def table(compiled: bool, repeats: int = 3) -> str:
    rows = []
    for name, kind in (("resnet18", ResNet18), ("deep_emotion", DeepEmotion)):
        ways: dict[str, Callable[[], object]] = {}
        for precision in ("float32", "bfloat16"):
            for layout in ("contiguous", "channels_last"):
                for fused in (False, True):
                    label = f"{precision}, {layout}, {'fused' if fused else 'foreach'} SGD"
                    ways[label] = stepper(kind(), precision, layout, fused, False, STEPS[name])
        if compiled:
            ways["bfloat16, channels_last, fused SGD, compiled"] = stepper(
                kind(), "bfloat16", "channels_last", True, True, STEPS[name]
            )
        seconds = medians({label: timed(way) for label, way in ways.items()}, repeats)
        reference = seconds["float32, contiguous, foreach SGD"]
        rows += [
            {
                "network": name,
                "step": label,
                "ms": f"{value / STEPS[name] * 1e3:.0f}",
                "times the speed of the first": f"{reference / value:.2f}",
            }
            for label, value in seconds.items()
        ]
    return markdown("One step, batches of 128", rows)


def stepper(net: nn.Module, precision: str, layout: str, fused: bool, compiled: bool, steps: int) -> Callable[[], None]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    net = net.to(device).to(memory_format=memory_format)
    images = torch.randn(128, 1, 48, 48, device=device).to(memory_format=memory_format)
    labels = torch.randint(7, (128,), device=device)
    one_kernel = {"fused": True} if fused else {"foreach": True}
    optimizer = torch.optim.SGD(net.parameters(), 0.001, 0.9, nesterov=True, weight_decay=5e-4, **one_kernel)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
    if compiled:
        net.compile()

    def run() -> None:
        for _ in range(steps):
            with autocast:
                loss = F.cross_entropy(net(images).float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run

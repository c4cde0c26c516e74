"""What depends on the kind of hardware that a network trains on."""

from collections.abc import Mapping
from typing import Any

import torch


def fast_precision(accelerator: str) -> str:
    """Returns bf16-mixed where the hardware computes it: elsewhere it is emulated, and slower than float32."""
    device = "cpu"
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        device = "cuda"
    elif accelerator == "mps" or (accelerator == "auto" and torch.backends.mps.is_available()):
        device = "mps"
    return "bf16-mixed" if computes_bfloat16(device) else "32-true"


def computes_bfloat16(device: str) -> bool:
    """Checks whether a kind of device, as torch names it, multiplies in bfloat16 itself: if not, float32 is faster."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    capabilities_of = getattr(torch.cpu, "get_capabilities", dict)  # not in every torch that pyproject.toml allows
    capabilities: Mapping[str, Any] = capabilities_of()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def seed_dropout(seed: int, device: torch.device) -> None:
    """Seeds the generators that dropout on a device draws from, as torch.manual_seed does for all kinds of devices.

    torch.manual_seed formats a stack trace for each kind that is not in use: some milliseconds in each step.
    """
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)

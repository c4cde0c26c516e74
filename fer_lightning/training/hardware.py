"""What the hardware computes itself, and does not emulate."""

from collections.abc import Mapping
from typing import Any

import torch


def computes_bfloat16(device: str) -> bool:
    """Checks whether a kind of device, as torch names it, multiplies in bfloat16 itself: if not, float32 is faster."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device != "cpu":
        return False
    capabilities_of = getattr(torch.cpu, "get_capabilities", dict)  # not in every torch that pyproject.toml allows
    capabilities: Mapping[str, Any] = capabilities_of()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))

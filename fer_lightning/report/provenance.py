"""Records what a result was measured with: the command, the code, the machine and the versions."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from fer_lightning.installation import NAME, code_version, package_version

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy")


def provenance(command: str, accelerator: str, devices: int = 1) -> dict[str, str | int]:
    """Returns the command, the commit or version of the code, the machine, the number of threads and the versions.

    Args:
        command: what a shell repeats the measurement by.
        accelerator: "cpu", "cuda", …: what the network was trained on.
        devices: on how many of them, all of this kind.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "command": command,
        "commit": code_version(),
        "machine": (f"{devices} × " if devices > 1 else "") + machine(accelerator),
        "threads": torch.get_num_threads(),
        "versions": f"Python {platform.python_version()}, {NAME} {package_version()}, {versions}",
    }


def machine(accelerator: str) -> str:
    """Returns the GPU's name, or how many cores of which processor are used."""
    if accelerator == "cuda":
        return torch.cuda.get_device_name()
    name = _processor()
    return f"{torch.get_num_threads()} of {os.cpu_count()} cores, {name}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

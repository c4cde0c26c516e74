"""Records what a result was measured with: the command, the code, the machine and the versions."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy")


def provenance(command: str, accelerator: str, devices: int = 1) -> dict[str, str | int]:
    """Returns the command, the commit that it runs, the machine, the number of threads and the versions.

    Args:
        command: what a shell repeats the measurement by.
        accelerator: "cpu", "cuda", …: what the network was trained on.
        devices: on how many of them, all of this kind.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "command": command,
        "commit": _commit(),
        "machine": (f"{devices} × " if devices > 1 else "") + machine(accelerator),
        "threads": torch.get_num_threads(),
        "versions": f"Python {platform.python_version()}, {versions}",
    }


def _commit() -> str:
    """Returns the commit of the code, with -dirty if it was changed since; "unknown" outside of a git clone."""
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        result = subprocess.run(
            describe, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


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

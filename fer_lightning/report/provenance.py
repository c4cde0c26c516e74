"""What a figure was measured with: the command, the code, the machine and the versions."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from fer_lightning.config.typed_command import command

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "numpy")


def provenance(script: str, overrides: Sequence[str], accelerator: str, devices: int = 1) -> dict[str, str | int]:
    """Of train.py or test.py: its command, the commit that it runs, the machine, the number of threads, the versions.

    Args:
        script: the one that runs.
        overrides: what it was, or a resumed run once was, started with, options included.
        accelerator: "cpu", "cuda", …: what the network was trained on.
        devices: on how many of them, all of this kind.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "command": command(script, *overrides),
        "commit": _commit(),
        "machine": (f"{devices} × " if devices > 1 else "") + machine(accelerator),
        "threads": torch.get_num_threads(),
        "versions": f"Python {platform.python_version()}, {versions}",
    }


def _commit() -> str:
    """The commit of the code, with -dirty if it was changed since; "unknown" outside of a git clone."""
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        result = subprocess.run(
            describe, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return result.stdout.strip()


def machine(accelerator: str) -> str:
    """The GPU's name, or how many cores of which processor are used."""
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

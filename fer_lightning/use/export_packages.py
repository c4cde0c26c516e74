"""Checks that the packages that write ONNX files are there, before work starts. Imports no torch."""

import importlib.util

from fer_lightning.errors import ConfigError

EXPORTERS = ("onnx", "onnxscript")


def refuse_without_packages() -> None:
    """Raises ConfigError where one of them is missing, and says how to install it."""
    if missing := [name for name in EXPORTERS if not importlib.util.find_spec(name)]:
        raise ConfigError(f"ONNX files need the package {missing[0]}: pip install 'fer_lightning[export]'")

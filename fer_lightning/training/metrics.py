"""The metrics of a network, by name. Imports no torch."""

METRICS = ("loss", "accuracy", "precision", "recall", "f1")
"""Metrics, logged as train/…, val/… and test/…: accuracy over all faces, the next three as means over the classes."""


def better(monitor: str) -> str:
    """Returns "min" if the monitored metric is better when it is smaller, "max" otherwise."""
    return "min" if monitor.endswith("loss") else "max"

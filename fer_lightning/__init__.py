"""Train, compare and understand facial-emotion classifiers."""

__version__ = "0.1.0"

"""Train, compare and understand facial-emotion classifiers."""

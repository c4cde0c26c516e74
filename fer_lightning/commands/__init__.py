"""The commands, step by step: train, test, resume, and the two that only look."""

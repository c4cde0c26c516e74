"""What each command does, step by step: train, test, resume, and the two that only look."""

"""Readers: each takes a path and returns Faces; recognition.py looks which of them a path needs."""

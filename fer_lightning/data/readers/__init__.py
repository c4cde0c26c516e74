"""Readers: each takes a path and returns Faces; source.py looks which of them a path needs."""

"""Checkpoint folders: files, manifest and versions."""

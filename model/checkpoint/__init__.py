"""Checkpoint folders: manifest, versions, and what they hold."""

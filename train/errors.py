"""Errors of training."""

from model.errors import SketchZooError


class DataError(SketchZooError):
    """The data, the settings or the files of a run cannot be used."""

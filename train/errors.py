"""What goes wrong with data for training."""

from model.errors import SketchZooError


class DataError(SketchZooError):
    """A data folder lacks what training needs."""

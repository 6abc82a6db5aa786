"""Exceptions whose message a person can act on: what is wrong, where, and the remedy."""


class SketchZooError(Exception):
    """Base of every error that is meant to be shown to a person as it is."""


class ImageError(SketchZooError):
    """A picture cannot be used: unreadable, too large or too small."""


class EmptySketchError(SketchZooError):
    """A drawing holds no line at all, so there is nothing to search for."""


class CheckpointError(SketchZooError):
    """A checkpoint folder is incomplete, damaged or does not fit together."""


class GalleryError(SketchZooError):
    """A folder of photos cannot be indexed."""

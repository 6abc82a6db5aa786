"""Errors for people. Their messages say what is wrong, where, and what to do about it."""


class SketchZooError(Exception):
    """Base class of all errors whose message is shown to people."""


class ImageError(SketchZooError):
    """A picture cannot be used: it is unreadable, too large or too small."""


class EmptySketchError(SketchZooError):
    """A drawing has no lines, so there is nothing to search for."""


class CheckpointError(SketchZooError):
    """A checkpoint folder is incomplete or damaged, or its files do not fit together."""


class GalleryError(SketchZooError):
    """A gallery cannot be built or searched."""

"""The encoder and the search: everything that the app loads, and that training exports."""

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.encoder import Encoder
from model.errors import (
    CheckpointError,
    EmptySketchError,
    GalleryError,
    ImageError,
    SketchZooError,
)
from model.search.matches import Match
from model.search.search import SketchSearch

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "EmptySketchError",
    "Encoder",
    "GalleryError",
    "ImageError",
    "Match",
    "Photo",
    "SketchSearch",
    "SketchZooError",
]

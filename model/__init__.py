"""The encoder and the search: everything that the app loads, and that training exports.

Each package imports only those above it in this list:

    pictures     from a file or strokes to the frame that the encoder sees
    encoder      from frames to embeddings; why two pictures are similar
    checkpoint   folders with networks, a manifest and versions
    search       engines for the nearest embeddings, the map, the search
    gallery      photos, labels and credits; builds an index over them
"""

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

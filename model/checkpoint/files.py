"""Names and digests of the files in a checkpoint folder."""

import hashlib
from pathlib import Path

ENCODER = "encoder.onnx"
PHOTO_ENCODER = "photos.onnx"
HEADS = "heads.safetensors"
WEIGHTS = "encoder.safetensors"
PHOTO_WEIGHTS = "photos.safetensors"
EMBEDDINGS = "embeddings.npy"
INDEX = "index.ann"
LAYOUT = "layout.npy"
MANIFEST = "manifest.json"
THUMBNAILS = "thumbnails"

CHECKPOINT_FILES = {ENCODER, PHOTO_ENCODER, HEADS, WEIGHTS, PHOTO_WEIGHTS}
GALLERY_FILES = (EMBEDDINGS, INDEX, LAYOUT)


def sha256(path: Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

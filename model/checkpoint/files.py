"""The files of a checkpoint folder: their names, and the digest that tells them apart."""

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

CHECKPOINT_FILES = {ENCODER, PHOTO_ENCODER, HEADS, WEIGHTS, PHOTO_WEIGHTS}

GALLERY_FILES = (EMBEDDINGS, INDEX, LAYOUT)

THUMBNAILS = "thumbnails"


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

"""How well a checkpoint finds photos of the right class, through the API that the app uses."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from model.checkpoint import Checkpoint
from model.encoder import Embeddings
from model.errors import ImageError
from model.images import open_image
from train.data import DataError, Picture, Split, list_pictures
from train.metrics import Metrics, evaluate_embeddings

CHUNK = 128


def evaluate(
    checkpoint: Path, photos: Sequence[Path], sketches: Sequence[Path], split: Path | None
) -> Metrics:
    """Ranks all photos for every sketch.

    Args:
        checkpoint: a checkpoint folder.
        photos: folders with one folder a class.
        sketches: likewise; a sketch is named `<photo id>-<k>.png`.
        split: the `split.json` of a run: only photos and sketches whose photo id it holds out
            are used, so that neither a training photo nor a sketch of one counts.

    Raises:
        DataError: a folder holds no pictures, or the split none of them.
        CheckpointError: the checkpoint cannot be opened.
    """
    encoder = Checkpoint.open(checkpoint).encoder()
    gallery = [p for folder in photos for p in list_pictures(folder, sketches=False)]
    queries = [p for folder in sketches for p in list_pictures(folder, sketches=True)]
    if split is not None:
        held_out = Split.load(split)
        gallery, queries = held_out.validation(gallery), held_out.validation(queries)
    if len(gallery) < 12 or not queries:
        raise DataError(
            f"There are {len(gallery)} photos and {len(queries)} sketches to evaluate with; "
            "12 photos and a sketch are the least."
        )
    photo_rows, photo_labels = _embed(encoder.embed_photos, gallery, "photos")
    sketch_rows, sketch_labels = _embed(encoder.embed_sketches, queries, "sketches")
    return evaluate_embeddings(
        sketch_rows, photo_rows, np.array(sketch_labels), np.array(photo_labels)
    )


def _embed(
    embed: Callable[[Sequence[Image.Image]], Embeddings], pictures: Sequence[Picture], kind: str
) -> tuple[Embeddings, list[str]]:
    rows, labels = [], []
    with tqdm(total=len(pictures), desc=f"embedding {kind}", unit="") as progress:
        for start in range(0, len(pictures), CHUNK):
            images = []
            for picture in pictures[start : start + CHUNK]:
                try:
                    images.append(open_image(picture.path))
                    labels.append(picture.label)
                except ImageError as error:
                    progress.write(f"left out: {picture.path}: {error}")
            rows.append(embed(images))
            progress.update(len(pictures[start : start + CHUNK]))
    return np.concatenate(rows), labels

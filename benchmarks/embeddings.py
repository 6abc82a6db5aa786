"""Synthetic embeddings, as many as needed, for benchmarks of search."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import Photo
from model.encoder.head import Embeddings
from model.files import replacing
from model.gallery.starter import starter_photos
from model.pictures.decoding import open_image
from model.pictures.strokes import parse_strokes, render_strokes
from tests.harness.apps import ROOT

BLOCK = 50_000
"""Number of embeddings that are made at a time. Each block has its own seed."""

QUERIES = -1
"""Number of the block that holds the queries."""


class SyntheticEmbeddings:
    """Noisy copies of the embeddings of the starter gallery's photos.

    The centres are the photos, and on request the example sketches too. The noise is normal. In
    each dimension it has the standard deviation of photos of one animal around their mean, pooled
    over all animals with several photos. The sum is normalised to length 1.

    Attributes:
        photos: the starter gallery.
        centres: `(c, d)`, first the photos in their order, then the sketches.
        spread: `(d,)`, the standard deviation of the noise.
    """

    def __init__(self, checkpoint: Checkpoint, *, sketches: bool = True) -> None:
        encoder = checkpoint.encoder()
        self.photos = starter_photos()
        images = [open_image(Path(p.path)) for p in tqdm(self.photos, "reading photos")]
        embedded = encoder.embed_photos(images)
        self.spread = spread_within(embedded, self.photos)
        if sketches:
            text = (ROOT / "assets" / "examples.json").read_text(encoding="utf-8")
            drawn = [parse_strokes(example["strokes"]) for example in json.loads(text)]
            rendered = [render_strokes(strokes) for strokes in drawn]
            embedded = np.concatenate([embedded, encoder.embed_sketches(rendered)])
        self.centres = embedded

    def block(self, number: int) -> tuple[Embeddings, list[int]]:
        """`BLOCK` embeddings, `(BLOCK, d)`, and the index of the centre of each."""
        random = np.random.default_rng((12, number + 1))
        chosen = random.integers(0, len(self.centres), BLOCK)
        noise = random.standard_normal((BLOCK, len(self.spread)), np.float32)
        points = self.centres[chosen] + noise * self.spread
        return points / np.linalg.norm(points, axis=1, keepdims=True), chosen.tolist()

    def queries(self, count: int) -> Embeddings:
        """Embeddings of the same kind that no other block holds, `(count, d)`."""
        return self.block(QUERIES)[0][:count]

    def write(self, path: Path, count: int) -> list[int]:
        """Writes the first `count` embeddings as a matrix; returns the index of each centre."""
        shape = (count, self.centres.shape[1])
        centres: list[int] = []
        with (
            replacing(path) as unfinished,
            tqdm(total=count, desc="making embeddings", unit_scale=True) as progress,
        ):
            matrix = np.lib.format.open_memmap(unfinished, "w+", np.float32, shape)
            for number, start in enumerate(range(0, count, BLOCK)):
                rows, chosen = self.block(number)
                size = min(BLOCK, count - start)
                matrix[start : start + size] = rows[:size]
                centres.extend(chosen[:size])
                progress.update(size)
            matrix.flush()
        return centres


def spread_within(embeddings: Embeddings, photos: Sequence[Photo]) -> Embeddings:
    """Pooled standard deviation in each dimension around the mean of a label, `(d,)`."""
    labels = np.array([photo.label for photo in photos])
    squares, freedom = np.zeros(embeddings.shape[1], np.float32), 0
    for label in np.unique(labels):
        rows = embeddings[labels == label]
        squares += ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
        freedom += len(rows) - 1
    return np.asarray(np.sqrt(squares / freedom), np.float32)

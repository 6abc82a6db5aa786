"""Measures how well a checkpoint finds photos of the right class, with the app's own encoder."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from model.checkpoint.checkpoint import Checkpoint
from model.encoder.head import Embeddings
from model.errors import ImageError
from model.pictures.decoding import OWN, open_image
from train.data.pictures import Picture, Split, list_pictures
from train.errors import DataError
from train.metrics import FIRST, Metrics, Ranking, rank_photos, summarise

CHUNK = 128
"""Pictures that are embedded at once."""

RECALLS = (1, 5, 10)
"""The k of recall at k."""

HARDEST = 24
"""Sketches with the lowest average precision that are listed."""


@dataclass(frozen=True)
class Evaluation:
    """A ranking, with its pictures."""

    checkpoint: str
    photos: list[Picture]
    sketches: list[Picture]
    ranking: Ranking
    metrics: Metrics

    @property
    def classes(self) -> list[str]:
        """The labels of all sketches and photos, sorted."""
        return sorted({p.label for p in [*self.photos, *self.sketches]})

    def per_class(self) -> dict[str, dict[str, float]]:
        """P@12, P@1, mAP, and how many photos and sketches there are, by class of the sketch."""
        labels = labels_of(self.sketches)
        table = {}
        for label in sorted(set(labels.tolist())):
            of = labels == label
            table[label] = {
                "precision_at_12": float(self.ranking.precision_at(FIRST)[of].mean()),
                "precision_at_1": float(self.ranking.precision_at(1)[of].mean()),
                "map": float(self.ranking.average_precision[of].mean()),
                "photos": sum(p.label == label for p in self.photos),
                "sketches": int(of.sum()),
            }
        return table

    def confusion(self) -> NDArray[np.float64]:
        """`(classes, classes)`: for sketches of class i, the share of class j in the first 12."""
        number = {label: i for i, label in enumerate(self.classes)}
        counts = np.zeros((len(number), len(number)))
        found = np.array([number[p.label] for p in self.photos])[self.ranking.first]
        for sketch, photos in zip(self.sketches, found, strict=True):
            np.add.at(counts[number[sketch.label]], photos, 1)
        shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        return shares

    def perfect(self) -> float:
        """P@12 of a perfect ranking; below 1 if a class has fewer than 12 photos."""
        counts = Counter(p.label for p in self.photos)
        return float(np.mean([min(counts[p.label], FIRST) / FIRST for p in self.sketches]))

    def hardest(self) -> list[int]:
        """Indices of the sketches with the lowest average precision, lowest first."""
        chosen: list[int] = np.argsort(self.ranking.average_precision, kind="stable").tolist()
        return chosen[:HARDEST]

    def figures(self) -> dict[str, Any]:
        """All figures, as JSON. A recall is null if no sketch has its photo in the gallery."""
        ranking = self.ranking
        known = int((ranking.own_rank > 0).sum())
        return {
            **asdict(self.metrics),
            "checkpoint": self.checkpoint,
            "perfect_precision_at_12": self.perfect(),
            "balanced_precision_at_12": float(ranking.balanced.mean()),
            "precision_at": {str(k): float(ranking.precision_at(k).mean()) for k in ranking.depths},
            "recall_at": {str(k): ranking.recall_at(k) for k in RECALLS},
            "recall_at_in_class": {str(k): ranking.recall_at(k, in_class=True) for k in RECALLS},
            "sketches_with_their_photo": known,
            "per_class": self.per_class(),
            "confusion": {"classes": self.classes, "shares": self.confusion().round(4).tolist()},
            "hardest": [
                {
                    "sketch": str(self.sketches[i].path),
                    "label": self.sketches[i].label,
                    "average_precision": float(ranking.average_precision[i]),
                    "found": [self.photos[j].label for j in ranking.first[i]],
                }
                for i in self.hardest()
            ],
        }


def evaluate(
    checkpoint: Path,
    photos: Sequence[Path],
    sketches: Sequence[Path],
    split: Path | None,
    *,
    shared: bool = False,
) -> Evaluation:
    """Ranks all photos for every sketch.

    Args:
        checkpoint: a checkpoint folder.
        photos: folders of photos, with one folder a class in each.
        sketches: folders of sketches `<photo id>-<k>.png`, with one folder a class in each.
        split: a `split.json`. Then only pictures whose photo id it holds out are used, so that no
            training photo counts and no sketch of one, and only classes of the checkpoint.
        shared: embed photos with the network for sketches, even if there is another.

    Raises:
        DataError: there are too few pictures.
        CheckpointError: the checkpoint cannot be opened.
    """
    opened = Checkpoint.open(checkpoint)
    embedded = embed_pictures(opened, photos, sketches, split, shared=shared)
    gallery, queries = embedded.photos, embedded.sketches
    ranking = rank_photos(
        embedded.sketch_rows,
        embedded.photo_rows,
        labels_of(queries),
        labels_of(gallery),
        np.array([p.photo_id for p in queries]),
        np.array([p.photo_id for p in gallery]),
    )
    metrics = summarise(ranking, labels_of(queries), len(gallery))
    return Evaluation(opened.manifest.name, gallery, queries, ranking, metrics)


@dataclass(frozen=True)
class Embedded:
    """Pictures that could be read, and their embeddings, `(n, d)`."""

    photos: list[Picture]
    sketches: list[Picture]
    photo_rows: Embeddings
    sketch_rows: Embeddings


def embed_pictures(
    opened: Checkpoint,
    photos: Sequence[Path],
    sketches: Sequence[Path],
    split: Path | None,
    *,
    shared: bool = False,
) -> Embedded:
    """Embeds the pictures that `evaluate` ranks; it has the same arguments and errors."""
    gallery, queries = choose_pictures(opened, photos, sketches, split)
    encoder = opened.encoder()
    photo_rows, gallery = embed(partial(encoder.embed_photos, shared=shared), gallery, "photos")
    sketch_rows, queries = embed(encoder.embed_sketches, queries, "sketches")
    _check(gallery, queries, split)
    return Embedded(gallery, queries, photo_rows, sketch_rows)


def choose_pictures(
    opened: Checkpoint, photos: Sequence[Path], sketches: Sequence[Path], split: Path | None
) -> tuple[list[Picture], list[Picture]]:
    """The photos and sketches that `evaluate` ranks; it has the same arguments and errors."""
    gallery = [p for folder in photos for p in list_pictures(folder, sketches=False)]
    queries = [p for folder in sketches for p in list_pictures(folder, sketches=True)]
    if split is not None:
        held_out, known = Split.load(split), set(opened.manifest.classes)
        gallery, queries = (
            [p for p in held_out.validation(pictures, others) if p.label in known]
            for pictures, others in ((gallery, queries), (queries, gallery))
        )
    _check(gallery, queries, split)
    return gallery, queries


def _check(gallery: Sequence[Picture], queries: Sequence[Picture], split: Path | None) -> None:
    if len(gallery) >= FIRST and queries:
        return
    among = f" among those that {split} holds out; --all-pictures uses all" if split else ""
    raise DataError(
        f"There are {len(gallery)} photos and {len(queries)} sketches to evaluate with{among}. "
        f"At least {FIRST} photos and one sketch are needed."
    )


def labels_of(pictures: Sequence[Picture]) -> NDArray[np.str_]:
    """`(n,)` labels."""
    return np.array([p.label for p in pictures])


def embed(
    encode: Callable[[Sequence[Image.Image]], Embeddings], pictures: Sequence[Picture], kind: str
) -> tuple[Embeddings, list[Picture]]:
    """Embeddings of the pictures that can be read, and these pictures."""
    rows, readable = [], []
    with tqdm(total=len(pictures), desc=f"embedding {kind}", unit="") as progress:
        for start in range(0, len(pictures), CHUNK):
            images = []
            for picture in pictures[start : start + CHUNK]:
                try:
                    images.append(open_image(picture.path, limits=OWN))
                    readable.append(picture)
                except ImageError as error:
                    progress.write(f"left out: {picture.path}: {error}")
            rows.append(encode(images))
            progress.update(len(pictures[start : start + CHUNK]))
    return np.concatenate(rows), readable

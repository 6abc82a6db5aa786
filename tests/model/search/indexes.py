"""Indexes over clustered embeddings, and a loop over all embeddings to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.checkpoint.files import EMBEDDINGS
from model.checkpoint.manifest import Manifest
from model.checkpoint.records import EngineName, Metric, Photo
from model.encoder.head import Embeddings
from model.gallery.write import index_photos
from model.search.engines import open_index
from model.search.labels import number_labels
from model.search.protocol import Engine

ENGINES: list[EngineName] = ["exact", "annoy", "milvus"]

METRICS: list[Metric] = ["angular", "euclidean"]

LABELS = 12


@dataclass
class Gallery:
    """Embeddings with an opened index over them."""

    folder: Path
    manifest: Manifest
    embeddings: Embeddings
    labels: list[str]
    engine: Engine


def clusters(count: int, metric: Metric, seed: int, labels: int = LABELS) -> Embeddings:
    """Points around one centre per label, `(n, 16)`. Point i has the label i % labels."""
    centres = np.random.default_rng(0).normal(size=(labels, 16))
    noise = np.random.default_rng(seed).normal(size=(count, 16))
    points = centres[np.arange(count) % labels] + 0.4 * noise
    if metric == "angular":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


def opened(folder: Path, manifest: Manifest) -> Engine:
    _, labels = number_labels([photo.label for photo in manifest.photos])
    return open_index(folder, manifest, labels)


def make(
    folder: Path, count: int, engine: EngineName, metric: Metric, labels: int = LABELS
) -> Gallery:
    embeddings = clusters(count, metric, 1, labels)
    names = [f"label {i % labels}" for i in range(count)]
    photos = [Photo(f"{i}.jpg", name) for i, name in enumerate(names)]
    np.save(folder / EMBEDDINGS, embeddings)
    info = index_photos(folder, photos, metric, "key", engine)
    manifest = Manifest(
        name="test",
        backbone="resnet18",
        projection_size=16,
        embedding_size=16,
        input_size=32,
        scale=1.0,
        classes=[],
        training={},
        metrics={},
        sha256={},
        index=info,
        photos=photos,
        normalise=metric == "angular",
    )
    return Gallery(folder, manifest, embeddings, names, opened(folder, manifest))


def by_loop(
    gallery: Gallery, query: Embeddings, k: int, allowed: Callable[[str], bool]
) -> list[tuple[float, int]]:
    """Distances and numbers of the nearest photos with an allowed label, in float64."""
    found = []
    for number, row in enumerate(gallery.embeddings):
        if allowed(gallery.labels[number]):
            difference = row.astype(float) - query.astype(float)
            found.append((float(difference @ difference) ** 0.5, number))
    return sorted(found)[:k]


def share_found(
    gallery: Gallery, allowed: Callable[[str], bool], labels: list[int] | None, queries: int = 25
) -> float:
    """Recall over some queries. Also checks the distances and their order."""
    metric = gallery.manifest.metric
    hits = 0
    for query in clusters(queries, metric, 2):
        expected = by_loop(gallery, query, 12, allowed)
        chosen = None if labels is None else np.array(labels, np.int32)
        numbers, distances = gallery.engine.search(query, 12, chosen)
        assert len(set(numbers.tolist())) == len(expected)
        assert all(allowed(gallery.labels[number]) for number in numbers)
        true = np.linalg.norm(gallery.embeddings[numbers] - query, axis=1)
        np.testing.assert_allclose(distances, true, atol=2e-3)
        assert (np.diff(true) > -1e-5).all()
        hits += len({number for _, number in expected} & set(numbers.tolist()))
    return hits / (queries * len(expected))

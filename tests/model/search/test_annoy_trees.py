from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.records import Metric
from model.errors import GalleryError
from model.search.annoy_trees import check_annoy
from tests.model.search.indexes import METRICS, clusters, make, opened


@pytest.mark.parametrize("metric", METRICS)
def test_annoy_reaches_its_recall_where_its_default_effort_does_not(
    tmp_path: Path, metric: Metric
) -> None:
    made = make(tmp_path, 30_000, "annoy", metric)
    info = made.manifest.index
    assert info is not None
    assert info.recall >= 0.99
    careless = replace(made.manifest, index=replace(info, search_k=12 * info.trees))
    default = opened(tmp_path, careless)
    queries = clusters(300, metric, 2)
    rows = made.embeddings.astype(float)
    by_default = found = 0
    for query in queries:
        distances = ((rows - query) ** 2).sum(axis=1)
        nearest = set(np.argsort(distances)[:12].tolist())
        found += len(nearest & set(made.engine.search(query, 12)[0].tolist()))
        by_default += len(nearest & set(default.search(query, 12)[0].tolist()))
    assert found / (12 * len(queries)) >= 0.99 > by_default / (12 * len(queries))


def test_annoy_finds_twelve_photos_of_labels_far_from_the_query(tmp_path: Path) -> None:
    made = make(tmp_path, 45_000, "annoy", "angular", labels=2)
    rows = made.embeddings.astype(float)
    hits = 0
    for query in clusters(20, "angular", 2, labels=2):
        for label in (0, 1):
            numbers, _ = made.engine.search(query, 12, np.array([label], np.int32))
            assert (numbers % 2 == label).all()
            nearest = np.argsort(((rows[label::2] - query) ** 2).sum(axis=1))[:12] * 2 + label
            hits += len(set(nearest.tolist()) & set(numbers.tolist()))
    assert hits / (20 * 2 * 12) >= 0.99


def test_an_annoy_for_another_processor_gives_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -ILL $$\n")
    python.chmod(0o755)
    check_annoy.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", str(python))
        with pytest.raises(GalleryError, match=r"another processor.*pip install --force-reinstall"):
            check_annoy()
    check_annoy()

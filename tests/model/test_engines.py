"""Every engine against a loop over all embeddings, in float64."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.manifest import (
    EMBEDDINGS,
    INDEX,
    MANIFEST,
    EngineName,
    Manifest,
    Metric,
    Photo,
)
from model.encoder.encoder import Embeddings
from model.errors import CheckpointError, GalleryError
from model.gallery.build import build_gallery, gallery_is_current, index_photos, photos_in
from model.search.engines import Engine, check_annoy, choose_engine, open_index
from model.search.recall import choose_search_k
from model.search.search import SketchSearch
from tests.harness.apps import free_port

ENGINES: list[EngineName] = ["exact", "annoy", "milvus"]
METRICS: list[Metric] = ["angular", "euclidean"]
LABELS = 12


@dataclass
class Gallery:
    """Embeddings with an index over them, opened."""

    folder: Path
    manifest: Manifest
    embeddings: Embeddings
    labels: list[str]
    engine: Engine


def clusters(count: int, metric: Metric, seed: int, labels: int = LABELS) -> Embeddings:
    """Points around one centre a label, those of label i at i, i + labels and so on, `(n, 16)`."""
    centres = np.random.default_rng(0).normal(size=(labels, 16))
    noise = np.random.default_rng(seed).normal(size=(count, 16))
    points = centres[np.arange(count) % labels] + 0.4 * noise
    if metric == "angular":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32)


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
    return Gallery(folder, manifest, embeddings, names, open_index(folder, manifest))


@pytest.fixture(
    scope="module", params=[(e, m) for e in ENGINES for m in METRICS], ids=lambda p: "-".join(p)
)
def gallery(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gallery]:
    made = make(tmp_path_factory.mktemp("index"), 700, *request.param)
    yield made
    made.engine.close()


def by_loop(
    gallery: Gallery, query: Embeddings, k: int, allowed: Callable[[str], bool]
) -> list[tuple[float, int]]:
    """Distances and numbers of the nearest ones with an allowed label."""
    found = []
    for number, row in enumerate(gallery.embeddings):
        if allowed(gallery.labels[number]):
            difference = row.astype(float) - query.astype(float)
            found.append((float(difference @ difference) ** 0.5, number))
    return sorted(found)[:k]


def share_found(
    gallery: Gallery, allowed: Callable[[str], bool], labels: list[int] | None, queries: int = 25
) -> float:
    """Recall over some queries; distances and their order are checked."""
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


def test_the_twelve_nearest_are_those_of_a_loop(gallery: Gallery) -> None:
    info = gallery.manifest.index
    least = 0.99 if info and info.engine == "annoy" else 1
    assert share_found(gallery, lambda label: True, None) >= least


@pytest.mark.parametrize("labels", [[3], [0, 5, 7], [i for i in range(LABELS) if i != 4]])
def test_labels_narrow_the_search_to_what_a_loop_finds(gallery: Gallery, labels: list[int]) -> None:
    allowed = {f"label {i}" for i in labels}
    assert share_found(gallery, allowed.__contains__, labels) == 1


def test_more_are_asked_for_than_there_are(gallery: Gallery) -> None:
    query = clusters(1, gallery.manifest.metric, 2)[0]
    numbers, _ = gallery.engine.search(query, 5000)
    assert sorted(numbers.tolist()) == list(range(700))
    of_label, _ = gallery.engine.search(query, 5000, np.array([2], np.int32))
    assert sorted(of_label.tolist()) == list(range(2, 700, LABELS))
    none, distances = gallery.engine.search(query, 12, np.zeros(0, np.int32))
    assert len(none) == len(distances) == 0


def test_an_embedding_comes_back_by_its_number(gallery: Gallery) -> None:
    assert gallery.engine.count() == 700
    for number in (0, 345, 699):
        np.testing.assert_array_equal(gallery.engine.vector(number), gallery.embeddings[number])


def test_an_index_is_the_same_when_it_is_opened_again(gallery: Gallery) -> None:
    again = open_index(gallery.folder, gallery.manifest)
    query = clusters(1, gallery.manifest.metric, 2)[0]
    numbers, _ = again.search(query, 12)
    assert numbers.tolist() == gallery.engine.search(query, 12)[0].tolist()
    again.close()
    assert gallery.engine.search(query, 12)[0].tolist() == numbers.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_annoy_keeps_the_recall_it_promises_where_its_default_does_not(
    tmp_path: Path, metric: Metric
) -> None:
    made = make(tmp_path, 30_000, "annoy", metric)
    info = made.manifest.index
    assert info is not None
    assert info.recall >= 0.99
    careless = replace(made.manifest, index=replace(info, search_k=12 * info.trees))
    default = open_index(tmp_path, careless)
    queries = clusters(300, metric, 2)
    rows = made.embeddings.astype(float)
    by_default = found = 0
    for query in queries:
        distances = ((rows - query) ** 2).sum(axis=1)
        nearest = set(np.argsort(distances)[:12].tolist())
        found += len(nearest & set(made.engine.search(query, 12)[0].tolist()))
        by_default += len(nearest & set(default.search(query, 12)[0].tolist()))
    assert found / (12 * len(queries)) >= 0.99 > by_default / (12 * len(queries))


def test_annoy_finds_a_full_page_of_labels_that_are_far_from_the_query(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(("found", "effort"), [(11, 64), (12, 144)])
def test_no_effort_is_spent_on_photos_that_an_index_never_finds(found: int, effort: int) -> None:
    nearest = np.arange(24).reshape(2, 12)

    def find(effort: int) -> list[list[int]]:
        return [row[: found if effort >= 100 else 11].tolist() for row in nearest]

    chosen, share = choose_search_k(find, nearest, 64, 10_000)
    assert (chosen, share) == (effort, found / 12)


def test_the_engine_goes_by_the_number_of_photos() -> None:
    assert [choose_engine(n) for n in (1, 20_000, 20_001)] == ["exact", "exact", "annoy"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gallery_is_searched_by_any_engine_with_the_same_result(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path, engine: EngineName
) -> None:
    photos, folder = photos_in(photo_folder), tmp_path / "gallery"
    build_gallery(tiny_checkpoint, photos, folder, engine)
    assert gallery_is_current(folder, tiny_checkpoint, photos, engine)
    assert gallery_is_current(folder, tiny_checkpoint, photos) == (engine == "exact")
    search = SketchSearch.load(folder)
    rows = np.stack([search.embedding_of(number) for number in range(6)])
    for query in rows:
        order = np.argsort(-(rows @ query), kind="stable")
        assert [m.number for m in search.nearest(query)] == order.tolist()
        only = [n for n in order.tolist() if photos[n].label == "red panda"]
        assert [m.number for m in search.nearest(query, only=["red panda", "x"])] == only
        assert [m.number for m in search.nearest(query, without=["blue whale"])] == only
        assert search.nearest(query, only=["x"]) == []


@pytest.mark.parametrize(
    ("engine", "name"), [("exact", EMBEDDINGS), ("annoy", INDEX), ("milvus", "*.parquet")]
)
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_damaged_index_is_named(
    tmp_path: Path, engine: EngineName, name: str, kept: float
) -> None:
    made = make(tmp_path, 300, engine, "angular")
    made.engine.close()
    path = next(tmp_path.rglob(name))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CheckpointError, match=f"{tmp_path.name}.*start again to build it anew"):
        open_index(tmp_path, made.manifest)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_index_over_other_photos_is_refused(tmp_path: Path, engine: EngineName) -> None:
    made = make(tmp_path, 30, engine, "angular")
    made.engine.close()
    assert made.manifest.index is not None
    fewer = replace(made.manifest, index=replace(made.manifest.index, photos=29))
    with pytest.raises(CheckpointError, match="an index over 30 photos, not 29"):
        open_index(tmp_path, fewer)


def test_an_index_of_an_older_version_is_built_anew(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    photos, folder = photos_in(photo_folder), tmp_path / "gallery"
    built = build_gallery(tiny_checkpoint, photos, folder).checkpoint
    manifest, path = built.manifest, built.folder / MANIFEST
    text = path.read_text()
    assert manifest.index is not None
    for right, wrong in [
        ('"engine": "exact"', '"seed": 12'),
        ('"engine": "exact"', '"engine": "magic"'),
        ('"search_k": 0', '"search_k": "all"'),
        ('"recall": 1.0', '"recall": 12'),
    ]:
        assert right in text
        path.write_text(text.replace(right, wrong))
        with pytest.raises(CheckpointError, match="lacks a field or has one too many"):
            Checkpoint.open(folder)
        assert not gallery_is_current(folder, tiny_checkpoint, photos)


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def test_milvus_searches_on_a_server_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("MILVUS_URI", f"http://127.0.0.1:{port}")
    (tmp_path / "data").mkdir()
    command = ["server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "milvus_lite", *command, "--data-dir", str(tmp_path / "data")]
    )
    try:
        wait_for(port)
        (tmp_path / "gallery").mkdir()
        made = make(tmp_path / "gallery", 300, "milvus", "angular")
        assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [EMBEDDINGS]
        assert share_found(made, lambda label: True, None) == 1
        assert share_found(made, {"label 1"}.__contains__, [1]) == 1
        made.engine.close()
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_a_cluster_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MILVUS_URI", address)
    monkeypatch.setattr("model.search.milvus.SECONDS", 1.0)
    with pytest.raises(GalleryError, match=f"Milvus does not answer at {address}"):
        make(tmp_path, 30, "milvus", "angular")


def test_a_file_that_another_process_has_opened_is_said_to_be_so(tmp_path: Path) -> None:
    made = make(tmp_path, 30, "milvus", "angular")
    code = (
        "from pathlib import Path; import numpy as np;"
        "from model.search.milvus import Milvus;"
        f"Milvus(Path({str(tmp_path)!r}), np.arange(30, dtype=np.int32) % 12, 64)"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "If another process has opened it, use a cluster (MILVUS_URI)" in other.stderr
    made.engine.close()


def test_without_the_package_the_way_to_get_it_is_shown(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pymilvus'] = None; "
        "import model.search.engines, model.search.milvus"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "GalleryError: Search by Milvus needs a package: pip install -r" in done.stderr


def test_an_annoy_for_another_processor_is_told_with_the_remedy(
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

"""Every engine, compared with a loop over all embeddings in float64."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import EMBEDDINGS, INDEX, MANIFEST
from model.checkpoint.records import EngineName
from model.errors import CheckpointError
from model.gallery.build import build_gallery
from model.gallery.current import gallery_is_current
from model.gallery.photos import photos_in
from model.search.engines import choose_engine
from model.search.search import SketchSearch
from tests.model.search.indexes import (
    ENGINES,
    LABELS,
    METRICS,
    Gallery,
    clusters,
    make,
    opened,
    share_found,
)


@pytest.fixture(
    scope="module", params=[(e, m) for e in ENGINES for m in METRICS], ids=lambda p: "-".join(p)
)
def gallery(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gallery]:
    made = make(tmp_path_factory.mktemp("index"), 700, *request.param)
    yield made
    made.engine.close()


def test_the_twelve_nearest_are_those_of_a_loop(gallery: Gallery) -> None:
    info = gallery.manifest.index
    least = 0.99 if info and info.engine == "annoy" else 1
    assert share_found(gallery, lambda label: True, None) >= least


@pytest.mark.parametrize("labels", [[3], [0, 5, 7], [i for i in range(LABELS) if i != 4]])
def test_labels_narrow_the_search_to_what_a_loop_finds(gallery: Gallery, labels: list[int]) -> None:
    allowed = {f"label {i}" for i in labels}
    assert share_found(gallery, allowed.__contains__, labels) == 1


def test_a_search_for_more_photos_than_there_are_returns_all(gallery: Gallery) -> None:
    query = clusters(1, gallery.manifest.metric, 2)[0]
    numbers, _ = gallery.engine.search(query, 5000)
    assert sorted(numbers.tolist()) == list(range(700))
    of_label, _ = gallery.engine.search(query, 5000, np.array([2], np.int32))
    assert sorted(of_label.tolist()) == list(range(2, 700, LABELS))
    none, distances = gallery.engine.search(query, 12, np.zeros(0, np.int32))
    assert len(none) == len(distances) == 0


def test_the_engine_returns_an_embedding_by_its_number(gallery: Gallery) -> None:
    assert gallery.engine.count() == 700
    for number in (0, 345, 699):
        np.testing.assert_array_equal(gallery.engine.vector(number), gallery.embeddings[number])


def test_an_index_is_the_same_when_it_is_opened_again(gallery: Gallery) -> None:
    again = opened(gallery.folder, gallery.manifest)
    query = clusters(1, gallery.manifest.metric, 2)[0]
    numbers, _ = again.search(query, 12)
    assert numbers.tolist() == gallery.engine.search(query, 12)[0].tolist()
    again.close()
    assert gallery.engine.search(query, 12)[0].tolist() == numbers.tolist()


def test_the_default_engine_depends_on_the_number_of_photos() -> None:
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
def test_a_damaged_index_is_refused_by_name(
    tmp_path: Path, engine: EngineName, name: str, kept: float
) -> None:
    made = make(tmp_path, 300, engine, "angular")
    made.engine.close()
    path = next(tmp_path.rglob(name))
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(CheckpointError, match=f"{tmp_path.name}.*make the gallery again"):
        opened(tmp_path, made.manifest)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_index_over_other_photos_is_refused(tmp_path: Path, engine: EngineName) -> None:
    made = make(tmp_path, 30, engine, "angular")
    made.engine.close()
    assert made.manifest.index is not None
    fewer = replace(made.manifest, index=replace(made.manifest.index, photos=29))
    with pytest.raises(CheckpointError, match="an index over 30 photos, not 29"):
        opened(tmp_path, fewer)


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
        with pytest.raises(CheckpointError, match="missing, unknown or invalid field"):
            Checkpoint.open(folder)
        assert not gallery_is_current(folder, tiny_checkpoint, photos)

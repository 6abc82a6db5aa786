"""The shipped checkpoint over the starter gallery, compared with plain NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.errors import EmptySketchError, GalleryError
from model.gallery.build import build_gallery
from model.gallery.starter import starter_photos
from model.pictures.decoding import open_image
from model.pictures.strokes import parse_strokes, render_strokes
from model.search.search import SketchSearch


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> SketchSearch:
    folder = tmp_path_factory.mktemp("galleries") / "starter"
    build_gallery(Checkpoint.open(SHIPPED), starter_photos(), folder)
    return SketchSearch.load(folder)


def test_matches_are_those_of_a_full_search(
    search: SketchSearch, examples: dict[str, list[dict[str, Any]]]
) -> None:
    photos = search.encoder.embed_photos([open_image(Path(p.path)) for p in search.photos])
    for strokes in examples.values():
        image = render_strokes(parse_strokes(strokes))
        dots = photos @ search.encoder.embed_sketches([image])[0]
        order = np.argsort(-dots)[:12]
        matches = search.query(image)
        assert [m.rank for m in matches] == list(range(1, 13))
        assert [m.number for m in matches] == order.tolist()
        assert [m.photo for m in matches] == [search.photos[i].path for i in order]
        np.testing.assert_allclose(
            [m.distance for m in matches], np.sqrt(2 - 2 * dots[order]), atol=1e-3
        )


def test_a_query_returns_k_photos_or_all(search: SketchSearch) -> None:
    drawing = Image.new("L", (50, 50), 255)
    drawing.paste(0, (10, 10, 30, 12))
    assert len(search.query(drawing, 3)) == 3
    assert len(search.query(drawing, 10_000)) == len(search.photos)
    with pytest.raises(ValueError, match="at least 1"):
        search.query(drawing, 0)


def test_a_blank_page_raises_an_error(search: SketchSearch) -> None:
    with pytest.raises(EmptySketchError):
        search.query(Image.new("L", (100, 100), 255))


def test_the_shipped_encoder_knows_animals(
    search: SketchSearch, examples: dict[str, list[dict[str, Any]]]
) -> None:
    wanted = {"elephant": "elephant", "giraffe": "giraffe", "rabbit": "rabbit", "duck": "duck"}
    found = 0
    for name, label in wanted.items():
        matches = search.query(render_strokes(parse_strokes(examples[name])))
        found += any(label in m.label for m in matches)
    assert found >= 3


def test_every_photo_has_a_label_credit_licence_and_thumbnail(search: SketchSearch) -> None:
    assert len(search.photos) > 100
    for number, photo in enumerate(search.photos):
        assert photo.label
        assert "Tux Paint" in photo.credit or "via GCompris" in photo.credit
        assert photo.licence
        with Image.open(search.thumbnail(number)) as thumbnail:
            assert max(thumbnail.size) <= 320
    terms = {Path(photo.path).stem: (photo.credit, photo.licence) for photo in search.photos}
    assert terms["pelican"] == ("Tux Paint stamps, Erinn Lynch", "CC BY-SA 2.5")
    assert terms["rhino_black"] == ("Tux Paint stamps, © 2002-2022 by Bill Kendrick", "GPL-2")


def test_labels_narrow_the_search_to_what_a_full_search_finds(
    search: SketchSearch, examples: dict[str, list[dict[str, Any]]]
) -> None:
    query = search.encoder.embed_sketches([render_strokes(parse_strokes(examples["horse"]))])[0]
    everything = search.nearest(query, len(search.photos))
    assert len(everything) == len(search.photos)
    chosen = {everything[0].label, everything[40].label}
    only = search.nearest(query, 5, only=chosen)
    assert [m.number for m in only] == [m.number for m in everything if m.label in chosen][:5]
    assert [m.rank for m in only] == list(range(1, len(only) + 1))
    without = search.nearest(query, 12, without=chosen)
    assert [m.number for m in without] == [m.number for m in everything if m.label not in chosen][
        :12
    ]
    assert search.nearest(query, 12, only=chosen, without=chosen) == []


def test_a_photo_is_nearest_to_itself(search: SketchSearch) -> None:
    row = search.embedding_of(7)
    photo = search.encoder.embed_photos([open_image(Path(search.photos[7].path))])[0]
    np.testing.assert_allclose(row, photo, atol=1e-5)
    assert search.nearest(row, 1)[0].number == 7
    for number in (-1, len(search.photos)):
        with pytest.raises(GalleryError, match="no such photo"):
            search.embedding_of(number)


def test_a_query_is_steered_by_rocchios_formula(
    search: SketchSearch, examples: dict[str, list[dict[str, Any]]]
) -> None:
    query = search.encoder.embed_sketches([render_strokes(parse_strokes(examples["fish"]))])[0]
    rows = np.stack([search.embedding_of(number) for number in (3, 50, 90)])
    moved = query + 0.75 * (rows[0] + rows[1]) / 2 - 0.25 * rows[2]
    steered = search.steer(query, [3, 50], [90])
    np.testing.assert_allclose(steered, moved / np.linalg.norm(moved), atol=1e-6)
    ranks = {m.number: m.rank for m in search.nearest(query, len(search.photos))}
    after = {m.number: m.rank for m in search.nearest(steered, len(search.photos))}
    assert after[3] <= ranks[3]
    assert after[50] <= ranks[50]
    np.testing.assert_allclose(search.steer(query, [], []), query, atol=1e-6)

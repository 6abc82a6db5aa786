"""Queries of browsers and programs: which are read, and which are refused."""

import pytest

from model.errors import SketchZooError
from server.query import MAX_K, MAX_NARROWED, parse_query

LINE = [{"width": 0.01, "points": [[0, 0], [1, 1]]}]


def test_strokes_alone_ask_for_12_photos_of_anything() -> None:
    query = parse_query({"strokes": LINE})
    assert (len(query.strokes), query.k, query.picture, query.photo) == (1, 12, None, None)
    assert query.like == query.unlike == []
    assert query.only == query.without == frozenset()


def test_all_other_fields_are_read() -> None:
    query = parse_query(
        {
            **{"strokes": [], "picture": "a/b.png", "photo": "4d", "k": 24.0, "like": ["1a", "2b"]},
            **{"unlike": ["3c"], "only": ["cat", "cat"], "without": ["dog"]},
        }
    )
    assert (query.picture, query.photo, query.k) == ("a/b.png", "4d", 24)
    assert (query.like, query.unlike) == (["1a", "2b"], ["3c"])
    assert (query.only, query.without) == (frozenset({"cat"}), frozenset({"dog"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"strokes": None},
        {"picture": 7},
        {"photo": 4},
        {"photo": True},
        {"photo": 1.5},
        {"k": 0},
        {"k": MAX_K + 1},
        {"k": 2.5},
        {"k": float("nan")},
        {"k": "12"},
        {"like": 3},
        {"like": [3]},
        {"unlike": [None]},
        {"like": ["1"] * (MAX_NARROWED + 1)},
        {"only": "cat"},
        {"only": [1]},
        {"without": [["cat"]]},
    ],
)
def test_wrong_fields_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SketchZooError):
        parse_query({"strokes": LINE, **changes})


@pytest.mark.parametrize("payload", [None, [], "strokes", 1])
def test_a_query_is_an_object(payload: object) -> None:
    with pytest.raises(SketchZooError):
        parse_query(payload)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k is a whole number from 1 to 48."),
        ({"gallery": 7}, "gallery must be a string."),
        ({"like": ["1", 2]}, "like must be a list of at most 200 ids of photos from an answer."),
        ({"only": [7]}, "only must be a list of at most 200 labels."),
        ({"picture": 7}, "The uploaded picture is not known. Upload it again."),
    ],
)
def test_the_message_says_which_field_is_wrong(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SketchZooError) as refused:
        parse_query({"strokes": LINE, **changes})
    assert str(refused.value) == message

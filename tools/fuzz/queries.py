"""Drawings and queries, as browsers send them and as no browser does."""

from typing import Any

from hypothesis import strategies as st
from PIL import Image

from model.errors import SketchZooError
from model.pictures.framing import frame_box, frame_ink
from model.pictures.paper import find_ink
from model.pictures.strokes import parse_strokes, render_ink, render_strokes
from server.query import parse_query

SIDE = 64
"""Pixels of the frame."""

_numbers = st.one_of(
    st.floats(-0.2, 1.2),
    st.floats(),
    st.integers(-5, 5),
    st.sampled_from([0, -0.0, 1e-320, 1e308, -1e308, 2**70, 10**400, "0.5", "1e999", "x", None]),
)
_points = st.one_of(
    st.lists(_numbers, min_size=2, max_size=3),
    st.lists(st.floats(0, 1), min_size=2, max_size=2),
)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
"""JSON of any shape."""

_stroke = st.one_of(
    st.fixed_dictionaries(
        {"width": _numbers, "points": st.lists(_points, max_size=12)},
        optional={"erase": st.one_of(st.booleans(), junk)},
    ),
    st.builds(
        lambda points, times, width: {"width": width, "points": points * times},
        st.lists(_points, min_size=1, max_size=20),
        st.sampled_from([1, 10, 100, 1000, 3000]),
        st.sampled_from([0.001, 0.012, 0.2, 7]),
    ),
    junk,
)
_drawing = st.one_of(
    st.lists(_stroke, max_size=6),
    st.builds(lambda stroke, times: [stroke] * times, _stroke, st.integers(1, 1100)),
    junk,
)
_listed = st.one_of(st.lists(st.one_of(st.integers(), st.text(max_size=4)), max_size=6), junk)
queries = st.one_of(
    st.fixed_dictionaries(
        {"strokes": _drawing},
        optional={
            "k": st.one_of(_numbers, junk),
            "photo": st.one_of(st.integers(), junk),
            "picture": junk,
            **dict.fromkeys(("like", "unlike", "only", "without"), _listed),
        },
    ),
    junk,
)
"""What a browser sends for a search, and what no browser sends."""

_PAPER = Image.new("RGBA", (300, 10), (200, 200, 200, 120))


def read_query(query: Any) -> None:
    """Does all that the app does with a query, up to the encoder."""
    strokes = (
        parse_strokes(query["strokes"]) if isinstance(query, dict) and query.get("strokes") else []
    )
    for ink in (render_ink(strokes), find_ink(render_strokes(strokes, _PAPER))):
        try:
            frame_ink(ink, SIDE)
            frame_box(ink)
        except SketchZooError:
            pass
    parse_query(query)

import numpy as np
import pytest
from PIL import Image

from model.pictures.strokes import (
    MAX_POINTS,
    MAX_STROKES,
    StrokeError,
    check_scale,
    parse_strokes,
    render_ink,
    render_strokes,
)


def test_a_horizontal_stroke_covers_its_width_and_length() -> None:
    strokes = parse_strokes([{"width": 0.05, "points": [[0.25, 0.5], [0.75, 0.5]]}])
    page = np.asarray(render_strokes(strokes))
    side = page.shape[0]
    column = np.flatnonzero(page[:, side // 2] < 128)
    row = np.flatnonzero(page[side // 2] < 128)
    assert len(column) == pytest.approx(0.05 * side, abs=1.5)
    assert len(row) == pytest.approx(0.55 * side, abs=2)
    assert column.mean() == pytest.approx(side / 2, abs=1)


def test_a_tap_leaves_a_round_dot() -> None:
    page = np.asarray(render_strokes(parse_strokes([{"width": 0.1, "points": [[0.5, 0.5]]}])))
    area = (page < 128).sum() / page.size
    assert area == pytest.approx(np.pi * 0.05**2, rel=0.1)


def test_pressure_makes_a_stroke_wider_along_its_way() -> None:
    points = [[0.1, 0.5, 0.5], [0.5, 0.5, 1.0], [0.9, 0.5, 1.5]]
    page = np.asarray(render_strokes(parse_strokes([{"width": 0.08, "points": points}])))
    side = page.shape[0]
    thickness = [(page[:, round(x * side)] < 128).sum() / side for x in (0.3, 0.7)]
    assert thickness == pytest.approx([0.75 * 0.08, 1.25 * 0.08], abs=0.006)


def test_the_eraser_takes_ink_away_and_leaves_what_comes_later() -> None:
    line = {"width": 0.05, "points": [[0.1, 0.5], [0.9, 0.5]]}
    wipe = {"width": 0.2, "points": [[0.5, 0.1], [0.5, 0.9]], "erase": True}
    page = np.asarray(render_strokes(parse_strokes([line, wipe])))
    side = page.shape[0]
    assert page[side // 2, side // 2] == 255
    assert page[side // 2, side // 4] == page[side // 2, 3 * side // 4] == 0
    again = np.asarray(render_strokes(parse_strokes([line, wipe, line])))
    assert again[side // 2, side // 2] == 0
    grey = render_strokes(parse_strokes([line, wipe]), Image.new("L", (50, 50), 180))
    assert grey.getpixel((side // 2, side // 2)) == (180, 180, 180)


def test_a_drawing_that_grows_is_painted_as_if_it_were_new() -> None:
    first = {"width": 0.05, "points": [[0.1, 0.5], [0.9, 0.5]]}
    wipe = {"width": 0.1, "points": [[0.3, 0.2], [0.3, 0.8]], "erase": True}
    points = [[0.3, 0.1], [0.3, 0.9], [0.8, 0.2]]
    last = {"width": 0.02, "points": points}
    grown = [[first], [first, wipe]]
    grown += [[first, wipe, {**last, "points": points[:count]}] for count in (1, 2, 3)]
    grown += [[first, {**wipe, "erase": False}, last]]
    pages = [np.asarray(render_ink(parse_strokes(strokes))) for strokes in grown]
    for strokes, page in zip(grown, pages, strict=True):
        # Strokes on a picture are not cached, and a white picture changes nothing.
        anew = render_strokes(parse_strokes(strokes), Image.new("L", (384, 384), 255))
        assert np.array_equal(255 - page, np.asarray(anew)[..., 0])
    assert pages[4][192, 115] == 255  # the last stroke crosses the erased line
    assert pages[4][192, 120] == 0
    assert pages[5][192, 120] == 255


LINE = [{"width": 0.02, "points": [[0, 0.5], [1, 0.5]]}]


def test_strokes_are_drawn_over_an_uploaded_picture() -> None:
    paper = Image.new("RGB", (200, 100), "white")
    paper.paste("red", (20, 10, 180, 90))
    page = render_strokes(parse_strokes(LINE), paper)
    side = page.size[0]
    assert page.getpixel((side // 2, side // 10)) == (255, 255, 255)
    assert page.getpixel((side // 2, side // 3)) == (255, 0, 0)
    assert page.getpixel((side // 2, side // 2)) == (0, 0, 0)


def test_a_transparent_upload_stays_paper_and_grey_paper_gets_no_edge() -> None:
    transparent = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    grey = Image.new("L", (200, 100), 150)
    for paper, tone in ((transparent, 255), (grey, 150)):
        page = np.asarray(render_strokes(parse_strokes(LINE), paper))
        assert set(np.unique(page)) == {0, tone}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "strokes",
        {"width": 1},
        [1],
        [{"width": 0.1}],
        [{"width": "thick", "points": [[0, 0]]}],
        [{"width": 0.1, "points": [[0, 0, 1, 1]]}],
        [{"width": 0.1, "points": [[0, 0, "hard"]]}],
        [{"width": 0.1, "points": [[0, "a"]]}],
        [{"width": 0.1, "points": [[0, float("nan")]]}],
        [{"width": float("nan"), "points": [[0, 0]]}],
        [{"width": 10**400, "points": [[0, 0]]}],
        [{"width": 0.1, "points": [[0, 0]]}] * (MAX_STROKES + 1),
        [{"width": 0.1, "points": [[0, 0]] * (MAX_POINTS + 1)}],
    ],
)
def test_other_payloads_are_refused(payload: object) -> None:
    with pytest.raises(StrokeError):
        parse_strokes(payload)


def test_far_coordinates_and_widths_are_bounded() -> None:
    (stroke,) = parse_strokes([{"width": 1e9, "points": [[1e300, float("-inf")]]}])
    assert stroke.points == ((2.0, -1.0, 1.0),)
    assert stroke.width == 0.2


def test_the_area_of_a_stroke_limits_what_it_paints() -> None:
    """A line of length 0.5 and width 0.1, with a disc at each end; pressure doubles the width."""
    thin, bold = parse_strokes(
        [
            {"width": 0.1, "points": [[0.2, 0.5], [0.7, 0.5]]},
            {"width": 0.1, "points": [[0.2, 0.5, 1], [0.7, 0.5, 2]]},
        ]
    )
    assert thin.area == pytest.approx(0.1 * (0.5 + 2 * 0.1))
    assert bold.area == pytest.approx(0.2 * (0.5 + 2 * 0.2))
    for stroke in (thin, bold):
        painted = (255 - np.asarray(render_strokes([stroke]), np.float64)).mean() / 255
        assert 0.5 * stroke.area < painted < stroke.area


def test_pixels_are_refused_also_as_text() -> None:
    for wrong in (
        {"width": "5", "points": [["0.1", "0.2"], ["0.3", "0.4"]]},
        {"width": "0.1", "points": [["50", "20"], ["0.3", "0.4"]]},
        {"width": "0.1", "points": [["0.1", "0.2", "9"], ["0.3", "0.4", "1"]]},
    ):
        parse_strokes([wrong])
        with pytest.raises(StrokeError, match=r"too large|far outside"):
            check_scale([wrong])
    check_scale([{"width": "0.1", "points": [["0.1", "0.2", "1"], ["0.3", "0.4", "1"]]}])

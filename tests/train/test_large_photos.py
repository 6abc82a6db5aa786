"""Photos of one's own may be larger than uploads."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.errors import ImageError
from model.pictures.decoding import open_image
from server.routes.photos import shrink
from tests.harness.apps import ROOT
from tests.harness.pictures import huge_png
from tests.train.own_photos import Index, photo, save


@pytest.mark.parametrize(
    ("size", "kind", "options"),
    [
        ((9504, 6336), "JPEG", {"quality": 60}),
        ((9504, 6336), "JPEG", {"quality": 60, "progressive": True}),
        ((7100, 7100), "PNG", {"compress_level": 1}),
        ((16320, 12240), "JPEG", {"quality": 30}),
        ((7100, 7100), "TIFF", {"compression": "tiff_lzw"}),
        ((7100, 7100), "WEBP", {"quality": 30, "method": 0}),
        ((7100, 7100), "AVIF", {"quality": 30, "speed": 10}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_owners_large_photos_are_indexed_and_uploads_of_that_size_are_not(
    index: Index, tmp_path: Path, size: tuple[int, int], kind: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "in" / f"large.{kind.lower()}"
    path.parent.mkdir()
    photo(1).resize(size).save(path, kind, **options)
    with pytest.raises(ImageError, match=r"limit is (50 million pixels|30 MB)"):
        open_image(path)
    found = index(tmp_path / "in")
    assert list(found.photos) == [str(path)]
    assert found.search is not None
    with Image.open(found.search.thumbnail(0)) as small:
        expected = np.asarray(photo(1).resize(small.size), int)
        assert max(small.size) == 320
        assert np.abs(np.asarray(small.convert("RGB"), int) - expected).mean() < 8
    shown = Image.open(io.BytesIO(shrink(found.search, 0, 640)))
    assert max(shown.size) == 640


def test_the_owners_large_files_are_indexed_and_uploads_of_that_size_are_not(
    index: Index, tmp_path: Path
) -> None:
    path = save(tmp_path / "in" / "a.jpg", 0)
    with path.open("ab") as file:  # What follows the end of a JPEG does not matter.
        file.truncate(89_000_000)
    with pytest.raises(ImageError, match="89 MB; the limit is 30 MB"):
        open_image(path)
    assert list(index(tmp_path / "in").photos) == [str(path)]


def test_beyond_the_owners_limits_the_limit_is_named(index: Index, tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg", 0)
    (tmp_path / "in" / "p.png").write_bytes(huge_png(16_000))
    with (tmp_path / "in" / "b.jpg").open("wb") as file:
        file.truncate(2_100_000_000)
    found = index(tmp_path / "in")
    assert "p.png is far too large; the limit is 250 million pixels" in found.said
    assert "b.jpg has 2100 MB; the limit is 2000 MB" in found.said


def test_large_photos_take_little_memory(tmp_path: Path) -> None:
    Image.new("RGB", (16320, 12240), "teal").save(tmp_path / "a.jpg", quality=30)
    Image.new("RGB", (12000, 9000), "teal").save(tmp_path / "a.png", compress_level=1)
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from model.pictures.decoding import OWN, open_image\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "print(open_image(Path(sys.argv[1]), limits=OWN).size, peak() - before)"
    )
    for name, most in (("a.jpg", 200), ("a.png", 600)):
        ran = subprocess.run(
            [sys.executable, "-c", script, tmp_path / name],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert int(ran.stdout.split()[-1]) < most, name

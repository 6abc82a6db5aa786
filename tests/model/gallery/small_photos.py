"""Small photos for the galleries of tests, and the counts of a build."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from model.gallery.build import Built


def draw_photo(path: Path, hue: str, **options: Any) -> Path:
    """A photo of a disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo = Image.new("RGB", (80, 60), "white")
    ImageDraw.Draw(photo).ellipse((10, 10, 60, 50), fill=hue)
    photo.save(path, **options)
    return path


def counts(built: Built) -> tuple[int, int, int, int, int]:
    return built.new, built.changed, built.kept, built.removed, built.embedded

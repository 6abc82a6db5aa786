"""From folders of photos to a gallery that the app serves."""

from collections.abc import Sequence
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.records import EngineName
from model.gallery.build import Built, build_gallery
from model.gallery.captions import caption
from model.gallery.photos import find_photos
from model.gallery.walk import LeftOut, named


def index(
    photos: Sequence[Path],
    out: Path,
    checkpoint: Path,
    *,
    labels: Path | None = None,
    credits: Path | None = None,
    engine: EngineName | None = None,
) -> tuple[Built, list[LeftOut], list[str]]:
    """Builds a gallery, or brings one up to date; see `model.gallery.build.build_gallery`.

    Args:
        photos: folders of photos, in any depth.
        out: the gallery's folder.
        checkpoint: folder of the encoder.
        labels, credits: tables of what is known of the photos; see
            `model.gallery.captions.caption`.
        engine: what searches; by the number of photos if None.

    Returns:
        What was built, what is not in it, and notes about the tables.

    Raises:
        SketchZooError: a folder or a table cannot be used.
    """
    opened = Checkpoint.open(checkpoint)
    found = find_photos(photos, [path for path in (out, labels, credits) if path])
    captioned, notes = caption(found.photos, photos, labels, credits)
    built = build_gallery(opened, captioned, out, engine)
    return built, [*found.left_out, *built.left_out], notes


def report(built: Built, left_out: Sequence[LeftOut]) -> list[str]:
    """What was done, in lines: files that were left out, then the counts."""
    return [
        *named(left_out),
        f"{len(built.checkpoint.manifest.photos)} photos: {built.new} new, {built.changed} "
        f"changed, {built.kept} kept; {built.removed} removed; {built.embedded} embedded",
    ]

"""From folders of photos to a gallery that the app serves."""

from collections.abc import Sequence
from pathlib import Path

from model.captions import caption
from model.checkpoint import Checkpoint
from model.gallery import Built, build_gallery, photos_in
from model.manifest import EngineName

SHOWN = 5
"""Files that are named of those that were left out."""


def index(
    photos: Sequence[Path],
    out: Path,
    checkpoint: Path,
    *,
    labels: Path | None = None,
    credits: Path | None = None,
    engine: EngineName | None = None,
) -> tuple[Built, list[str]]:
    """Builds a gallery, or brings one up to date; see `model.gallery.build_gallery`.

    Args:
        photos: folders of photos, in any depth.
        out: the gallery's folder.
        checkpoint: folder of the encoder.
        labels, credits: tables of what is known of the photos; see `model.captions.caption`.
        engine: what searches; by the number of photos if None.

    Returns:
        What was built, and notes for the person.

    Raises:
        SketchZooError: a folder or a table cannot be used.
    """
    opened = Checkpoint.open(checkpoint)
    found = [photo for folder in photos for photo in photos_in(folder)]
    captioned, notes = caption(found, photos, labels, credits)
    return build_gallery(opened, captioned, out, engine), notes


def report(built: Built) -> list[str]:
    """What was done, in lines: files that were left out, then the counts."""
    copies = [f"{path} = {first}" for path, first in built.duplicates]
    unreadable = [f"{path}: {reason}" for path, reason in built.unreadable]
    return [
        *_listed("left out, the same picture as another", copies),
        *_listed("left out, since they cannot be used", unreadable),
        f"{len(built.checkpoint.manifest.photos)} photos: {built.new} new, {built.changed} "
        f"changed, {built.kept} kept; {built.removed} removed; {built.embedded} embedded",
    ]


def _listed(heading: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [f"{heading} ({len(lines)}):", *(f"  {line}" for line in lines[:SHOWN]), *more]

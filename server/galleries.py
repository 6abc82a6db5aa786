"""The galleries that the app serves, each opened anew when it was rebuilt."""

import logging
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

from model.checkpoint import versions
from model.checkpoint.checkpoint import Checkpoint
from model.encoder.encoder import Encoder
from model.errors import CheckpointError, GalleryError
from model.search.search import SketchSearch

LOOK_EVERY = 1.0
"""Seconds between looks at a gallery's folder."""

RETRY_AFTER = 30.0
"""Seconds until a new version that could not be opened, though it is undamaged, is tried again."""

KEEP_LAST = 60.0
"""Seconds that the last version stays, for pages that still show its photos."""

log = logging.getLogger("sketchzoo")


class Galleries:
    """Galleries by name. Several threads may use one.

    Args:
        folders: of each gallery, or a checkpoint without photos, by name; the first one is searched
            where none is named.

    Raises:
        CheckpointError: one of them is damaged.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        encoders: WeakValueDictionary[str, Encoder] = WeakValueDictionary()
        self._galleries = {name: _Gallery(folder, encoders) for name, folder in folders.items()}

    @property
    def names(self) -> list[str]:
        """The names, the first one first."""
        return list(self._galleries)

    def search(self, name: str | None = None, version: str | None = None) -> SketchSearch:
        """The search in a gallery, as it is now.

        Args:
            name: of the gallery; None or empty for the first.
            version: that numbers of photos are of; None or empty for the current one.

        Raises:
            GalleryError: there is no such gallery, or that version is gone.
        """
        gallery = self._galleries.get(name or self.names[0])
        if gallery is None:
            raise GalleryError(
                f"There is no gallery of this name. There are: {', '.join(self.names)}."
            )
        return gallery.search(version)

    def encoders(self) -> set[Encoder]:
        """Those that drawings are embedded with now, or for a version that is still searched."""
        return {search.encoder for each in self._galleries.values() for search in each.searches()}

    def name_of(self, asked: object) -> str:
        """The name that was asked for, if a gallery has it, else that of the first."""
        return asked if isinstance(asked, str) and asked in self._galleries else self.names[0]


class _Gallery:
    """One gallery, and the version of it that was open before."""

    def __init__(self, folder: Path, encoders: "WeakValueDictionary[str, Encoder]") -> None:
        self._folder, self._encoders = folder, encoders
        self._lock = threading.Lock()
        self._stamp = versions.stamp(folder)
        self._now = self._load()
        self._last: SketchSearch | None = None
        self._looked = self._replaced = time.monotonic()

    def search(self, version: str | None) -> SketchSearch:
        self._look()
        now, last = self._now, self._last
        if not version or version == now.version:
            return now
        if last and version == last.version:
            return last
        raise GalleryError(
            "The gallery has changed since. Take away what is like or unlike a photo, or reload "
            "the page, and choose the photo again."
        )

    def searches(self) -> list[SketchSearch]:
        """The search in the gallery as it is, and in its last version as long as that is kept."""
        last = self._last
        return [self._now, last] if last else [self._now]

    def _look(self) -> None:
        """Starts opening the gallery anew, at most once a second, when it was rebuilt."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY or not self._lock.acquire(blocking=False):
            return
        self._looked = now
        if self._last and now - self._replaced > KEEP_LAST:
            self._last = None
        stamp = versions.stamp(self._folder)
        if stamp in (None, self._stamp):
            self._lock.release()
            return
        threading.Thread(target=self._reload, args=(stamp,), daemon=True).start()

    def _reload(self, stamp: tuple[int, int] | None) -> None:
        """Takes over the gallery as it is now; a damaged one is refused, and the old one stays."""
        try:
            loaded = self._load()
            self._stamp = stamp
            self._last = self._now  # First, or the former version would be gone for a moment.
            self._now = loaded
            self._replaced = time.monotonic()
            log.warning("%s was rebuilt: %d photos", self._folder, len(loaded.photos))
        except Exception as error:  # Whatever is wrong with the new one, the old one can serve.
            if isinstance(error, CheckpointError):
                self._stamp = stamp  # Only another version can be better.
            else:
                self._looked = time.monotonic() + RETRY_AFTER
            log.warning(
                "%s is served as it was, since the new one cannot be opened: %s",
                self._folder,
                error,
            )
        finally:
            self._lock.release()

    def _load(self) -> SketchSearch:
        checkpoint = Checkpoint.open(self._folder)
        key = repr(checkpoint.encoder_manifest())
        encoder = self._encoders.get(key)
        if encoder is None:
            encoder = self._encoders[key] = checkpoint.encoder()
        else:
            # Or the version that the encoder came from would be kept for its weights.
            encoder.make_photos_with(checkpoint.photo_encoder())
        return SketchSearch.of(checkpoint, encoder)


def address(path: str, name: str, search: SketchSearch) -> str:
    """The address of something of a gallery, which never changes what it stands for."""
    return path + _query(name, search.version)


@lru_cache(64)
def _query(name: str, version: str) -> str:
    return f"?{urlencode({'gallery': name, 'v': version}, quote_via=quote)}"

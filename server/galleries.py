"""The galleries that the app serves. Rebuilt galleries are reloaded automatically."""

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
from server.log import log

CHECK_SECONDS = 1.0
"""Seconds between two checks whether a gallery was rebuilt."""

RETRY_SECONDS = 30.0
"""Seconds until an undamaged version that could not be opened is tried again."""

KEEP_PREVIOUS_SECONDS = 60.0
"""Seconds that the previous version stays open, for pages that still show its photos."""

Encoders = WeakValueDictionary[str, Encoder]
"""Encoders that are in use, by their manifest. Galleries of one checkpoint share one."""


class Galleries:
    """Galleries by name. Several threads may use one.

    Args:
        folders: the folder of each gallery, or of a checkpoint without photos, by name. The first
            one is searched where a query names none.
        fallback: folder of a checkpoint that is served until a gallery can be opened, if one cannot
            be yet.

    Raises:
        CheckpointError: one of them is damaged, and there is no fallback.
    """

    def __init__(self, folders: Mapping[str, Path], fallback: Path | None = None) -> None:
        encoders = Encoders()
        self._galleries = {
            name: ReloadedGallery(path, encoders, fallback) for name, path in folders.items()
        }

    @property
    def names(self) -> list[str]:
        """The names, in their order."""
        return list(self._galleries)

    def get_search(self, name: str | None = None, version: str | None = None) -> SketchSearch:
        """The search in a gallery.

        Args:
            name: of the gallery; None or empty for the first.
            version: that numbers of photos belong to; None or empty for the current one.

        Raises:
            GalleryError: there is no such gallery, or that version is gone.
        """
        gallery = self._galleries.get(name or self.names[0])
        if gallery is None:
            raise GalleryError(
                f"There is no gallery of this name. There are: {', '.join(self.names)}."
            )
        return gallery.get_search(version)

    def encoders(self) -> set[Encoder]:
        """The encoders of all versions that can still be searched."""
        return {search.encoder for each in self._galleries.values() for search in each.searches()}

    def name_of(self, asked: object) -> str:
        """The name of the gallery that was asked for, or of the first if there is no such one."""
        return asked if isinstance(asked, str) and asked in self._galleries else self.names[0]


class ReloadedGallery:
    """One gallery in its current version, and for a while in its previous one.

    Args:
        folder: of the gallery.
        encoders: those that other galleries use; a new one is added.
        fallback: see `Galleries`.

    Raises:
        CheckpointError: the gallery is damaged, and there is no fallback.
    """

    def __init__(self, folder: Path, encoders: Encoders, fallback: Path | None) -> None:
        self._folder, self._encoders = folder, encoders
        self._lock = threading.Lock()  # Held while the gallery is checked or reloaded.
        self._stamp = versions.stamp(folder)
        try:
            self._current = self._load(folder)
        except CheckpointError:
            if fallback is None:
                raise
            self._current = self._load(fallback)
        self._previous: SketchSearch | None = None
        self._next_check = time.monotonic() + CHECK_SECONDS
        self._reloaded_at = time.monotonic()

    def get_search(self, version: str | None) -> SketchSearch:
        """The search in a version; None or empty for the current one.

        Raises:
            GalleryError: that version is gone.
        """
        self._check()
        current, previous = self._current, self._previous
        if not version or version == current.version:
            return current
        if previous and version == previous.version:
            return previous
        raise GalleryError("The gallery was rebuilt, and its old version is gone. Reload the page.")

    def searches(self) -> list[SketchSearch]:
        """The searches in all versions that are open."""
        previous = self._previous
        return [self._current, previous] if previous else [self._current]

    def _check(self) -> None:
        """Starts to reload the gallery if it was rebuilt; checks at most once a second."""
        now = time.monotonic()
        if now < self._next_check or not self._lock.acquire(blocking=False):
            return
        self._next_check = now + CHECK_SECONDS
        if self._previous and now - self._reloaded_at > KEEP_PREVIOUS_SECONDS:
            self._previous = None
        stamp = versions.stamp(self._folder)
        if stamp in (None, self._stamp):
            self._lock.release()
            return
        threading.Thread(target=self._reload, args=(stamp,)).start()

    def _reload(self, stamp: tuple[int, int] | None) -> None:
        """Opens the new version; if that fails, the old one stays."""
        try:
            loaded = self._load(self._folder)
            self._stamp = stamp
            self._previous = self._current  # First, or it would be gone for a moment.
            self._current = loaded
            self._reloaded_at = time.monotonic()
            log.warning("%s was rebuilt: %d photos", self._folder, len(loaded.photos))
        except Exception as error:  # Whatever is wrong with the new one, the old one can serve.
            if isinstance(error, CheckpointError):
                self._stamp = stamp  # It is damaged: only another version can be better.
            else:
                self._next_check = time.monotonic() + RETRY_SECONDS
            log.warning(
                "%s is served as it was, since the new one cannot be opened: %s",
                self._folder,
                error,
            )
        finally:
            self._lock.release()

    def _load(self, folder: Path) -> SketchSearch:
        checkpoint = Checkpoint.open(folder)
        key = repr(checkpoint.encoder_manifest())
        encoder = self._encoders.get(key)
        if encoder is None:
            encoder = self._encoders[key] = checkpoint.encoder()
        else:
            # Otherwise the version that the encoder came from would be kept for its weights.
            encoder.set_photo_encoder_loader(checkpoint.photo_encoder())
        return SketchSearch.of(checkpoint, encoder)


def versioned_url(path: str, name: str, search: SketchSearch) -> str:
    """The URL of something in a gallery. Versioned URLs are immutable."""
    return path + _query(name, search.version)


@lru_cache(64)
def _query(name: str, version: str) -> str:
    return f"?{urlencode({'gallery': name, 'v': version}, quote_via=quote)}"

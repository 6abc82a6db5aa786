"""The search service: from a query to the photos that it finds."""

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from PIL import Image
from starlette.concurrency import run_in_threadpool

from model.checkpoint.records import photo_id
from model.encoder.encoder import Encoder
from model.encoder.head import Embeddings
from model.pictures.decoding import open_image
from model.pictures.framing import Pixels, frame_ink
from model.pictures.paper import find_ink
from model.pictures.strokes import render_ink, render_strokes
from model.search.map import Positions
from model.search.matches import Guess, Match
from model.search.search import SketchSearch
from server.batching import Batcher
from server.galleries import Galleries, versioned_url
from server.metrics import Metrics
from server.middleware.forwarded import client
from server.query import Query
from server.uploads import find_upload
from server.workers import Workers

QUICK_POINTS = 2000
"""Points up to which a drawing is painted without a thread, which would take longer to start."""

QUICK_AREA = 20.0
"""The same for the area in pages that it paints: wide pens take longer."""

QUICK_PHOTOS = 1000
"""Photos up to which a gallery is searched without a thread, which would take longer to start."""


class SearchService:
    """Searches galleries, and embeds the drawings of all people together.

    Args:
        galleries: the galleries to search.
        metrics: told of queues and batches.

    Attributes:
        galleries: the same.
        workers: threads for slow work.
    """

    def __init__(self, galleries: Galleries, metrics: Metrics) -> None:
        self.galleries, self.workers = galleries, Workers()
        self._metrics = metrics
        self._batchers: dict[Encoder, Batcher] = {}
        self._lock = threading.Lock()
        for name in galleries.names:
            self._batcher(galleries.get_search(name).encoder)
        metrics.queue_length.set_function(lambda: sum(b.waiting for b in self._all_batchers()))

    async def search(self, query: Query) -> dict[str, Any]:
        """Searches by a drawing or a photo, for the client of the current request.

        Returns:
            The answer for a board, which orjson can write. If a newer drawing of the same page
            replaces this one in the queue, its embedding is searched for; the other fields of this
            query still apply.

        Raises:
            SketchZooError: there is nothing to search by, or no such gallery or photo.
        """
        search = self.galleries.get_search(query.gallery)
        if query.photo is not None:
            find = partial(self._search_by_photo, query, search, query.photo)
        else:
            frame = await self.frame(query, search)
            embedding = await self.embed(frame, search, query.page or "")
            find = partial(self._search_by_drawing, query, search, embedding)
        return find() if is_quick(search) else await run_in_threadpool(find)

    async def frame(self, query: Query, search: SketchSearch) -> Pixels:
        """Paints what was drawn and frames it for an encoder, `(size, size)`."""
        size = search.encoder.input_size
        points = sum(len(stroke.points) for stroke in query.strokes)
        area = sum(stroke.area for stroke in query.strokes)
        if points <= QUICK_POINTS and area <= QUICK_AREA and not query.picture:
            return frame_ink(ink_of(query), size)
        return await self.workers.run(lambda: frame_ink(ink_of(query), size))

    async def embed(self, frame: Pixels, search: SketchSearch, page: str = "") -> Embeddings:
        """Embeds a frame for the client of the current request.

        Args:
            frame: of a drawing, `(size, size)`.
            search: whose encoder to use.
            page: see `server.batching.Batcher.submit`.

        Returns:
            The embedding, `(d,)`.
        """
        waiting = self._batcher(search.encoder).submit(frame, client.get(), page)
        return await asyncio.wrap_future(waiting)

    @property
    def trouble(self) -> str:
        """Why no drawing is accepted now; empty if they are. See `Batcher.trouble`."""
        return next((b.trouble for b in self._all_batchers() if b.trouble), "")

    def close(self) -> None:
        """Embeds the drawings that wait, and takes no more."""
        for batcher in self._all_batchers():
            batcher.close()

    def _search_by_photo(self, query: Query, search: SketchSearch, photo: str) -> dict[str, Any]:
        matches = _nearest(query, search, search.embedding_of(search.number_of(photo)))
        return self._answer(query, search, matches, [], is_dissimilar=False)

    def _search_by_drawing(
        self, query: Query, search: SketchSearch, embedding: Embeddings
    ) -> dict[str, Any]:
        matches = _nearest(query, search, embedding)
        guesses, is_dissimilar = search.guess(embedding), search.is_dissimilar(matches)
        return self._answer(query, search, matches, guesses, is_dissimilar=is_dissimilar)

    def _answer(
        self,
        query: Query,
        search: SketchSearch,
        matches: list[Match],
        guesses: list[Guess],
        *,
        is_dissimilar: bool,
    ) -> dict[str, Any]:
        name = self.galleries.name_of(query.gallery)
        return {
            "matches": describe_matches(matches, name, search),
            "guesses": guesses,
            "photos": len(search.photos),
            "unlike": is_dissimilar,
            "place": search.place(matches),
            "spots": rounded(search.positions[[match.number for match in matches]]),
            "map": versioned_url("map.json", name, search),
            "version": search.version,
        }

    def _batcher(self, encoder: Encoder) -> Batcher:
        """The batcher of an encoder, which galleries of one checkpoint share."""
        with self._lock:
            if encoder not in self._batchers:
                self._batchers[encoder] = Batcher(
                    encoder.embed_frames, encoder.input_size, self._metrics
                )
            if len(self._batchers) > 1:
                for unused in self._batchers.keys() - self.galleries.encoders() - {encoder}:
                    self._batchers.pop(unused).close(wait=False)
            return self._batchers[encoder]

    def _all_batchers(self) -> list[Batcher]:
        with self._lock:
            return list(self._batchers.values())


def ink_of(query: Query) -> Image.Image:
    """The ink of a drawing, 255 where there is some: of strokes, an upload, or strokes on one."""
    if not query.picture:
        return render_ink(query.strokes)
    paper = open_image(find_upload(query.picture))
    return find_ink(render_strokes(query.strokes, paper) if query.strokes else paper)


def describe_matches(
    matches: Sequence[Match], gallery: str, search: SketchSearch
) -> list[dict[str, Any]]:
    """Matches as browsers and programs get them: with an id and a thumbnail, without a path."""
    return [
        {
            **{key: value for key, value in vars(match).items() if key != "photo"},
            "id": photo_id(search.photos[match.number]),
            "thumbnail": versioned_url(f"thumbnails/{match.number}", gallery, search),
        }
        for match in matches
    ]


def rounded(positions: Positions) -> list[list[float]]:
    """Places on the map with few digits."""
    places: list[list[float]] = positions.astype(float).round(4).tolist()
    return places


def _nearest(query: Query, search: SketchSearch, embedding: Embeddings) -> list[Match]:
    liked, disliked = ([search.number_of(p) for p in ids] for ids in (query.like, query.unlike))
    steered = search.steer(embedding, liked, disliked)
    return search.nearest(steered, query.k, only=query.only, without=query.without)


def is_quick(search: SketchSearch) -> bool:
    """Whether a search in a gallery takes less time than starting it in another thread."""
    index = search.manifest.index
    is_database = index is not None and index.engine == "milvus"
    return len(search.photos) <= QUICK_PHOTOS and not is_database

"""From what a board or a program asks to what it is told."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import orjson
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from model import Match, SketchSearch, SketchZooError
from model.checkpoint.records import photo_id
from model.encoder.encoder import Embeddings, Encoder
from model.pictures.decoding import open_image
from model.pictures.framing import Pixels, frame_ink
from model.pictures.paper import find_ink
from model.pictures.strokes import StrokeError, render_ink, render_strokes
from model.search.map import Positions
from server.batching import Batcher, BusyError
from server.galleries import Galleries, address
from server.limits import client
from server.metrics import Metrics
from server.query import Query, parse_query
from server.uploads import uploaded_file
from server.workers import Workers

SMALL = 32_768
"""Bytes of a question that is read at once; a larger one would keep the others waiting."""

FEW = 1000
"""Photos that are searched at once, in less time than another thread takes to begin."""

JSON = "application/json"


class Answers:
    """Answers searches in galleries, with the drawings of all people embedded together."""

    def __init__(self, galleries: Galleries, metrics: Metrics) -> None:
        self.galleries, self._metrics = galleries, metrics
        self._batchers: dict[Encoder, Batcher] = {}
        self._adding = threading.Lock()
        self.workers = Workers()
        for name in galleries.names:
            self._batcher(galleries.search(name).encoder)
        metrics.queue_length.set_function(lambda: sum(b.waiting for b in self._all()))

    def _batcher(self, encoder: Encoder) -> Batcher:
        """That of an encoder; galleries of one checkpoint share it."""
        with self._adding:
            if encoder not in self._batchers:
                self._batchers[encoder] = Batcher(
                    encoder.embed_frames, encoder.input_size, self._metrics
                )
            if len(self._batchers) > 1:
                for gone in self._batchers.keys() - self.galleries.encoders() - {encoder}:
                    self._batchers.pop(gone).close(wait=False)
            return self._batchers[encoder]

    def _all(self) -> list[Batcher]:
        with self._adding:
            return list(self._batchers.values())

    @property
    def trouble(self) -> str:
        """Why no drawing is taken now; empty where one is."""
        return next((batcher.trouble for batcher in self._all() if batcher.trouble), "")

    def close(self) -> None:
        """Embeds what waits, and takes no more."""
        for batcher in self._all():
            batcher.close()

    async def embed(self, frame: Pixels, search: SketchSearch, page: str = "") -> Embeddings:
        """The embedding of a frame, for the client whose request is being answered.

        Args:
            frame: of a drawing.
            search: whose encoder is used.
            page: of a browser; a newer frame of it takes the place of this one.
        """
        waiting = self._batcher(search.encoder).submit(frame, client.get(), page)
        return await asyncio.wrap_future(waiting)

    async def answer(self, payload: dict[str, Any], *, is_small: bool = False) -> dict[str, Any]:
        """The answer to a board or a program; the answer to a newer drawing of a page will do.

        Args:
            payload: see `server.query.parse_query`; and `page`, which tells pages apart.
            is_small: whether it may be read at once.

        Raises:
            SketchZooError: what is asked has another form, or there is nothing to search by.
        """
        if is_small and not payload.get("picture"):
            asked, search, frame = self.read(payload)
        else:
            asked, search, frame = await self.workers.run(self.read, payload)
        embedding = None
        if frame is not None:
            embedding = await self.embed(frame, search, str(payload.get("page") or ""))
        index = search.manifest.index
        if len(search.photos) <= FEW and not (index and index.engine == "milvus"):
            return self.conclude(asked, search, embedding)
        return await run_in_threadpool(self.conclude, asked, search, embedding)

    async def board(self, request: Request) -> Response:
        """Answers a search of a board."""
        body = await request.body()
        try:
            told = await self.answer(parse_json(body), is_small=len(body) <= SMALL)
        except BusyError as error:
            return busy(error)
        except SketchZooError as error:
            told = {"error": str(error)}
        return Response(orjson.dumps(told), media_type=JSON)

    def read(self, payload: Any) -> tuple[Query, SketchSearch, Pixels | None]:
        """What is asked, where, and the frame of the drawing unless a photo is searched by."""
        asked = parse_query(payload)
        search = self.galleries.search(asked.gallery, asked.version if asked.names_photos else None)
        if asked.photo is not None:
            return asked, search, None
        return asked, search, frame_ink(ink_of(asked), search.encoder.input_size)

    def conclude(
        self, asked: Query, search: SketchSearch, embedding: Embeddings | None
    ) -> dict[str, Any]:
        """What the board is told, to be written by orjson; `embedding` is that of the drawing."""
        if embedding is None:
            guesses, start = [], search.embedding_of(asked.photo or 0)
        else:
            guesses, start = search.guess(embedding), embedding
        name = self.galleries.name_of(asked.gallery)
        steered = search.steer(start, asked.like, asked.unlike)
        matches = search.nearest(steered, asked.k, only=asked.only, without=asked.without)
        return {
            "matches": self.found(matches, name, search),
            "guesses": guesses,
            "photos": len(search.photos),
            "unlike": asked.photo is None and search.is_unlike(matches),
            "place": search.place(matches),
            "spots": rounded(search.positions[[match.number for match in matches]]),
            "map": address("map.json", name, search),
            "version": search.version,
        }

    def found(
        self, matches: list[Match], gallery: str, search: SketchSearch
    ) -> list[dict[str, Any]]:
        """Photos as browsers and programs are told of them."""
        return [
            {
                **{key: value for key, value in vars(match).items() if key != "photo"},
                "id": photo_id(search.photos[match.number]),
                "thumbnail": address(f"thumbnails/{match.number}", gallery, search),
            }
            for match in matches
        ]


def busy(error: BusyError) -> Response:
    """Says to a board that it can ask again in a second."""
    return Response(orjson.dumps({"error": str(error)}), 503, {"Retry-After": "1"}, JSON)


def rounded(positions: Positions) -> list[list[float]]:
    """Places on the map in few digits."""
    places: list[list[float]] = positions.astype(float).round(4).tolist()
    return places


def parse_json(body: bytes) -> dict[str, Any]:
    """An object in JSON.

    Raises:
        StrokeError: it is none.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        raise StrokeError("A query is a JSON object with strokes.")
    return payload


def ink_of(query: Query) -> Image.Image:
    """Where there is ink in what was drawn: strokes, an upload, or strokes on an upload."""
    if not query.picture:
        return render_ink(query.strokes)
    paper = open_image(uploaded(query.picture))
    return find_ink(render_strokes(query.strokes, paper) if query.strokes else paper)


def uploaded(path: Any) -> Path:
    """The path of an uploaded file, which must lie in Gradio's upload folder.

    Raises:
        StrokeError: it lies elsewhere.
    """
    found = uploaded_file(path) if isinstance(path, str | Path) else None
    if found is None:
        raise StrokeError("The uploaded picture is not known. Upload it again.")
    return found

"""What the board asks beside its searches: to read an upload, to explain a match, for galleries."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from model.encoder.explain import explain
from model.errors import SketchZooError
from model.pictures.decoding import OWN, flatten, open_image
from model.pictures.framing import frame_box, frame_ink, frame_sketch
from model.pictures.paper import CLEAN_SIDE, clean_page
from server.answers import JSON, Answers, busy, ink_of, parse_json, uploaded
from server.batching import BusyError
from server.query import parse_query

CLEANED = "-cleaned.png"
"""What the name of an upload ends with, once the server has made another picture of it."""

OFFERED = 1000
"""Labels that are offered to narrow a search, those of most photos."""


Coming = Callable[[], dict[str, Any] | None]


def add_board_routes(
    app: FastAPI, answers: Answers, more: str = "", coming: Coming = lambda: None
) -> None:
    """Adds what the board asks for, as POST of an object in JSON to `board/` and a name.

    Args:
        more: how somebody who draws gets more photos; empty where they cannot.
        coming: tells what `server.growing.Growing.told` does of photos that are being fetched;
            None where none are.
    """
    asked: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
        "read": lambda question: answers.workers.run(read_upload, answers, question),
        "explain": lambda question: answers.workers.run(explain_match, answers, question),
        "galleries": lambda question: describe_gallery(answers, question, more, coming),
    }

    async def reply(request: Request) -> Response:
        ask = asked.get(request.path_params["name"])
        if ask is None:
            return Response(orjson.dumps({"error": "There is no such question."}), 404, None, JSON)
        try:
            told = await ask(parse_json(await request.body()))
        except BusyError as error:
            return busy(error)
        except SketchZooError as error:
            told = {"error": str(error)}
        return Response(orjson.dumps(told), media_type=JSON)

    app.add_route("/board/search", answers.board, methods=["POST"])
    app.add_route("/board/{name}", reply, methods=["POST"])


def read_upload(answers: Answers, question: dict[str, Any]) -> dict[str, Any]:
    """Says which file to show for an upload: its own, or a picture that was made of it.

    One is made of the photo of a drawing, with clean paper, of light lines on nothing, and of
    whatever is `unseen`: the server reads more formats than browsers show.

    Raises:
        SketchZooError: it is no picture, or there is nothing drawn in it.
    """
    file = uploaded(question.get("path"))
    image = open_image(file)
    made = clean_page(image)
    if made is None and question.get("unseen"):
        made = flatten(image)
        made.thumbnail((CLEAN_SIDE, CLEAN_SIDE), reducing_gap=3.0)
    frame_sketch(made or image, answers.galleries.search().encoder.input_size)
    if made is None:
        return {"path": str(file), "cleaned": False}
    try:
        unfinished = file.with_name(f".{file.stem}.{secrets.token_hex(8)}.tmp")
        made.save(unfinished, "PNG")
        return {
            "path": str(unfinished.replace(file.with_name(file.stem + CLEANED))),
            "cleaned": True,
        }
    except OSError as error:
        raise SketchZooError(
            f"The server cannot keep the picture: {error.strerror}. Try later."
        ) from error


def explain_match(answers: Answers, question: dict[str, Any]) -> dict[str, Any]:
    """Says which parts of a drawing and of a photo make them match.

    Raises:
        SketchZooError: there is no such photo any more, or nothing is drawn.
    """
    asked = parse_query(question)
    search = answers.galleries.search(asked.gallery, asked.version)
    ink = ink_of(asked)
    frame = frame_ink(ink, search.encoder.input_size)
    photo = open_image(Path(search.photo(asked.photo).path), limits=OWN)
    explained = explain(search.encoder, frame, flatten(photo))
    left, top, side = frame_box(ink)
    page = max(ink.size)
    return {
        "sketch": explained.sketch.round(5).tolist(),
        "photo": explained.photo.round(5).tolist(),
        "box": [
            (left + (page - ink.width) / 2) / page,
            (top + (page - ink.height) / 2) / page,
            side / page,
        ],
    }


async def describe_gallery(
    answers: Answers, question: dict[str, Any], more: str, coming: Coming
) -> dict[str, Any]:
    """Says which galleries there are, and how many photos of what one holds.

    Its name may be one that a browser has kept; if it is not known, the first one is described.
    """
    galleries = answers.galleries
    name = galleries.name_of(question.get("gallery"))
    labels = galleries.search(name).labels.most_common(OFFERED)
    return {
        "galleries": galleries.names,
        "gallery": name,
        "labels": sorted(labels),
        "more": more,
        "coming": coming(),
    }

"""Body limit: how many bytes a request may send, for how long, and how deep its JSON is nested.

Starlette's `RequestBodyLimitMiddleware` does not fit: its error is none that Gradio's upload parser
catches, so that parts of files stay behind, and its answer does not tell the limit.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model.pictures.decoding import MAX_BYTES

MAX_BODY = 6_000_000
"""Bytes of any request but an upload: the largest drawing that is allowed, and some more."""

MAX_UPLOAD = MAX_BYTES + 100_000
"""Bytes of an upload: the largest picture that is read, and its multipart frame."""

BODY_SECONDS = 60.0
"""Seconds that a body may take to arrive. It is kept in memory meanwhile."""

UPLOAD_SECONDS = 300.0
"""Seconds that an upload may take to arrive."""

MAX_DEPTH = 16
"""Nesting depth of JSON; the deepest that is needed is 9."""


class UploadAborted(MultiPartException):
    """An upload is too large or too slow, or its client has gone. Gradio deletes its part."""


class BodyLimit:
    """ASGI middleware that limits the bytes of a request and the nesting depth of its JSON.

    It counts bytes as they arrive, whether `Content-Length` is true, false or missing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        is_upload = str(scope["path"]).rstrip("/").endswith("/gradio_api/upload")
        limit = MAX_UPLOAD if is_upload else MAX_BODY
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            await too_large(limit)(scope, receive, send)
        elif is_upload:
            await self.app(scope, count_upload(receive, limit), send)
        else:
            await self._read_whole(limit, scope, receive, send)

    async def _read_whole(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the whole body, checks it, and passes it on."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(receive, limit)
        except TimeoutError:
            text = f"The request did not arrive within {BODY_SECONDS:.0f} seconds."
            await JSONResponse({"error": text}, 408)(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > limit:
            await too_large(limit)(scope, receive, send)
        elif is_nested_deeper(body, MAX_DEPTH):
            text = f"The JSON is damaged, or nested deeper than {MAX_DEPTH}."
            await JSONResponse({"error": text}, 400)(scope, receive, send)
        else:
            await self.app(scope, replay(body, receive), send)


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, of which no more is read once it exceeds the limit; None if the client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit or not message.get("more_body"):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, and then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def count_upload(receive: Receive, limit: int) -> Receive:
    """Receives an upload as it arrives.

    Raises:
        UploadAborted: when called, if the upload exceeds the limit or takes more than
            `UPLOAD_SECONDS`, or if its client has gone.
    """
    count, is_whole = 0, False
    deadline = asyncio.get_running_loop().time() + UPLOAD_SECONDS

    async def receive_counted() -> Message:
        nonlocal count, is_whole
        try:
            async with asyncio.timeout_at(None if is_whole else deadline):
                message = await receive()
        except TimeoutError as error:
            raise UploadAborted(
                f"The upload did not arrive within {UPLOAD_SECONDS:.0f} seconds."
            ) from error
        if message["type"] == "http.disconnect" and not is_whole:
            raise UploadAborted("The client has gone.")
        count += len(message.get("body", b""))
        is_whole = is_whole or not message.get("more_body", False)
        if count > limit:
            # Gradio answers 413 where it reads "maximum allowed size".
            raise UploadAborted(f"The upload exceeds the maximum allowed size of {limit} bytes.")
        return message

    return receive_counted


def too_large(limit: int) -> JSONResponse:
    """The answer 413."""
    text = f"The request is too large; the limit is {limit / 1e6:.0f} MB. Send less at once."
    return JSONResponse({"error": text}, 413, headers={"Connection": "close"})


_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def is_nested_deeper(text: bytes, depth: int) -> bool:
    """Whether JSON is nested deeper than this, or its brackets do not match."""
    pieces = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    brackets = b"".join(pieces[::2]).translate(_BRACKETS, _OTHERS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)

"""Pictures that a program names by their URL instead of uploading them."""

import asyncio
import ipaddress
import secrets
import socket
from pathlib import Path

import gradio as gr
import httpx
from safehttpx import AsyncSecureTransport

from model.pictures.decoding import MAX_BYTES
from server.middleware.rate_limit import TokenBuckets
from server.uploads import make_room

DOWNLOADS_PER_SECOND = 1.0
"""Pictures that are downloaded per second in the long run, for all clients together."""

DOWNLOAD_BURST = 10
"""Pictures that may be downloaded at once."""

DOWNLOAD_SECONDS = 10.0
"""Seconds that one download may take."""


async def refuse_download(url: str, cache_dir: str) -> str:
    """Downloads nothing.

    Raises:
        gr.Error: always.
    """
    raise gr.Error("Upload the picture; addresses are not fetched.", print_exception=False)


class PictureDownloader:
    """Downloads pictures from public addresses, slowly and of at most `MAX_BYTES`."""

    def __init__(self) -> None:
        self._bucket = TokenBuckets(DOWNLOADS_PER_SECOND, DOWNLOAD_BURST)

    async def __call__(self, url: str, cache_dir: str) -> str:
        """Saves a picture in a folder and returns its path.

        Raises:
            gr.Error: it is not there, too large or too slow, or too many were asked for.
        """
        if self._bucket.wait(""):
            raise gr.Error("Too many pictures at once. Try again later.", print_exception=False)
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                data = await _download(httpx.URL(url))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TimeoutError) as error:
            raise gr.Error(
                "The picture cannot be fetched from there. Upload it instead.",
                print_exception=False,
            ) from error
        await asyncio.to_thread(make_room)
        folder = Path(cache_dir) / secrets.token_hex(16)
        folder.mkdir(parents=True)
        path = folder / "picture"
        path.write_bytes(data)
        return str(path)


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by anybody."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast


async def _download(url: httpx.URL) -> bytes:
    """The bytes at a URL.

    Raises:
        ValueError: the address is not public, redirects, or has more than `MAX_BYTES`.
    """
    found = await asyncio.get_running_loop().getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    if not all(map(is_public, addresses)):
        raise ValueError("not a public address")
    data = bytearray()
    headers = {"Accept-Encoding": "identity"}
    # The connection goes to the address that was checked, whatever the name resolves to by then.
    async with (
        httpx.AsyncClient(transport=AsyncSecureTransport(addresses[0])) as web,
        web.stream("GET", url, headers=headers) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise ValueError("not there")
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > MAX_BYTES:
                raise ValueError("too large")
    return bytes(data)

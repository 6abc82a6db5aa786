"""The folder of uploads: what comes into it, what may be read from it, and how much it keeps."""

import asyncio
import ipaddress
import secrets
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
from gradio import processing_utils
from gradio.utils import get_upload_folder
from safehttpx import AsyncSecureTransport

from model.pictures.decoding import MAX_BYTES
from server.limits import Buckets

MAX_KEPT = 1_000_000_000
"""Bytes of uploads that are kept; the oldest are deleted for newer ones."""

BLOCK = 4096
"""Bytes that a file counts for at least: that is what it takes on a disk."""

LEFT = 60.0
"""Seconds after which an empty file is nobody's: Gradio makes one for each file it is given."""

FETCHED, FETCH_SECONDS = 1.0, 10.0
"""Pictures a second that are fetched from the web, in the long run, and seconds for each."""


def uploaded_file(path: str | Path) -> Path | None:
    """Where an uploaded file really lies, all symbolic links followed; None for any other path."""
    try:
        found = Path(path).resolve()
        inside = found.is_relative_to(Path(get_upload_folder()).resolve())
        return found if inside and found.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


_making_room = threading.Lock()


def make_room(most: int = MAX_KEPT) -> None:
    """Deletes the oldest uploads until at most this many bytes are left."""
    with _making_room:
        _make_room(most)


def _make_room(most: int) -> None:
    folder = Path(get_upload_folder())
    old, files = time.time() - LEFT, []
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        if path.is_dir():
            continue
        if status.st_size or status.st_mtime > old:
            files.append((status.st_mtime, max(status.st_size, BLOCK), path))
        else:
            _delete(path, folder)
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= most:
            return
        _delete(path, folder)
        total -= size


def _delete(path: Path, folder: Path) -> None:
    """A file, and its folder below `folder` if nothing else is in that."""
    with suppress(OSError):
        path.unlink()
        if path.parent != folder:
            path.parent.rmdir()


def guard_downloads(*, allowed: bool) -> None:
    """Keeps Gradio from fetching what a program names by its address on the web.

    Gradio would read any file from any public address, whole, wherever a request holds a thing that
    looks like an upload. It refuses, or where that is `allowed`, fetches a few pictures.
    """
    download: Any = Fetcher() if allowed else _refuse
    processing_utils.async_ssrf_protected_download = download


async def _refuse(url: str, cache_dir: str) -> str:
    raise gr.Error("Upload the picture; addresses are not fetched.", print_exception=False)


class Fetcher:
    """Fetches pictures from public addresses: `FETCHED` a second, of at most `MAX_BYTES`."""

    def __init__(self) -> None:
        self._bucket = Buckets(FETCHED, burst=10)

    async def __call__(self, url: str, cache_dir: str) -> str:
        """Saves a picture in a folder; returns its path.

        Raises:
            gr.Error: it is not there, too large or too slow, or too many were asked for.
        """
        if self._bucket.wait(""):
            raise gr.Error("Too many pictures at once. Try again later.", print_exception=False)
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                data = await _fetch(httpx.URL(url))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TimeoutError) as error:
            raise gr.Error(
                "The picture cannot be fetched from there. Upload it instead.",
                print_exception=False,
            ) from error
        await asyncio.to_thread(make_room)
        place = Path(cache_dir) / secrets.token_hex(16)
        place.mkdir(parents=True)
        path = place / "picture"
        path.write_bytes(data)
        return str(path)


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody can reach."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast


async def _fetch(url: httpx.URL) -> bytes:
    """The bytes at an address.

    Raises:
        ValueError: it is not public, or leads elsewhere, or there are more than `MAX_BYTES`.
    """
    found = await asyncio.get_running_loop().getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    if not all(map(is_public, addresses)):
        raise ValueError("not a public address")
    data = bytearray()
    plain = {"Accept-Encoding": "identity"}
    # The address that was checked is the one that is asked, whatever the name means by then.
    async with (
        httpx.AsyncClient(transport=AsyncSecureTransport(addresses[0])) as client,
        client.stream("GET", url, headers=plain) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            raise ValueError("not there")
        async for piece in answer.aiter_raw():
            data += piece
            if len(data) > MAX_BYTES:
                raise ValueError("too large")
    return bytes(data)

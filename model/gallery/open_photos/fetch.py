"""Requests to the services: to their hosts alone, one at a time, within limits, as they ask for."""

import ipaddress
import json
import re
import socket
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from model.errors import SketchZooError

VERSION = "0.4"
API_BYTES = 20_000_000
PAGE_BYTES = 3_000_000
PHOTO_BYTES = 8_000_000
DEADLINE = 60.0
"""Seconds that one answer may take from its first to its last byte."""

TRIES = 3
WAIT = 60.0
"""Seconds until another try where a service does not say when; doubled each time."""

RECONNECT = 2.0
"""Seconds until another try where a host cannot be reached; doubled each time."""

LONGEST_WAIT = 600.0
REDIRECTS = 3
PICTURES = ("image/jpeg", "image/png", "image/webp")


class ServiceError(SketchZooError):
    """A service does not answer as it should, now; later it may."""


class GoneError(SketchZooError):
    """What was asked for is not there, or is not what it should be; it will not be later."""


class Fetcher:
    """Asks services, over https and at the hosts that were named alone.

    TLS shows that a host is the one that was named. So an address in an answer, or a name server,
    cannot lead a request into a private network; names that resolve to one are refused all the
    same.

    Args:
        pauses: seconds between two requests to each host. A host that begins with a dot stands for
            all below it.
        contact: a web or mail address of the person who fetches, for the User-Agent.
        sleep: how to wait.
        transport: makes the requests; tests give one to a server of their own.
    """

    def __init__(
        self,
        pauses: dict[str, float],
        contact: str = "",
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._pauses, self._sleep = pauses, sleep
        self._is_checked = transport is None
        self._next: dict[str, float] = {}
        about = (
            f"SketchZoo/{VERSION} (bot; {contact or 'no contact given'}) httpx/{httpx.__version__}"
        )
        self._client = httpx.Client(
            transport=transport,
            headers={"User-Agent": about},
            timeout=httpx.Timeout(15.0),
            trust_env=False,
        )

    def close(self) -> None:
        """Closes connections."""
        self._client.close()

    def json(self, url: str) -> Any:
        """The JSON at an address of a service.

        Raises:
            ServiceError: the service is not there, busy, or answers something else.
            GoneError: it refuses the request.
        """
        body, kind = self._get(url, API_BYTES)
        try:
            return json.loads(body)
        except ValueError as error:
            host = urlsplit(url).hostname
            raise ServiceError(
                f"{host} answered {kind or 'something'} instead of JSON. Try later."
            ) from error

    def page(self, url: str) -> str:
        """A web page.

        Raises:
            ServiceError, GoneError: as `json`.
        """
        return self._get(url, PAGE_BYTES)[0].decode("utf-8", "replace")

    def photo(self, url: str) -> bytes:
        """The bytes of a picture.

        Raises:
            ServiceError: the host is not there, or busy.
            GoneError: there is no such picture, or it is larger than `PHOTO_BYTES`.
        """
        body, kind = self._get(url, PHOTO_BYTES)
        if kind not in PICTURES:
            raise GoneError(f"not a photo but {kind or 'of an unknown type'}")
        return body

    def _get(self, url: str, most: int) -> tuple[bytes, str]:
        """Body and content type, after redirects and after waiting where the host asks for it."""
        for attempt in range(TRIES):
            try:
                answer, body = self._follow(url, most)
            except httpx.HTTPError as error:
                trouble, wait = f"does not answer ({type(error).__name__})", RECONNECT * 2**attempt
            else:
                status = answer.status_code
                if status == 200 and not _is_lagging(answer, body):
                    return body, answer.headers.get("content-type", "").split(";")[0].strip()
                if status not in (200, 408, 429, 500, 502, 503, 504):
                    raise GoneError(f"answered {status}")
                trouble, asked = f"is busy (status {status})", _retry_after(answer)
                wait = WAIT * 2**attempt if asked is None else asked
            if attempt < TRIES - 1:
                self._sleep(min(wait, LONGEST_WAIT))
        raise ServiceError(f"{urlsplit(url).hostname} {trouble}. Try later.")

    def _follow(self, url: str, most: int) -> tuple[httpx.Response, bytes]:
        for _ in range(REDIRECTS + 1):
            self._wait_for_turn(url)
            with self._client.stream("GET", url) as answer:
                if not answer.is_redirect:
                    return answer, _receive(answer, most)
                url = urljoin(url, answer.headers.get("location", ""))
        raise GoneError("too many redirects")

    def _wait_for_turn(self, url: str) -> None:
        """Waits until the host may be asked again.

        Raises:
            GoneError: the address is not one that is asked.
            httpx.ConnectError: its name cannot be resolved.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise GoneError("an address that is none") from error
        named = next((name for name in self._pauses if _is_at(host, name)), None)
        if parts.scheme != "https" or port not in (None, 443) or parts.username or named is None:
            raise GoneError(f"an address that is not asked: {parts.scheme}://{host}")
        if self._is_checked:
            _check_public(host)
        now = time.monotonic()
        if now < self._next.get(named, 0.0):
            self._sleep(self._next[named] - now)
        self._next[named] = time.monotonic() + self._pauses[named]


def _is_at(host: str, name: str) -> bool:
    return host.endswith(name) if name.startswith(".") else host == name


def _check_public(host: str) -> None:
    """Raises GoneError where a name leads into a private network."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host} is not known") from error
    if not all(ipaddress.ip_address(str(each[4][0]).split("%")[0]).is_global for each in found):
        raise GoneError(f"{host} is an address of a private network")


def _receive(answer: httpx.Response, most: int) -> bytes:
    """The body, at most so many bytes, within `DEADLINE` seconds.

    Raises:
        GoneError: it is larger.
        httpx.ReadTimeout: it takes longer.
    """
    body, began = bytearray(), time.monotonic()
    if int(re.sub(r"\D", "", answer.headers.get("content-length", "")) or 0) > most:
        raise GoneError(f"has over {most / 1e6:.0f} MB")
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > most:
            raise GoneError(f"has over {most / 1e6:.0f} MB")
        if time.monotonic() - began > DEADLINE:
            raise httpx.ReadTimeout("too slow")
    return bytes(body)


def _is_lagging(answer: httpx.Response, body: bytes) -> bool:
    """Whether MediaWiki says with status 200 that it is too busy."""
    return b'"maxlag"' in body[:300] and "retry-after" in answer.headers


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the host asks to wait; None where it does not say."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None

"""Requests to the services: only to their hosts, one at a time, with limits and pauses."""

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
"""Maximum sizes of lists, web pages and photos."""

DEADLINE = 60.0
"""Maximum seconds from the first to the last byte of an answer."""

TRIES = 3
WAIT = 60.0
"""Seconds before the next try if a busy service names no time; doubled each time."""

RECONNECT = 2.0
"""Seconds before the next try if a host cannot be reached; doubled each time."""

LONGEST_WAIT = 600.0
"""Maximum seconds to wait, even if a service asks for more."""

REDIRECTS = 3
PICTURES = ("image/jpeg", "image/png", "image/webp")


class ServiceError(SketchZooError):
    """A service does not answer correctly. Trying again later may help."""


class GoneError(SketchZooError):
    """The requested file does not exist or is of the wrong kind. Trying again does not help."""


class Fetcher:
    """Sends requests to certain hosts, over HTTPS only.

    TLS proves the name of a host. So neither a URL in an answer nor a name server can direct a
    request into a private network. Names that resolve to a private address are refused anyway.

    Args:
        pauses: the allowed hosts, with the seconds between two requests to each. A name that starts
            with a dot stands for all hosts below it.
        contact: web or mail address of the person who downloads, for the User-Agent.
        sleep: function that waits.
        transport: sends the requests; tests replace it.
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
            event_hooks={"response": [_check_location]},
            timeout=httpx.Timeout(15.0),
            trust_env=False,
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def json(self, url: str) -> Any:
        """Downloads JSON from a service.

        Raises:
            ServiceError: the service is unreachable or busy, or the answer is not JSON.
            GoneError: the service refuses the request.
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
        """Downloads a web page.

        Raises:
            ServiceError, GoneError: as `json`.
        """
        return self._get(url, PAGE_BYTES)[0].decode("utf-8", "replace")

    def photo(self, url: str) -> bytes:
        """Downloads the file of a picture.

        Raises:
            ServiceError: the host is unreachable or busy.
            GoneError: the picture does not exist, or is larger than `PHOTO_BYTES`.
        """
        body, kind = self._get(url, PHOTO_BYTES)
        if kind not in PICTURES:
            raise GoneError(f"not a photo but {kind or 'of an unknown type'}")
        return body

    def _get(self, url: str, most: int) -> tuple[bytes, str]:
        """Body and content type of an answer. Follows redirects, and waits if the host is busy."""
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
        try:
            for _ in range(REDIRECTS + 1):
                self._wait_for_turn(url)
                with self._client.stream("GET", url) as answer:
                    if not answer.is_redirect:
                        return answer, _receive(answer, most)
                    url = urljoin(url, answer.headers.get("location", ""))
        except (httpx.InvalidURL, ValueError) as error:  # Also names that DNS cannot have.
            raise GoneError("an invalid address") from error
        raise GoneError("too many redirects")

    def _wait_for_turn(self, url: str) -> None:
        """Waits until the next request to this host is allowed.

        Raises:
            GoneError: the host is not allowed.
            ValueError: the URL is invalid.
            httpx.ConnectError: the name of the host cannot be resolved.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        named = next((name for name in self._pauses if _is_at(host, name)), None)
        if parts.scheme != "https" or port not in (None, 443) or parts.username or named is None:
            raise GoneError(f"an address that is not asked: {parts.scheme}://{host}")
        if self._is_checked:
            _check_public(host)
        now = time.monotonic()
        if now < self._next.get(named, 0.0):
            self._sleep(self._next[named] - now)
        self._next[named] = time.monotonic() + self._pauses[named]


def _check_location(answer: httpx.Response) -> None:
    """Raises httpx.InvalidURL for an invalid redirect; httpx would report a lost connection."""
    httpx.URL(answer.headers.get("location", ""))


def _is_at(host: str, name: str) -> bool:
    return host.endswith(name) if name.startswith(".") else host == name


def _check_public(host: str) -> None:
    """Raises GoneError if a name resolves to an address of a private network."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host} is not known") from error
    if not all(ipaddress.ip_address(str(each[4][0]).split("%")[0]).is_global for each in found):
        raise GoneError(f"{host} is an address of a private network")


def _receive(answer: httpx.Response, most: int) -> bytes:
    """Reads the body of an answer.

    Raises:
        GoneError: the body has more than `most` bytes.
        httpx.ReadTimeout: reading takes longer than `DEADLINE`.
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
    """Whether MediaWiki is too busy. It then answers with status 200."""
    return b'"maxlag"' in body[:300] and "retry-after" in answer.headers


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the host asks to wait; None if it does not say."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None

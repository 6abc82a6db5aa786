"""Forwarded addresses: which client a request comes from, behind proxies or without."""

import ipaddress
import os
from contextvars import ContextVar
from typing import Any, Literal

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from model.errors import SketchZooError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Proxies = tuple[Network, ...] | Literal["*"]
"""Networks of trusted proxies, or `*` for a single proxy at any address."""

PRIVATE_NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8"

MAX_ADDRESS = 64
"""Characters that are kept of an address that is not an IP address."""

client: ContextVar[str] = ContextVar("client", default="")
"""The client of the current request; see `client_of`. Limits count and share by it."""


class ForwardedFor:
    """ASGI middleware that finds out the client of each request and sets `client`.

    Uvicorn's middleware reads `X-Forwarded-For` where a trusted proxy sent it. It takes the last
    address that is not a trusted proxy; a client can make up all addresses before that one.

    Args:
        app: the application to wrap.
        proxies: the trusted proxies; empty trusts nobody.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies = ()) -> None:
        self.app, self.proxies = app, proxies
        self.trusting = self._trust([str(network) for network in proxies])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.proxies == "*":
            # Uvicorn's own "*" takes the first address, which the client can make up.
            await self._trust([peer_address(scope)])(scope, receive, send)
        else:
            await self.trusting(scope, receive, send)

    def _trust(self, hosts: list[str]) -> Any:
        inner: Any = self._set_client  # Uvicorn has types of its own for ASGI.
        return ProxyHeadersMiddleware(inner, hosts)

    async def _set_client(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client.set(client_of(peer_address(scope)))
        await self.app(scope, receive, send)


def peer_address(scope: Scope) -> str:
    """The address that a request comes from."""
    return str((scope.get("client") or ("unknown", 0))[0])


def client_of(address: str) -> str:
    """The client that an address counts for: an IPv4 address, or the /64 network of an IPv6 one."""
    ip = parse_ip(address)
    if ip is None:
        return address[:MAX_ADDRESS]
    if isinstance(ip, ipaddress.IPv6Address):
        if not ip.ipv4_mapped:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        return str(ip.ipv4_mapped)
    return str(ip)


def parse_ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address; None where the text is not one."""
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def is_from_proxy(address: str, proxies: Proxies) -> bool:
    """Whether a request from this address comes from a trusted proxy."""
    if proxies == "*":
        return True
    ip = parse_ip(address)
    return ip is not None and any(ip in network for network in proxies)


def read_proxies(text: str) -> Proxies:
    """Reads addresses and networks of proxies, separated by commas, or `*` for any address.

    Raises:
        SketchZooError: an entry is neither an address nor a network.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["*"]:
        return "*"
    networks = []
    for name in names:
        try:
            networks.append(ipaddress.ip_network(name, strict=False))
        except ValueError as error:
            raise SketchZooError(
                f"{name} is no address or network of a proxy. Write --proxy (or "
                "FORWARDED_ALLOW_IPS) like 10.0.0.7 or 10.0.0.0/8, with commas between them, or "
                "* alone."
            ) from error
    return tuple(networks)


def default_proxies() -> str:
    """`FORWARDED_ALLOW_IPS`; on Spaces, where only its proxies reach the app, private networks."""
    return os.environ.get(
        "FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS if "SPACE_ID" in os.environ else ""
    )

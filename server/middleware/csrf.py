"""Protection from cross-site request forgery (CSRF)."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.log import printable, warn_rarely


class CsrfProtection:
    """ASGI middleware that refuses what pages of other sites make a browser send.

    A page of another site could make its visitors' browsers search and upload here. Browsers say
    where a request comes from: in `Sec-Fetch-Site`, or in `Origin` if they are older or do not use
    TLS. Programs send neither header, and are allowed. On a Space, the app's page is in a frame.
    Its requests go to its own origin, so they are allowed, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        only_reads = scope["type"] != "http" or scope["method"] in ("GET", "HEAD")
        if only_reads or is_same_origin(headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        origin, host = (printable(headers.get(name, "")) for name in ("origin", "host"))
        warn_rarely(
            "site",
            f"Refused a request of a page at {origin}, which came for {host}. If that is the app's "
            "own page, the proxy before it changes Host; for nginx, write 'proxy_set_header Host "
            "$http_host;'.",
        )
        text = (
            "Requests from pages of other sites are refused. If this is the app's own page, its "
            "proxy has to pass the header Host on as it comes."
        )
        await JSONResponse({"error": text}, 403)(scope, receive, send)


def is_same_origin(headers: Headers) -> bool:
    """Whether a request comes from this app's own page, or from no page at all.

    A proxy may have changed `Host`. Therefore the board sends `X-Requested-With`, and a proxy may
    send the original host in `X-Forwarded-Host`. A page of another site cannot set either of them
    without a preflight request, which is refused.
    """
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None or "x-requested-with" in headers:
        return True
    forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
    hosts = {host.lower() for host in (forwarded, headers.get("host", "")) if host}
    try:
        return urlsplit(origin).netloc.lower() in hosts
    except ValueError:  # It is no address.
        return False

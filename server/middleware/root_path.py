"""Root path: the app below a path that the proxy does not take away."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """ASGI middleware that removes the path which the app is served at from each request.

    Args:
        app: the application to wrap.
        prefix: like `/zoo`.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if path.startswith(f"{self.prefix}/"):
            scope = {**scope, "path": path.removeprefix(self.prefix)}
        await self.app(scope, receive, send)

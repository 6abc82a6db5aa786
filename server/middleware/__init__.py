"""ASGI middleware, one file each; `server.application` lists them in their order."""

"""ASGI middleware, one file each.

`server.application` lists those around all routes in their order, and `server.routes.page` those
around Gradio alone.
"""

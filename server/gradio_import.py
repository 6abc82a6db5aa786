"""Imports Gradio without the files that it writes for editors. Checked with Gradio 6.31.0."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_interface_files() -> Iterator[None]:
    """While this is active, Gradio can be imported in two thirds of the time.

    Each time it is imported, Gradio parses the source of its components and writes an interface
    file (`.pyi`) beside each. It has no setting for that, but leaves out classes that come from no
    file.
    """
    internals: Any = inspect
    original = inspect.getfile

    def getfile(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError("no interface file for this class")
        return original(thing)

    internals.getfile = getfile
    try:
        yield
    finally:
        internals.getfile = original

"""Imports Gradio without the files that it keeps for editors. Checked with Gradio 6.31.0."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_interface_files() -> Iterator[None]:
    """While this is active, Gradio can be imported in two thirds of the time.

    Each time, Gradio parses the source of its components, and compares it with an interface file
    (`.pyi`) for each, which it writes if they differ. It has no setting for that, but leaves out
    classes that come from no file. Everything else that asks for a class's file gets it.
    """
    internals: Any = inspect
    original = inspect.getfile

    def getfile(thing: Any) -> str:
        if sys._getframe(1).f_code.co_name == "create_or_modify_pyi":
            raise OSError("no interface file for this class")
        return original(thing)

    internals.getfile = getfile
    try:
        yield
    finally:
        internals.getfile = original

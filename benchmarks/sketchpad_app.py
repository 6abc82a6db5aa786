"""The same search with Gradio's own sketchpad and gallery, for comparison.

`SKETCHZOO_CHECKPOINT` names the checkpoint; without it, the shipped one is used.
"""

import os
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from model.checkpoint.checkpoint import SHIPPED
from model.errors import EmptySketchError
from model.search.search import SketchSearch
from server.startup import open_galleries
from tests.harness.apps import ROOT


def build_page(search: SketchSearch) -> gr.Blocks:
    """A sketchpad, a gallery, and an `<output>` with the number of answers so far."""
    answers = count(1)

    def find(drawing: dict[str, Any]) -> tuple[list[tuple[str, str]], str]:
        try:
            matches = search.query(drawing["composite"])
        except EmptySketchError:
            matches = []
        photos = [(str(search.thumbnail(m.number)), m.label) for m in matches]
        return photos, f"<output>{next(answers)}</output>"

    page: gr.Blocks = gr.Blocks()
    with page:
        pad = gr.Sketchpad(
            type="pil", canvas_size=(512, 512), brush=gr.Brush(8, ["#000000"], color_mode="fixed")
        )
        photos = gr.Gallery(columns=4)
        answer = gr.HTML("<output>0</output>")
        pad.change(find, pad, [photos, answer], queue=False, show_progress="hidden")
    return page


def main() -> None:
    """Serves the page until it is stopped."""
    checkpoint = Path(os.environ.get("SKETCHZOO_CHECKPOINT", SHIPPED))
    search = open_galleries(checkpoint, None, ROOT / "galleries").search()
    build_page(search).launch(allowed_paths=[str(search.folder)], quiet=True)


if __name__ == "__main__":
    main()

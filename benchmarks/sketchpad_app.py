"""The same search behind Gradio's own sketchpad and gallery, for comparison."""

import os
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr

from model.checkpoint.checkpoint import SHIPPED
from model.errors import EmptySketchError
from server.startup import ROOT, open_galleries

checkpoint = Path(os.environ.get("SKETCHZOO_CHECKPOINT", SHIPPED))
search = open_galleries(checkpoint, None, ROOT / "galleries").search()
answers = count(1)


def find(drawing: dict[str, Any]) -> tuple[list[tuple[str, str]], str]:
    try:
        matches = search.query(drawing["composite"])
    except EmptySketchError:
        matches = []
    photos = [(str(search.thumbnail(m.number)), m.label) for m in matches]
    return photos, f"<output>{next(answers)}</output>"


with gr.Blocks() as page:
    pad = gr.Sketchpad(
        type="pil", canvas_size=(512, 512), brush=gr.Brush(8, ["#000000"], color_mode="fixed")
    )
    photos = gr.Gallery(columns=4)
    answer = gr.HTML("<output>0</output>")
    pad.change(find, pad, [photos, answer], queue=False, show_progress="hidden")

page.launch(allowed_paths=[str(search.folder)], quiet=True)

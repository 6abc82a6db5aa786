"""Manifests of checkpoint folders, changed and damaged."""

import copy
import functools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import MANIFEST
from tests.harness.checkpoints import make_checkpoint
from tools.fuzz.queries import junk


@functools.cache
def checkpoint_folder() -> Path:
    """A small checkpoint. The fuzzer rewrites its manifest; `valid.json` is the original."""
    folder = Path(tempfile.mkdtemp(prefix="sketchzoo-fuzz-")) / "checkpoint"
    make_checkpoint(folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["photos"] = [{"path": "a.jpg", "label": "ant", "credit": "", "licence": ""}]
    manifest["calibration"] = {"temperature": 1.0, "error": 0.1, "least_similarity": 0.2}
    (folder / "valid.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """A manifest with fields changed, removed or added, or with damaged text."""
    manifest = json.loads((checkpoint_folder() / "valid.json").read_text(encoding="utf-8"))
    if draw(st.booleans()):
        manifest["photos"], manifest["calibration"] = [], None
    for _ in range(draw(st.integers(0, 3))):
        place: Any = manifest
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            kind = draw(st.integers(0, 4))
            if kind == 0:
                del place[key]
            elif kind == 1 and isinstance(place, dict):
                place[draw(st.text(max_size=6))] = draw(junk)
            elif kind == 2:
                place[key] = copy.deepcopy(draw(st.sampled_from(_ODD)))
            else:
                place[key] = draw(junk)
            break
    text = bytearray(json.dumps(manifest).encode())
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 9))] = draw(
            st.one_of(st.binary(max_size=9), st.sampled_from([b"[" * 3000, b"9" * 5000]))
        )
    return bytes(text)


_ODD: Sequence[Any] = (
    *(-1, 0, 1, 2**31, 2**63, 10**30, -1.5, float("nan"), float("inf"), True, None),
    *("", "../..", "/etc/passwd", "\0", "\ud800", "vgg19", [], {}, [None], [{}], {"": None}),
)


def read_manifest(data: bytes) -> None:
    """Opens a checkpoint with this manifest and builds its encoder."""
    folder = checkpoint_folder()
    (folder / MANIFEST).write_bytes(data)
    Checkpoint.open(folder).encoder()

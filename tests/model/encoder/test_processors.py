"""Embeddings on a processor without AVX-512 and VNNI, which QEMU emulates."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.checkpoint.checkpoint import SHIPPED, Checkpoint
from model.pictures.framing import frame_sketch
from model.pictures.strokes import parse_strokes, render_strokes

ROOT = Path(__file__).parents[3]

EMBED = """
import sys
import numpy as np
from model.checkpoint.checkpoint import Checkpoint
encoder = Checkpoint.open(sys.argv[1]).encoder()
frames = np.load(sys.argv[2])
np.save(sys.argv[3], np.concatenate([encoder.embed_frames(frame[None]) for frame in frames]))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="QEMU would be far too slow")
def test_a_haswell_embeds_sketches_like_this_processor(
    examples: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    emulator = shutil.which("qemu-x86_64")
    assert emulator, "install Debian's qemu-user, as 'make test' does"
    encoder = Checkpoint.open(SHIPPED).encoder()
    drawn = [render_strokes(parse_strokes(strokes)) for strokes in examples.values()][:4]
    frames = np.stack([frame_sketch(image, encoder.input_size) for image in drawn])
    np.save(tmp_path / "frames.npy", frames)
    found = tmp_path / "found.npy"
    files = map(str, (SHIPPED, tmp_path / "frames.npy", found))
    command = [emulator, "-cpu", "Haswell-v4", sys.executable, "-c", EMBED, *files]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    cosines = (np.load(found) * encoder.embed_frames(frames)).sum(axis=1)
    assert cosines.min() > 0.999

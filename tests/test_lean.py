"""The app runs without PyTorch, sends no telemetry, and starts without needless work."""

import json
import subprocess
import sys
from pathlib import Path

from model.checkpoint.checkpoint import Checkpoint

ROOT = Path(__file__).parent.parent

WATCHED = """
import json, sys
reached, interfaces = [], []
def watch(event, given):
    if event == "open" and str(given[0]).endswith(".pyi"):
        interfaces.append(str(given[0]))
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        reached.append([event, repr(given[1:])])
sys.addaudithook(watch)
"""

SERVE = (
    WATCHED
    + """
from server.application import build_app
from server.startup import open_galleries
from pathlib import Path
from PIL import Image, ImageDraw
galleries = open_galleries(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
build_app(galleries)
drawing = Image.new("L", (90, 90), 255)
ImageDraw.Draw(drawing).ellipse((10, 20, 80, 70), outline=0, width=3)
found = galleries.get_search().query(drawing, k=2)
"""
)

EXPORT = (
    WATCHED
    + """
import torch
import numpy as np
from pathlib import Path
from train.networks.onnx import write_backbone
from train.networks.siamese import SiameseNetwork
frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
write_backbone(SiameseNetwork("resnet18", 8, 3), 32, Path(sys.argv[1]) / "encoder.onnx", frames)
found = [Path(sys.argv[1]) / "encoder.onnx"]
"""
)

TELL = """
loaded = [name for name, module in sys.modules.items() if module is not None]
names = {name.partition(".")[0] for name in loaded}
unwanted = sorted(names & {"torch", "openvino_telemetry", "train"})
print(json.dumps([len(found), unwanted, reached, interfaces]))
"""


def run(program: str, *arguments: Path) -> list[object]:
    command = [sys.executable, "-c", program + TELL, *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told: list[object] = json.loads(ended.stdout.splitlines()[-1])
    return told


def test_the_app_never_imports_torch_and_reaches_no_host(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    """Nor does Gradio check its interface files, which takes a third of its import."""
    assert run(SERVE, tiny_checkpoint.folder, photo_folder, tmp_path / "g") == [2, [], [], []]


def test_an_export_reaches_no_host(tmp_path: Path) -> None:
    _, loaded, reached, _ = run(EXPORT, tmp_path)
    assert loaded == ["torch", "train"]
    assert reached == []

"""Galleries and open photos need only the packages of requirements-serve.txt."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.search.search import SketchSearch
from tests.harness.apps import ROOT
from tests.harness.open_services import RUNNER, World, serving

SERVED_PACKAGES_ONLY = r"""
import importlib.metadata as metadata
import re
import sys
from pathlib import Path
from packaging.requirements import Requirement

def name_of(text):
    return re.sub(r"[-_.]+", "-", text).lower()

def add(requirement, found):
    name = name_of(requirement.name)
    wanted = {(name, extra) for extra in ("", *requirement.extras)}
    if wanted <= found:
        return
    found |= wanted
    try:
        further = map(Requirement, metadata.requires(name) or [])
    except metadata.PackageNotFoundError:
        return
    for each in further:
        extras = ("", *requirement.extras)
        if not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            add(each, found)

served = set()
for line in Path("requirements-serve.txt").read_text().splitlines():
    add(Requirement(line.partition("#")[0]), served)
names = {name for name, _ in served}
absent = {
    module
    for module, packages in metadata.packages_distributions().items()
    if not names & set(map(name_of, packages))
}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

assert {"torch", "torchvision", "matplotlib", "onnx", "py7zr"} <= absent
assert not {"numpy", "PIL", "gradio", "openvino", "annoy"} & absent
sys.meta_path.insert(0, Absent())
"""
"""Makes packages that are not installed by requirements-serve.txt impossible to import."""

MODULE = """
import runpy
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(program: str, *arguments: object, port: int = 0) -> "subprocess.CompletedProcess[str]":
    """Runs `python -m train` with these packages."""
    return subprocess.run(
        [sys.executable, "-c", SERVED_PACKAGES_ONLY + program, "train", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "ROOT": str(ROOT), "SERVICES": str(port)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", [[], ["index"], ["download", "photos"], ["fit"], ["export"]])
def test_help_needs_no_further_packages(command: list[str]) -> None:
    done = run(MODULE, *command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: python -m train" in done.stdout


def test_index_needs_no_further_packages(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "gallery"
    options = ["--photos", photo_folder, "--checkpoint", tiny_checkpoint.folder, "--out", out]
    done = run(MODULE, "index", *options)
    assert done.returncode == 0, done.stderr
    assert "6 photos: 6 new" in done.stdout
    assert len(SketchSearch.load(out).photos) == 6


def test_download_photos_needs_no_further_packages(tmp_path: Path) -> None:
    """With local services, and a judge that accepts all photos."""
    options = ["--out", tmp_path / "photos", "--classes", "ant", "--per-class", "2"]
    with serving(World()) as port:
        done = run(RUNNER, "download", "photos", *options, port=port)
    assert done.returncode == 0, done.stderr
    assert f"2 photos of 1 animals are in {tmp_path / 'photos'}" in done.stdout


def test_other_commands_say_which_packages_they_need(tmp_path: Path) -> None:
    done = run(MODULE, "fit", "--sketchy", tmp_path, "--run", tmp_path / "run")
    assert done.returncode == 1
    assert "No module named 'torch'" in done.stderr
    assert "Run: pip install -r requirements-train.txt" in done.stderr

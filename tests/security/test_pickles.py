"""Pickles are refused, because they could run a program."""

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import ENCODER, HEADS, LAYOUT, MANIFEST, WEIGHTS, sha256
from model.errors import CheckpointError
from model.search.search import SketchSearch
from train.checkpoints import trained_network
from train.data.frames import StoredFrames
from train.errors import DataError
from train.run_files import read_state


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sign),)


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """The folder that exists once an `Evil` was unpickled."""
    sign = tmp_path / "owned"
    pickle.loads(pickle.dumps(Evil(sign)))
    assert sign.is_dir()
    sign.rmdir()
    return sign


def put(folder: Path, name: str, data: bytes) -> None:
    """Replaces a file of a checkpoint, and its checksum in the manifest."""
    (folder / name).unlink()
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["sha256"][name] = sha256(folder / name)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_pickled_weights_are_refused(
    tiny_checkpoint: Checkpoint, tmp_path: Path, sign: Path
) -> None:
    torch.save({"weight": Evil(sign)}, tmp_path / "evil.pt")
    folder = tiny_checkpoint.folder
    for data in ((tmp_path / "evil.pt").read_bytes(), pickle.dumps(Evil(sign))):
        put(folder, WEIGHTS, data)
        with pytest.raises(CheckpointError, match="does not fit"):
            trained_network(folder)
        for name, said in ((HEADS, "lacks the heads"), (ENCODER, "cannot be run by OpenVINO")):
            before = (folder / name).read_bytes()
            put(folder, name, data)
            with pytest.raises(CheckpointError, match=said):
                Checkpoint.open(folder).encoder()
            put(folder, name, before)
    assert not sign.exists()


def test_a_pickled_map_is_refused(search: SketchSearch, tmp_path: Path, sign: Path) -> None:
    folder = tmp_path / "gallery"
    folder.mkdir()
    for file in search.folder.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    np.save(tmp_path / "evil.npy", np.array([Evil(sign)], object), allow_pickle=True)
    for data in ((tmp_path / "evil.npy").read_bytes(), pickle.dumps(Evil(sign))):
        put(folder, LAYOUT, data)
        with pytest.raises(CheckpointError, match="not a map"):
            SketchSearch.load(folder)
    assert not sign.exists()


def test_pickled_frames_are_refused(tmp_path: Path, sign: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([Evil(sign)], object), allow_pickle=True)
    with pytest.raises(ValueError):
        StoredFrames([], tmp_path / "evil.npy", [])
    assert not sign.exists()


def test_a_pickled_training_state_is_refused(tmp_path: Path, sign: Path) -> None:
    torch.save({"step": Evil(sign)}, tmp_path / "last.pt")
    with zipfile.ZipFile(tmp_path / "last.pt") as file:
        assert any(name.endswith("data.pkl") for name in file.namelist())
    with pytest.raises(DataError, match="damaged"):
        read_state(tmp_path / "last.pt")
    assert not sign.exists()

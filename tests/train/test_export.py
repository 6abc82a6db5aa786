"""Exported networks give the same maps as in PyTorch."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import ENCODER, MANIFEST
from model.encoder.runtime import OnnxBackbone
from tests.harness.checkpoints import make_checkpoint
from train.__main__ import main
from train.data.sources import DataFolders
from train.errors import DataError
from train.export import Export, check_drop
from train.networks.encoder import TorchBackbone
from train.networks.names import BACKBONES, PLAIN_CNN_SIDE
from train.networks.onnx import write_backbone
from train.networks.pair import PAIR, set_pose_size
from train.networks.siamese import SiameseNetwork
from train.runs import load_run


# A ResNet101 has the blocks of a ResNet50, and takes far longer.
@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "resnet101"])
def test_a_backbone_gives_the_maps_that_it_gives_in_pytorch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SiameseNetwork(name, 8, 3, standardise=name == "resnet18")
    if name == PAIR:
        set_pose_size(network, 32)
    side = PLAIN_CNN_SIDE if name == "plain_cnn" else 64
    frames = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    expected = TorchBackbone(network)(frames)
    write_backbone(network, side, tmp_path / "network.onnx")
    found = OnnxBackbone(tmp_path / "network.onnx")(frames)
    np.testing.assert_allclose(found, expected, atol=2e-3 * float(np.abs(expected).max()))


def test_an_export_has_weights_of_7_bits_and_says_what_they_cost(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cache = tmp_path / "out", ["--cache", str(run / "cache")]
    assert json.loads((run / "sources.json").read_text())["sketchy"] == str(sketchy)
    capsys.readouterr()
    assert main(["export", "--run", str(run), "--out", str(out), *cache]) == 0
    assert "P@12 on held-out pictures: " in capsys.readouterr().out
    arrays = map(numpy_helper.to_array, onnx.load(out / ENCODER).graph.initializer)
    kernels = [array for array in arrays if array.ndim == 4 and array.size > 3]
    assert len(kernels) == 20, "the convolutions of a ResNet18"
    assert all(kernel.dtype == np.int8 and np.abs(kernel).max() <= 64 for kernel in kernels)
    frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    coloured = np.repeat(frames[..., None], 3, axis=3)
    exact = TorchBackbone(load_run(run).network)(coloured).mean(axis=(2, 3))
    found = Checkpoint.open(out).encoder().maps(frames).mean(axis=(2, 3))
    cosines = (exact * found).sum(axis=1) / np.linalg.norm(exact, axis=1)
    assert (cosines / np.linalg.norm(found, axis=1)).min() > 0.98


def test_8_bits_that_cost_too_much_are_refused() -> None:
    check_drop(0.6, 0.5951)
    with pytest.raises(DataError, match=r"from 0\.6000 to 0\.5940.*Nothing was written.*fp32"):
        check_drop(0.6, 0.594)


def test_a_run_that_does_not_know_its_pictures_asks_for_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_checkpoint(tmp_path / "checkpoint", real_backbones=True).folder
    (checkpoint / "split.json").write_text('{"validation_ids": []}')
    assert main(["export", "--run", str(checkpoint), "--out", str(tmp_path / "out")]) == 1
    assert "Add --sketchy DIR" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_further_photos_of_a_run_are_found_where_it_had_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[DataFolders | None] = []

    def export(given: Export) -> None:
        seen.append(given.data)
        raise DataError("That will do.")

    monkeypatch.setattr("train.export.export", export)
    more, moved = tmp_path / "more", tmp_path / "moved"
    more.mkdir()
    DataFolders(Path("old"), (more,)).save(tmp_path)
    command = ["export", "--run", str(tmp_path), "--out", str(tmp_path / "out")]
    given = ["--sketchy", "new"]
    for options, expected in (
        ([], None),
        (given, DataFolders(Path("new"), (more,))),
        ([*given, "--train-photos", str(moved)], DataFolders(Path("new"), (moved,))),
    ):
        assert main([*command, *options]) == 1
        assert "That will do." in capsys.readouterr().err
        assert seen.pop() == expected
    assert main([*command, "--train-photos", str(more)]) == 1
    assert "--train-photos needs --sketchy" in capsys.readouterr().err
    more.rename(moved)
    assert main([*command, *given]) == 1
    assert "more, with further photos of the run, is gone" in capsys.readouterr().err
    assert not seen


def test_an_older_checkpoint_is_converted_with_its_network_for_photos(tmp_path: Path) -> None:
    older = make_checkpoint(tmp_path / "older", own_for_photos=True, real_backbones=True)
    out = tmp_path / "new"
    photo = np.full((1, 48, 48, 3), 90, np.uint8)
    expected = older.encoder().photo_encoder.maps(photo)
    folder = older.folder
    (folder / "split.json").write_text('{"validation_ids": []}')
    manifest = json.loads((folder / MANIFEST).read_text())
    calibration = {"temperature": 1.5, "error": 0.1, "least_similarity": 0.5}
    for name in ("encoder.onnx", "photos.onnx", "heads.safetensors"):
        (folder / name).unlink()
        del manifest["sha256"][name]
    del manifest["pose"]
    manifest |= {"format": 1, "calibration": calibration}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    command = ["export", "--precision", "fp32", "--run", str(folder), "--out"]
    assert main([*command, str(out)]) == 0
    converted = Checkpoint.open(out)
    assert converted.manifest.name == "tiny"
    assert converted.manifest.calibration is not None
    assert converted.manifest.calibration.temperature == 1.5
    found = converted.encoder().photo_encoder.maps(photo)
    np.testing.assert_allclose(found, expected, atol=2e-2 * float(np.abs(expected).max()))
    shutil.rmtree(folder)

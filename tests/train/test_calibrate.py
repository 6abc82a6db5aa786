import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.classification import MulticlassCalibrationError

from model.checkpoint.checkpoint import Checkpoint
from model.search.search import SketchSearch
from tests.train.fitting import PHOTOS, SKETCHES, export_fp32, run_fit
from train.__main__ import main
from train.calibrate import (
    BINS,
    best_temperature,
    expected_calibration_error,
    least_similarity,
    softmax,
)


def posteriors(sharpened: float) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of posteriors, and labels drawn from them; they are calibrated at `sharpened`."""
    random = np.random.default_rng(0)
    logs = random.normal(0, 1.5, (20_000, 6))
    shares = softmax(logs)
    labels = (shares.cumsum(axis=1) < random.random((len(logs), 1))).sum(axis=1)
    return logs * sharpened, labels


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 2.0])
def test_the_temperature_undoes_what_made_guesses_too_sure(sharpened: float) -> None:
    logs, labels = posteriors(sharpened)
    temperature = best_temperature(logs, labels)
    assert temperature == pytest.approx(sharpened, rel=0.05)
    assert expected_calibration_error(softmax(logs / temperature), labels) < 0.01
    if sharpened != 1:
        assert expected_calibration_error(softmax(logs), labels) > 0.1


def test_the_error_is_that_of_torchmetrics() -> None:
    logs, labels = posteriors(1.7)
    shares = softmax(logs)
    theirs = MulticlassCalibrationError(6, n_bins=BINS, norm="l1")
    expected = float(theirs(torch.from_numpy(shares), torch.from_numpy(labels)))
    assert expected_calibration_error(shares, labels) == pytest.approx(expected, abs=1e-6)


def test_what_is_too_far_is_told_by_classes_with_twelve_photos_where_there_are_any() -> None:
    nearest = np.concatenate([np.linspace(0.5, 0.7, 21), np.full(9, 0.1)])
    photos = np.array([12] * 20 + [40] + [11] * 9)
    assert least_similarity(nearest, photos) == pytest.approx(0.51)  # the second of 21
    assert least_similarity(nearest, np.full(30, 11)) == pytest.approx(0.1)


def test_a_calibrated_checkpoint_guesses_and_keeps_its_weights(
    sketchy: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "checkpoint"
    assert export_fp32(run, out, "--photos", sketchy / PHOTOS) == 0
    manifest = Checkpoint.open(out).folder / "manifest.json"
    before = json.loads(manifest.read_text())
    search = SketchSearch.load(out)
    with Image.open(min((sketchy / SKETCHES).glob("bat/*.png"))) as drawing:
        embedding = search.encoder.embed_sketches([drawing])[0]
    assert search.guess(embedding) == []
    capsys.readouterr()
    assert main(["calibrate", "--checkpoint", str(out), "--sketchy", str(sketchy)]) == 0
    said = capsys.readouterr().out
    assert "expected calibration error" in said
    assert f"Only pictures whose photo id {out}/split.json holds out were used" in said
    after = json.loads(manifest.read_text())
    written = after.pop("calibration")
    before.pop("calibration")
    assert after == before
    assert set(written) == {"temperature", "error", "least_similarity"}
    search = SketchSearch.load(out)
    guesses = search.guess(embedding, 3)
    assert [g.share for g in guesses] == sorted([g.share for g in guesses], reverse=True)
    assert sum(g.share for g in guesses) == pytest.approx(1)
    assert {g.label for g in guesses} == {"bat", "cow", "eel"}
    sharp = 2 * embedding[16:].astype(float) ** 2  # the square of the posterior
    hot = sharp ** (1 / (2 * written["temperature"]))
    assert guesses[0].share == pytest.approx((hot / hot.sum()).max(), abs=1e-4)
    assert not search.is_dissimilar(search.nearest(search.embedding_of(0), 1))
    far = search.nearest(-embedding, 1)
    assert search.is_dissimilar(far)
    everything = ["--sketchy", str(sketchy), "--all-pictures"]
    assert main(["calibrate", "--checkpoint", str(out), *everything]) == 0
    assert "the figures are too good" in capsys.readouterr().out


def test_without_prototypes_there_is_nothing_to_calibrate(
    sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = tmp_path / "run", tmp_path / "checkpoint"
    assert run_fit(sketchy, run, "--loss", "supcon", "--steps", "1") == 0
    assert export_fp32(run, out) == 0
    assert main(["calibrate", "--checkpoint", str(out), "--sketchy", str(sketchy)]) == 1
    assert "without prototypes" in capsys.readouterr().err

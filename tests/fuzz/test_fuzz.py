"""A few seconds of the fuzzer from a fixed seed, and what it has found so far."""

import json
import time
from pathlib import Path

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.checkpoint.files import MANIFEST
from model.errors import CheckpointError
from tools.fuzz import runner
from tools.fuzz.pictures import damaged_pictures


@pytest.mark.parametrize("target", list(runner.TARGETS))
def test_broken_input_ends_in_an_answer_or_a_clear_error(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ROUND", 15 if target == "manifest" else 60)
    ends = runner.fuzz(target, start=12, rounds=2, seconds=60)
    assert ends["answered"] > 0
    assert ends.total() > ends["answered"]


def test_the_fuzzer_notices_what_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes) -> None:
        if len(data) > 100 and data[:2] == b"BM" and data[50] > 3:
            raise KeyError("not ours")

    monkeypatch.setitem(runner.TARGETS, "images", (damaged_pictures(), careless))
    with pytest.raises(KeyError):
        runner.fuzz("images", start=12, rounds=2, seconds=60)


def test_an_input_that_takes_too_long_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: object) -> None:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    monkeypatch.setattr(runner, "SECONDS", 0.02)
    monkeypatch.setattr(runner, "ROUND", 3)
    monkeypatch.setitem(runner.TARGETS, "images", (damaged_pictures(), slow))
    with pytest.raises(AssertionError, match="one input took"):
        runner.fuzz("images", start=12, rounds=1, seconds=60)


@pytest.mark.parametrize(
    "field, value",
    [
        ("projection_size", -1),
        ("projection_size", 2**31),
        ("input_size", 0),
        ("scale", float("nan")),
        ("classes", [1, 2, 3]),
        ("sha256", {"encoder.onnx": None}),
        ("photos", [{"path": 7, "label": "ant"}]),
        ("photos", [{"path": "a.jpg", "label": None}]),
        ("photos", [7]),
        ("calibration", {"temperature": "hot", "error": 0.1, "least_similarity": 0.2}),
        ("calibration", {"temperature": float("inf"), "error": 0.1, "least_similarity": 0.2}),
        ("calibration", {"temperature": 0, "error": 0.1, "least_similarity": 0.2}),
        ("calibration", {"temperature": 1, "error": -0.1, "least_similarity": 0.2}),
        ("index", [1]),
        ("pose", {"cells": 0, "size": 5, "weight": 0.5}),
        ("pose", {"cells": 2, "size": 10**9, "weight": 0.5}),
        ("pose", {"cells": 2, "size": 5, "weight": float("nan")}),
    ],
)
def test_a_manifest_with_an_impossible_field_is_refused(
    tiny_checkpoint: Checkpoint, field: str, value: object
) -> None:
    path = tiny_checkpoint.folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, field: value}), encoding="utf-8")
    with pytest.raises(CheckpointError):
        Checkpoint.open(tiny_checkpoint.folder).encoder()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "NaN", "null"])
def test_a_manifest_that_exhausts_the_parser_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError):
        Checkpoint.open(tmp_path)

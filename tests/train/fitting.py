"""Small trainings and exports for tests."""

from pathlib import Path

from train.__main__ import main

TINY = [
    *("--backbone", "resnet18", "--embedding-size", "16", "--input-size", "32"),
    *("--sketch-batch", "12", "--photo-batch", "9", "--lr", "0.002", "--ema", "0.8"),
    *("--classes", "all", "--validation", "0.5", "--eval-every", "20"),
]
"""Settings of `train fit` for a network that is trained in seconds."""

PHOTOS, SKETCHES = (f"256x256/{kind}/tx_000000000000" for kind in ("photo", "sketch"))
"""Folders of the Sketchy Database."""


def run_fit(sketchy: Path, run: Path, *more: str) -> int:
    """Trains with `TINY` and further options; the exit code."""
    folders = ["--sketchy", str(sketchy), "--run", str(run), "--cache", str(run / "cache")]
    return main(["fit", *folders, *TINY, *more])


def export_fp32(run: Path, out: Path, *more: object) -> int:
    """Writes a checkpoint without quantising it, which saves time; the exit code."""
    command = ["export", "--precision", "fp32", "--run", run, "--out", out, *more]
    return main([*map(str, command)])

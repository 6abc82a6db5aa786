"""After the training: evaluation, report, comparison, plot and export."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.search.search import SketchSearch
from tests.train.fitting import PHOTOS, SKETCHES, export_fp32
from train.__main__ import main
from train.networks.encoder import encoder_of
from train.runs import load_run

COMMON = [
    *("--input-size", "32", "--classes", "all", "--sketch-batch", "8", "--photo-batch", "8"),
    *("--validation", "0.5", "--steps", "8", "--eval-every", "8", "--lr", "0.002"),
]
TWO_STEPS = ["--steps", "2", "--eval-every", "2"]


def fit(sketchy: Path, run: Path, *more: str) -> None:
    folders = ["--sketchy", str(sketchy), "--run", str(run), "--cache", str(run.parent / "cache")]
    assert main(["fit", *folders, *COMMON, *more]) == 0


@pytest.fixture(scope="module")
def runs(sketchy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run with embeddings of two numbers, of any length, and one on the unit sphere."""
    root = tmp_path_factory.mktemp("runs")
    flat = ["--embedding-size", "2", "--loss", "contrastive", "--no-normalise"]
    fit(sketchy, root / "flat", "--backbone", "resnet18", *flat)
    fit(sketchy, root / "sphere", "--backbone", "efficientnet_lite0", "--embedding-size", "16")
    return root / "flat", root / "sphere"


class Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def test_an_evaluation_as_table_json_and_one_html_file(
    runs: tuple[Path, Path], sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "checkpoint"
    assert export_fp32(runs[1], checkpoint) == 0
    capsys.readouterr()
    files = tmp_path / "figures.json", tmp_path / "report.html"
    command = ["evaluate", "--checkpoint", str(checkpoint), "--sketchy", str(sketchy)]
    assert main([*command, "--json", str(files[0]), "--html", str(files[1])]) == 0
    said = capsys.readouterr().out
    figures = json.loads(files[0].read_text())
    assert (figures["photos"], figures["sketches"]) == (15, 45)
    assert figures["sketches_with_their_photo"] == 45
    assert list(figures["precision_at"]) == [str(k) for k in range(1, 13)]
    assert figures["precision_at"]["12"] == figures["precision_at_12"]
    assert figures["perfect_precision_at_12"] == pytest.approx(5 / 12)  # 5 photos a class
    assert "A perfect ranking reaches 0.4167 at 12 here." in said
    # With 5 photos of every class, the first 12 as if there were 12 of each are the first 5.
    balanced = figures["balanced_precision_at_12"]
    assert balanced == pytest.approx(figures["precision_at"]["5"])
    assert f"this ranking would reach {balanced:.4f} of 1." in said
    assert figures["recall_at"]["10"] >= figures["recall_at"]["1"]
    per_class = figures["per_class"]
    mean = np.mean([of["precision_at_12"] for of in per_class.values()])
    assert mean == pytest.approx(figures["precision_at_12"])
    shares = np.array(figures["confusion"]["shares"])
    assert shares.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-3)
    for i, label in enumerate(figures["confusion"]["classes"]):
        assert shares[i, i] == pytest.approx(per_class[label]["precision_at_12"], abs=1e-4)
        assert label in said
    hardest = [entry["average_precision"] for entry in figures["hardest"]]
    assert hardest == sorted(hardest)
    page = files[1].read_text()
    sources = Sources()
    sources.feed(page)
    assert len(sources.found) > 100
    assert all(source.startswith("data:image/") for source in sources.found)
    assert f"{figures['precision_at_12']:.3f}" in page


def test_the_checkpoints_own_split_is_used_unless_all_pictures_are_asked_for(
    runs: tuple[Path, Path], sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "checkpoint"
    assert export_fp32(runs[1], checkpoint) == 0
    command = ["evaluate", "--checkpoint", str(checkpoint), "--sketchy", str(sketchy)]
    assert main(command) == 0
    assert "holds out were used" in capsys.readouterr().out
    assert main([*command, "--all-pictures"]) == 0
    said = capsys.readouterr().out
    assert "the figures are too good" in said
    assert ["sketches", "90"] in [line.split() for line in said.splitlines()]


def test_runs_are_compared_in_a_table_and_charts(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, runs), "--out", str(tmp_path)]) == 0
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in capsys.readouterr().out.splitlines()
    ]
    table = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}
    assert table["flat"]["loss"] == "contrastive"
    assert table["flat"]["embedding"] == "2"
    assert table["sphere"]["backbone"] == "efficientnet_lite0"
    for run in runs:
        logged = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
        assert float(table[run.name]["P@12"]) == pytest.approx(logged["precision_at_12"], abs=5e-4)
        assert float(table[run.name]["ms/sketch"]) > 0
    for name in ("by_loss", "by_backbone", "by_embedding_size", "against_time"):
        assert Image.open(tmp_path / f"precision_{name}.png").width > 300
    assert Image.open(tmp_path / "milliseconds_by_backbone.png").width > 300


@pytest.mark.parametrize("which", [0, 1])
def test_embeddings_are_drawn(
    runs: tuple[Path, Path], sketchy: Path, tmp_path: Path, which: int
) -> None:
    out = tmp_path / "points.png"
    command = ["plot", "embedding", "--run", str(runs[which]), "--sketchy", str(sketchy)]
    assert main([*command, "--out", str(out), "--cache", str(tmp_path)]) == 0
    assert len(set(Image.open(out).convert("RGB").getdata())) > 50


def test_points_anywhere_are_searched_by_their_euclidean_distance(
    runs: tuple[Path, Path], sketchy: Path, tmp_path: Path
) -> None:
    photos = sketchy / PHOTOS
    sketch = next((sketchy / SKETCHES / "cow").iterdir())
    out = tmp_path / "checkpoint"
    assert export_fp32(runs[0], out, "--photos", photos) == 0
    search = SketchSearch.load(out)
    rows = search.encoder.embed_photos([Image.open(photo.path) for photo in search.photos])
    query = search.encoder.embed_sketches([Image.open(sketch)])[0]
    assert rows.shape == (30, 2)
    assert not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=0.05)
    distances = np.linalg.norm(rows - query, axis=1)
    found = search.query(Image.open(sketch), k=12)
    assert [m.distance for m in found] == pytest.approx(sorted(distances)[:12], abs=1e-3)


def test_a_second_encoder_starts_in_the_space_of_the_first_and_embeds_the_photos(
    runs: tuple[Path, Path], sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, both = tmp_path / "alone", tmp_path / "both"
    assert export_fp32(runs[1], alone) == 0
    other = ["--backbone", "resnet18", "--embedding-size", "16", "--start", str(alone)]
    fit(sketchy, tmp_path / "other", *other, *TWO_STEPS)
    command = runs[1], both, "--photo-encoder"
    assert export_fp32(*command, tmp_path / "other") == 0
    encoder, second = SketchSearch.load(both).encoder, load_run(tmp_path / "other").network
    photo = Image.new("RGB", (64, 64), "darkgreen")
    expected = encoder_of(second, 32).embed_photos([photo])
    assert np.abs(encoder.embed_photos([photo]) - expected).max() < 2e-3
    figures = tmp_path / "figures.json"
    evaluate = ["evaluate", "--sketchy", str(sketchy), "--json", str(figures), "--checkpoint"]
    found = {}
    for name, arguments in {
        "alone": [str(alone)],
        "shared": [str(both), "--shared"],
        "both": [str(both)],
    }.items():
        assert main([*evaluate, *arguments]) == 0
        found[name] = json.loads(figures.read_text())["map"]
    assert found["shared"] == found["alone"] != found["both"]
    assert export_fp32(*command, tmp_path / "other", "--photo-size", "48") == 0
    larger = Checkpoint.open(both).encoder().embed_photos([photo])
    expected = encoder_of(second, 48).embed_photos([photo])
    assert np.abs(larger - expected).max() < 2e-3
    capsys.readouterr()
    assert export_fp32(*command, tmp_path / "other", "--photo-size", "7") == 1
    assert "--photo-size must be 32 to 1024" in capsys.readouterr().err
    fit(sketchy, tmp_path / "stranger", *other[:4], *TWO_STEPS)
    assert export_fp32(*command, tmp_path / "stranger") == 1
    assert "embeds into another space" in capsys.readouterr().err


def test_comparing_something_else_than_runs_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tmp_path / "gone")]) == 1
    assert "is no run" in capsys.readouterr().err


def test_the_last_weights_are_exported_when_they_are_asked_for(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs[1], run)
    state = torch.load(run / "last.pt", weights_only=True)
    state["average"]["module.projection.bias"] += 1
    state["step"] = 9
    torch.save(state, run / "last.pt")
    biases = {}
    for option in ([], ["--last"]):
        out = tmp_path / f"checkpoint{len(option)}"
        assert export_fp32(run, out, *option) == 0
        opened = Checkpoint.open(out)
        biases[opened.manifest.training["steps_done"]] = opened.encoder().head.bias
    torch.testing.assert_close(biases[9], biases[8] + 1, rtol=0, atol=2e-3)

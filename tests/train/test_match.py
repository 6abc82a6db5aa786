"""`python -m train match`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from tests.train.fitting import export_fp32
from train.__main__ import main


@pytest.fixture(scope="module")
def checkpoint(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("match") / "out"
    assert export_fp32(run, out) == 0
    return out


def green(picture: Image.Image) -> int:
    """Pixels in the colour of the frames of right photos."""
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int((np.abs(pixels - [0x2A, 0x9D, 0x4A]).max(axis=2) < 3).sum())


def test_random_sketches_of_the_split_with_their_photos(
    checkpoint: Path, sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "matches.png"
    command = ["match", "--checkpoint", str(checkpoint), "--sketchy", str(sketchy)]
    assert main([*command, "--random", "4", "--k", "12", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    held = set(json.loads((checkpoint / "split.json").read_text())["validation_ids"])
    blocks = said.strip().split("\n\n")[:-1]
    assert len(blocks) == 4
    encoder = Checkpoint.open(checkpoint).encoder()
    root = sketchy / "256x256"
    for block in blocks:
        head, *lines = block.splitlines()
        name, label = re.fullmatch(r"(\S+) \((\w+)\)", head).groups()  # type: ignore[union-attr]
        own = name.rsplit("-", 1)[0]
        assert own in held
        assert len(lines) == 12
        sketch = Image.open(root / "sketch" / "tx_000000000000" / label / name)
        query = encoder.embed_sketches([sketch])[0]
        similarities = []
        for line in lines:
            _, similarity, of, photo, *mark = line.split(maxsplit=4)
            assert Path(photo).stem in held
            right = "right class" if of == label else ""
            assert "".join(mark) == ("the very photo" if Path(photo).stem == own else right)
            image = Image.open(root / "photo" / "tx_000000000000" / of / photo)
            assert float(similarity) == pytest.approx(
                float(query @ encoder.embed_photos([image])[0]), abs=2e-3
            )
            similarities.append(float(similarity))
        assert similarities == sorted(similarities, reverse=True)
    assert main([*command, "--random", "4", "--k", "12", "--out", str(out)]) == 0
    assert capsys.readouterr().out == said
    with Image.open(out) as picture:
        assert picture.width > picture.height
        assert green(picture) > 1000


def test_one_sketch_of_ones_own_has_no_right_class(
    checkpoint: Path, sketchy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = next((sketchy / "256x256" / "sketch").glob("*/bat/*.png"))
    own = tmp_path / "mine.png"
    own.write_bytes(drawn.read_bytes())
    command = ["match", "--checkpoint", str(checkpoint), "--sketchy", str(sketchy), "--k", "3"]
    out = tmp_path / "one.png"
    assert main([*command, "--sketch", str(own), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine.png")
    assert len(re.findall(r"^ +\d+ ", said, re.M)) == 3
    assert "right class" not in said
    with Image.open(out) as picture:
        assert green(picture) < 200  # the green of the drawn photos themselves at most
    for wrong, told in (
        (["--sketch", str(tmp_path / "none.png"), "--out", str(out)], "none.png"),
        (["--out", str(tmp_path / "out.gif")], "must end in .png or .svg"),
        (["--random", "0", "--out", str(out)], "--random must be 1 or more"),
    ):
        assert main([*command, *wrong]) == 1
        assert told in capsys.readouterr().err

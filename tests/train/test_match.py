"""`python -m train match`."""

import json
import re
import shutil
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from model.checkpoint.checkpoint import Checkpoint
from tests.train.fitting import export_fp32
from train.__main__ import main
from train.data.pictures import Picture, sketchy_folders
from train.reports.match import match


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


def test_pictures_as_large_as_other_commands_accept_are_matched(
    checkpoint: Path, sketchy: Path, tmp_path: Path
) -> None:
    """Beyond the 30 MB of an upload: what follows the end of a picture does not matter."""
    data, mine, out = tmp_path / "data", tmp_path / "mine.png", tmp_path / "out.png"
    shutil.copytree(sketchy, data)
    shutil.copy(next(sketchy_folders(sketchy)[1].glob("bat/*.png")), mine)
    for path in [mine, *sketchy_folders(data)[0].glob("*/*.jpg")]:
        with path.open("ab") as file:
            file.truncate(31_000_000)
    command = ["match", "--checkpoint", str(checkpoint), "--sketchy", str(data), "--out", str(out)]
    assert main([*command, "--random", "1"]) == 0
    assert main([*command, "--sketch", str(mine)]) == 0


def test_many_sketches_take_little_memory(
    encoder: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All differences of 200 sketches and 4,000 photos at once would take 410 MB."""
    random = np.random.default_rng(0)
    rows = {
        kind: random.normal(size=(count, 128)).astype(np.float32)
        for kind, count in (("photos", 4000), ("sketches", 200))
    }
    named = {
        kind: [Picture(Path(f"{i}.png"), "bat", f"{i}") for i in range(len(of))]
        for kind, of in rows.items()
    }

    def embed(_: object, pictures: Sequence[Picture], kind: str) -> object:
        return rows[kind][[int(p.photo_id) for p in pictures]], list(pictures)

    monkeypatch.setattr("train.reports.match.embed", embed)
    monkeypatch.setattr(
        "train.reports.match.choose_pictures", lambda *_: (named["photos"], named["sketches"])
    )
    tracemalloc.start()
    found = match(encoder.folder, [], [], None, sketch=None, count=200, seed=0, k=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    apart = cdist(rows["sketches"], rows["photos"])
    assert len({matches.sketch for matches in found}) == 200
    for matches in found:
        own = apart[int(matches.sketch.photo_id)]
        nearest = np.argsort(own)[:3]
        assert [int(each.photo.photo_id) for each in matches.found] == nearest.tolist()
        assert [each.similarity for each in matches.found] == pytest.approx(
            (1 - own[nearest] ** 2 / 2).tolist(), rel=1e-5
        )

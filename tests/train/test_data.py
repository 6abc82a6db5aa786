import dataclasses
import json
import shutil
from collections import Counter
from dataclasses import astuple
from pathlib import Path

import pytest
from PIL import Image

from train.config import FitConfig
from train.data.dataset import load_dataset, sample
from train.data.pictures import (
    Picture,
    Split,
    list_pictures,
    make_split,
    sketchy_folders,
)
from train.data.sources import Sources
from train.errors import DataError


def test_sketches_carry_the_id_of_their_photo(sketchy: Path) -> None:
    photos, sketches = sketchy_folders(sketchy)
    listed = list_pictures(sketches, sketches=True)
    assert len(listed) == 90
    assert listed[0].label == "bat"
    assert listed[0].photo_id == "nbat_0"
    assert {p.photo_id for p in listed} == {
        p.photo_id for p in list_pictures(photos, sketches=False)
    }


def test_a_split_keeps_every_sketch_of_a_held_out_photo_out_of_training(sketchy: Path) -> None:
    photos, sketches = (
        list_pictures(folder, sketches=drawn)
        for folder, drawn in zip(sketchy_folders(sketchy), (False, True), strict=True)
    )
    split = make_split(photos, sketches, fraction=0.2, most=12, seed=3)
    for pictures, each in ((photos, 2), (sketches, 6)):
        held, kept = split.validation(pictures, []), split.train(pictures)
        assert len(held) + len(kept) == len(pictures)
        assert not {p.photo_id for p in held} & {p.photo_id for p in kept}
        for label in ("bat", "cow", "eel"):
            assert sum(p.label == label for p in held) == each
    again = make_split(photos[::-1], sketches[::-1], fraction=0.2, most=12, seed=3)
    assert again == split
    assert make_split(photos, sketches, fraction=0.2, most=12, seed=4) != split


def test_at_most_so_many_photos_of_a_class_are_held_out() -> None:
    photos = [Picture(Path(f"{i}.jpg"), "dog", f"{i}") for i in range(100)]
    sketches = [Picture(Path(f"s{i}-1.png"), "dog", f"s{i}") for i in range(50)]
    split = make_split(photos, sketches, fraction=0.2, most=12, seed=0)
    assert len(split.validation(photos, sketches)) == 12
    assert len(split.validation(sketches, photos)) == 10


def test_a_name_that_many_classes_have_is_held_out_in_one() -> None:
    """As in Caltech-101, where each class has an image_0001.jpg."""
    photos = [
        Picture(Path(f"{label}/image_{i}.jpg"), label, f"image_{i}")
        for label in ("ant", "bat", "cow", "dog")
        for i in range(20)
    ]
    sketches = [Picture(Path(f"{p.label}/{p.photo_id}-1.png"), *astuple(p)[1:]) for p in photos]
    split = make_split(photos, sketches, fraction=0.25, most=12, seed=0)
    for pictures in (photos, sketches):
        held = split.validation(pictures, [])
        assert Counter(p.label for p in held) == dict.fromkeys(("ant", "bat", "cow", "dog"), 5)
        assert len(split.train(pictures)) == 60
    assert {(p.label, p.photo_id) for p in split.validation(photos, sketches)} == {
        (p.label, p.photo_id) for p in split.validation(sketches, photos)
    }


def test_an_exact_copy_of_a_training_photo_is_not_held_out(tmp_path: Path) -> None:
    files = {"a/1.jpg": b"same", "b/2.jpg": b"same", "a/3.jpg": b"else", "a/4.jpg": b"more"}
    pictures = []
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        pictures.append(Picture(path, path.parent.name, path.stem))
    for held, left in (({"1", "3"}, ["3"]), ({"1", "2"}, ["1", "2"])):
        split = Split(frozenset(held))
        assert [p.photo_id for p in split.validation(pictures, [])] == left
        assert {p.photo_id for p in split.train(pictures)} == {"1", "2", "3", "4"} - held


def test_a_photo_and_its_copy_from_another_data_set_are_never_apart() -> None:
    """Ten photos, each with a copy and a sketch, and five photos without copies."""
    names = [f"n02_{i}" for i in range(10)]
    of_names = [*names, *(f"web_{name}" for name in names), *(f"cal_image_{i}" for i in range(5))]
    photos = [Picture(Path(f"{name}.jpg"), "dog", name) for name in of_names]
    sketches = [Picture(Path(f"{name}-1.png"), "dog", name) for name in names]
    for seed in range(20):
        split = make_split(photos, sketches, fraction=0.4, most=12, seed=seed)
        held = {p.photo_id for p in split.validation(photos, sketches)}
        assert len(held) == 6  # of the 15 that are not copies
        assert not any(name.startswith("web_") for name in held)
        trained = {p.photo_id for p in split.train(photos)}
        assert not trained & {f"web_{name}" for name in held}
        assert len(trained) == 25 - 6 - len(held & set(names))


def test_a_held_out_copy_of_a_trained_photo_is_not_evaluated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in older splits. The original is known as a photo (1), by a sketch (2), or held (3)."""
    names = ["n02_1", "n02_3", "web_n02_1", "web_n02_2", "web_n02_3", "web_n02_4"]
    photos = [Picture(Path(f"{name}.jpg"), "dog", name) for name in names]
    sketches = [Picture(Path("n02_2-1.png"), "dog", "n02_2")]
    sketches.append(Picture(Path("cat/n02_4-1.png"), "cat", "n02_4"))
    split = Split(frozenset({"n02_3", "web_n02_1", "web_n02_2", "web_n02_3", "web_n02_4"}))
    held = split.validation(photos, sketches)
    assert [p.photo_id for p in held] == ["n02_3", "web_n02_3", "web_n02_4"]
    assert "left out: 2 held-out pictures, such as web_n02_1.jpg" in capsys.readouterr().out
    assert [p.photo_id for p in split.train(photos)] == ["n02_1"]


def test_a_sketch_without_the_id_of_a_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "cat" / "0.png")
    with pytest.raises(DataError, match=r"0\.png is not named <photo id>-<k>"):
        list_pictures(tmp_path, sketches=True)


def test_a_split_survives_its_file(tmp_path: Path) -> None:
    split = Split(frozenset({"b", "a"}))
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    (tmp_path / "other.json").write_text(json.dumps(["no split"]))
    with pytest.raises(DataError, match=r"other\.json"):
        Split.load(tmp_path / "other.json")


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="256x256/photo"):
        sketchy_folders(tmp_path)
    with pytest.raises(DataError, match="no pictures"):
        list_pictures(tmp_path, sketches=False)
    with pytest.raises(DataError, match="not a folder"):
        list_pictures(tmp_path / "gone", sketches=False)


def test_an_empty_class_folder_is_named(sketchy: Path, tmp_path: Path) -> None:
    shutil.copytree(sketchy, tmp_path / "data")
    photos = sketchy_folders(tmp_path / "data")[0]
    (photos / "dodo").mkdir()
    with pytest.raises(DataError, match=r"without pictures: dodo\. Fill or remove"):
        list_pictures(photos, sketches=False)


def test_unlabelled_photos_need_no_class_folders(sketchy: Path, tmp_path: Path) -> None:
    """Those whose names or bytes are held out are left out."""
    config = FitConfig(classes="all", validation=0.5, input_size=32)
    photos = list_pictures(sketchy_folders(sketchy)[0], sketches=False)
    split = make_split(photos, [], fraction=0.5, most=12, seed=0)
    split.save(tmp_path / "split.json")
    held = split.validation(photos, [])
    plain = tmp_path / "photos"
    (plain / "2024" / "summer").mkdir(parents=True)
    for name in ("a.png", "2024/b.png", "2024/summer/c.png", f"2024/{held[0].photo_id}.png"):
        Image.new("RGB", (40, 40), (len(name), 90, 60)).save(plain / name)
    shutil.copy(held[1].path, plain / "copy.jpg")
    (plain / "notes.txt").write_text("mine")
    sources = Sources(
        sketchy, unlabelled=(plain,), split=tmp_path / "split.json", cache=tmp_path / "cache"
    )
    unlabelled = load_dataset(config, sources).unlabelled
    assert unlabelled is not None
    names = [str(p.path.relative_to(plain)) for p in unlabelled.pictures]
    assert names == ["2024/b.png", "2024/summer/c.png", "a.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no photos"):
        load_dataset(config, dataclasses.replace(sources, unlabelled=(tmp_path / "empty",)))


def test_a_sample_of_held_out_sketches_has_all_classes() -> None:
    many = [Picture(Path(f"ant/{i}.png"), "ant", str(i)) for i in range(500)]
    few = [Picture(Path(f"bat/{i}.png"), "bat", str(i)) for i in range(2)]
    for most in (1, 10, 1000):
        chosen = sample([*many, *few], most)
        assert {p.label for p in chosen} == {"ant", "bat"}
        assert min(most, 502) <= len(chosen) <= min(most + 1, 502)

"""Links in folders of photos."""

import os
from pathlib import Path

from tests.train.own_photos import Index, save


def test_a_photo_linked_into_albums_keeps_its_own_label_and_is_told(
    index: Index, tmp_path: Path
) -> None:
    real = save(tmp_path / "in" / "real" / "hare.jpg", 0)
    outside = save(tmp_path / "elsewhere" / "owl.jpg", 1)
    for album in ("album_1", "zoo"):
        (tmp_path / "in" / album).mkdir()
        (tmp_path / "in" / album / "hare.jpg").symlink_to("../real/hare.jpg")
        (tmp_path / "in" / album / "owl.jpg").symlink_to(outside)
    (tmp_path / "in" / "zoo" / "chain.jpg").symlink_to("../album_1/hare.jpg")
    os.link(real, tmp_path / "in" / "zoo" / "hard.jpg")
    found = index(tmp_path / "in")
    assert found.photos == {str(real): "real", str(outside): "album 1"}
    lines = found.said.splitlines()
    assert lines[0] == "left out, the same picture as another (5):"
    assert {line.strip() for line in lines[1:6]} == {
        f"{tmp_path}/in/album_1/hare.jpg = {real}",
        f"{tmp_path}/in/zoo/hare.jpg = {real}",
        f"{tmp_path}/in/zoo/chain.jpg = {real}",
        f"{tmp_path}/in/zoo/hard.jpg = {real}",
        f"{tmp_path}/in/zoo/owl.jpg = {outside}",
    }


def test_links_that_lead_nowhere_are_named(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    kept = save(folder / "a" / "a.jpg", 0)
    for name, target in {
        "gone.jpg": "nowhere.jpg",
        "gone": "no/where",
        "self.jpg": "self.jpg",
        "one.png": "two.png",
        "two.png": "one.png",
    }.items():
        (folder / name).symlink_to(target)
    found = index(folder)
    assert list(found.photos) == [str(kept)]
    assert "left out, links that lead nowhere: correct or delete them (5):" in found.said
    for line in ("gone -> no/where", "gone.jpg -> nowhere.jpg", "self.jpg -> self.jpg"):
        assert f"  {folder}/{line}\n" in found.said


def test_linked_folders_are_followed_once(index: Index, tmp_path: Path) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    kept = save(folder / "bear" / "bear.jpg", 0)
    fox = save(other / "deep" / "fox.jpg", 1)
    (other / "up").symlink_to(tmp_path)
    (folder / "elsewhere").symlink_to(other / "deep")
    (folder / "z_again").symlink_to(other / "deep")
    (folder / "all_of_it").symlink_to(other)
    (folder / "bear" / "loop").symlink_to("..")
    (folder / "grizzly").symlink_to("bear")
    (folder / "root").symlink_to("/")
    found = index(folder)
    assert found.photos == {str(kept): "bear", str(fox): "deep"}
    assert "left out, links to folders that are read already (6):" in found.said
    assert f"  {folder}/bear/loop -> {folder}\n" in found.said

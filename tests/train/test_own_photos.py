"""Photos as people have them: formats, names and permissions."""

import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pillow_heif import register_heif_opener

from model.checkpoint.checkpoint import Checkpoint
from server.startup import open_galleries
from tests.harness.apps import ROOT
from tests.train.own_photos import Index, ordinary_user, photo, save
from train.data.pictures import list_pictures
from train.reports.inspection import inspect


@pytest.fixture(autouse=True, scope="module")
def heif() -> None:
    """Pillow writes HEIC and HEIF."""
    register_heif_opener()


SYSTEM = [".ipynb_checkpoints", "@eaDir", "__MACOSX", ".git", "#recycle", "lost+found", "Thumbs.db"]


def test_every_format_that_pillow_reads_is_indexed(index: Index, tmp_path: Path) -> None:
    endings = {
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "tif", "tiff"),
        *("avif", "AVIF", "heic", "HEIF", "hif", "jp2", "j2k", "jpx", "ppm", "pnm", "tga", "pcx"),
        *("sgi", "ico", "icns", "im", "dds", "mpo", "qoi"),
    }
    kinds = {"hif": "HEIF", "jpe": "JPEG", "apng": "PNG", "mpo": "MPO", "jpx": "JPEG2000"}
    folder = tmp_path / "in"
    folder.mkdir()
    for number, ending in enumerate(sorted(endings)):
        size = (64, 64) if ending in ("ico", "icns") else (48, 36)
        photo(number, size).save(folder / f"{ending}.{ending}", kinds.get(ending))
    found = index(folder)
    assert set(found.photos.values()) == endings
    assert "left out" not in found.said


def test_a_picture_is_known_by_its_content_whatever_its_name(index: Index, tmp_path: Path) -> None:
    names = ["IMG_0001", "photo.jpg_large", "scan.old", "x.jpg~", "é", "shot.", "b.dat", "q.txt"]
    kinds = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "HEIF", "JPEG2000"]
    for seed, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        save(tmp_path / "fox" / name, seed, kind)
    save(tmp_path / "fox" / "really_a_jpeg.tga", 20, "JPEG")
    found = index(tmp_path)
    assert {Path(path).name for path in found.photos} == {*names, "really_a_jpeg.tga"}


def test_what_cannot_be_read_is_named_with_the_remedy(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deer"
    save(folder / "a.jpg", 0)
    # Many raw files are TIFFs, with a small preview that must not be taken for the photo.
    for seed, name in enumerate(("d.CR2", "e.dng", "f.NEF", "g.arw")):
        save(folder / name, seed + 1, "TIFF")
    for name, data in {
        "h.jxl": b"\xff\x0a" + bytes(500),
        "film.mp4": b"\0\0\0\x18ftypmp42" + bytes(500),
        "notes.txt": b"P1 is a path",
        "empty": b"",
        "page.pdf": b"%PDF-1.4\n",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "print.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }.items():
        (folder / name).write_bytes(data)
    found = index(tmp_path / "in")
    assert list(found.photos) == [str(folder / "a.jpg")]
    assert found.said.splitlines()[:13] == [
        "left out, not a known kind of picture: save photos among them as JPEG or PNG (7):",
        *(f"  {folder / name}" for name in ("drawing.svg", "empty", "film.mp4", "h.jxl")),
        f"  {folder / 'notes.txt'}",
        "  and 2 more",
        "left out, raw files of cameras: export them as JPEG (4):",
        *(f"  {folder / name}" for name in ("d.CR2", "e.dng", "f.NEF", "g.arw")),
        "1 photos: 1 new, 0 changed, 0 kept; 0 removed; 1 embedded",
    ]


def test_a_folder_of_raw_files_alone_says_so(index: Index, tmp_path: Path) -> None:
    save(tmp_path / "in" / "IMG_1.CR2", 0, "TIFF")
    found = index(tmp_path / "in")
    assert found.code == 1
    assert f"{tmp_path / 'in'} holds no photos" in found.said
    assert "raw files of cameras: export them as JPEG (1):" in found.said
    assert "IMG_1.CR2" in found.said


@pytest.mark.parametrize("place", [".", "a", "a/b/c"])
def test_a_folder_that_may_not_be_read_or_entered_is_named_and_the_rest_indexed(
    index: Index, encoder: Checkpoint, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "in"
    owl = save(folder / "owl.jpg", 0)
    places = {name: folder / place / name for name in ("listed", "entered", "closed")}
    for seed, (name, mode) in enumerate([("listed", 0o444), ("entered", 0o311), ("closed", 0)]):
        save(places[name] / "bat.jpg", seed + 1)
        places[name].chmod(mode)
    (folder / "link").symlink_to(places["closed"])
    secret = save(folder / "secret", 9, "PNG")
    secret.chmod(0)
    (tmp_path / "gallery").mkdir()
    shutil.chown(tmp_path / "gallery", 65534)
    try:
        with ordinary_user(tmp_path, folder, encoder.folder):
            found = index(folder)
    finally:
        for closed in places.values():
            closed.chmod(0o755)
    assert list(found.photos) == [str(owl)]
    assert "left out, no permission to read: allow it with chmod u+rX (4):" in found.said
    for left in (*places.values(), secret):
        assert f"  {left}\n" in found.said
    assert f"  {folder}/link -> " in found.said


def test_a_folder_that_disappears_while_it_is_read_is_named(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = save(tmp_path / "in" / "a" / "a.jpg", 0)
    save(tmp_path / "in" / "b" / "b.jpg", 1)
    scan = os.scandir

    def deleting(path: Any) -> Any:
        if str(path).endswith("/in/b"):
            shutil.rmtree(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", deleting)
    found = index(tmp_path / "in")
    assert list(found.photos) == [str(kept)]
    assert (
        f"left out, gone before they were read: start again (1):\n  {tmp_path}/in/b" in found.said
    )


def test_what_is_neither_file_nor_folder_is_named(index: Index, tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.jpg", 0)
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    found = index(tmp_path / "in")
    assert f"left out, neither files nor folders (1):\n  {tmp_path}/in/pipe.jpg" in found.said


def test_names_that_cannot_be_printed_are_named_all_the_same(
    encoder: Checkpoint, tmp_path: Path
) -> None:
    save(tmp_path / "in" / "a.jpg", 0)
    Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/b\xff\x1b\n.txt")).write_text("no")
    command = [sys.executable, "-m", "train", "index", "--checkpoint", str(encoder.folder)]
    command += ["--photos", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"  {tmp_path}/in/b???.txt\n" in ran.stdout


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_the_same_composed_or_decomposed(index: Index, tmp_path: Path, form: Any) -> None:
    """File names of macOS are decomposed; those in tables may be composed, or vice versa."""
    other: Any = {"NFC": "NFD", "NFD": "NFC"}[form]
    labels = tmp_path / "labels.csv"
    rows = ["file,label"]
    for number in range(3):
        name = f"Zèbre/été {number}.jpg"
        folder = unicodedata.normalize("NFC" if number == 0 else "NFD", "Zèbre")
        save(tmp_path / "in" / folder / unicodedata.normalize(form, f"été {number}.jpg"), number)
        rows.append(f"{unicodedata.normalize(other, name)},{unicodedata.normalize(form, 'Ânon')}")
    assert set(index(tmp_path / "in").photos.values()) == {"Zèbre"}
    labels.write_text("\n".join(rows), encoding="utf-8")
    found = index(tmp_path / "in", labels=labels)
    assert list(found.photos.values()) == ["Ânon"] * 3
    assert "no photo" not in found.said


def test_classes_to_train_on_are_the_same_composed_or_decomposed(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        for seed in range(2):
            name = unicodedata.normalize(form, f"Zèbre/é{form}{seed}.png")
            save(tmp_path / name, seed)
    listed = list_pictures(tmp_path, sketches=False)
    assert {picture.label for picture in listed} == {unicodedata.normalize("NFC", "Zèbre")}
    assert len(listed) == 4
    assert all(unicodedata.is_normalized("NFC", picture.photo_id) for picture in listed)


@pytest.mark.parametrize("content", ["empty", "pictures"])
def test_hidden_and_system_folders_are_passed_over_by_fit_and_index_alike(
    index: Index, sketchy: Path, tmp_path: Path, content: str
) -> None:
    bear = save(tmp_path / "in" / "bear" / "bear.jpg", 0)
    for seed, name in enumerate(SYSTEM):
        (tmp_path / "in" / name).mkdir()
        (tmp_path / "in" / "bear" / name).mkdir()
        if content == "pictures":
            save(tmp_path / "in" / name / "x.jpg", seed + 1)
            save(tmp_path / "in" / "bear" / name / "y.jpg", seed + 100)
    (tmp_path / "in" / "bear" / "desktop.ini").write_text("[.ShellClassInfo]")
    (tmp_path / "in" / ".DS_Store").write_text("x")
    found = index(tmp_path / "in")
    assert found.photos == {str(bear): "bear"}
    assert "left out" not in found.said
    listed = list_pictures(tmp_path / "in", sketches=False)
    assert [(p.path, p.label) for p in listed] == [(bear, "bear")]
    problems = inspect(sketchy, [tmp_path / "in"], "all", tmp_path / "charts").problems
    assert list(problems) == ["classes without sketches: add some, or leave the class out"]


def test_fit_finds_pictures_as_index_does_and_names_what_it_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "bear" / "a.avif", 0)
    save(tmp_path / "bear" / "b", 1, "JPEG")
    save(tmp_path / "bear" / "c.CR2", 2, "TIFF")
    save(tmp_path / "bear" / "deeper" / "d.jpg", 3)
    (tmp_path / "bear" / "gone.jpg").symlink_to("nowhere")
    listed = list_pictures(tmp_path, sketches=False)
    assert [picture.path.name for picture in listed] == ["a.avif", "b"]
    said = capsys.readouterr()
    assert f"left out of {tmp_path}: 3 files or folders, such as " in said.out + said.err


def test_the_app_names_what_it_leaves_out(
    encoder: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = save(tmp_path / "in" / "fox" / "a.jpg", 0)
    shutil.copy(kept, tmp_path / "in" / "fox" / "b.jpg")
    save(tmp_path / "in" / "fox" / "c.CR2", 2, "TIFF")
    (tmp_path / "in" / "fox" / "d.jpg").write_text("no")
    (tmp_path / "in" / "fox" / "e.jpg").symlink_to("nowhere")
    open_galleries(encoder.folder, tmp_path / "in", tmp_path / "galleries")
    said = capsys.readouterr().err
    for line in (
        f"left out, raw files of cameras: export them as JPEG (1):\n  {tmp_path}/in/fox/c.CR2\n",
        "left out, links that lead nowhere: correct or delete them (1):\n",
        f"left out, the same picture as another (1):\n  {tmp_path}/in/fox/b.jpg = {kept}\n",
        f"left out, since they cannot be used (1):\n  {tmp_path}/in/fox/d.jpg: d.jpg cannot be",
    ):
        assert line in said


def test_a_gallery_of_an_older_version_is_read_again(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had other colours, and no large photos."""
    save(tmp_path / "in" / "a.jpg", 0)
    index(tmp_path / "in")
    assert "1 kept; 0 removed; 0 embedded" in index(tmp_path / "in").said
    monkeypatch.setattr("model.gallery.current.READER", 99)
    assert "1 kept; 0 removed; 1 embedded" in index(tmp_path / "in").said

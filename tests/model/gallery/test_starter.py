"""The starter gallery, with packages in a folder like Debian's and with the real packages."""

import os
import struct
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from model.errors import GalleryError, ImageError
from model.gallery.qt_resources import ResourceFile
from model.gallery.starter import missing_packages, starter_photos

README = """Copyright: A. Person
Source: https://example.org/cat
License: CC-BY-SA-4.0
Comments: cropping
Files: cat.webp

Copyright: B. Person
License: Public domain
Files:
dog.webp

Copyright: C. Person
License: CC-BY-NC-4.0
Files: cow.webp
"""


def resource_file(files: dict[str, bytes], version: int = 2, packed: tuple[str, ...] = ()) -> bytes:
    """A Qt resource file, built from the description of the format."""
    names, data = b"", b""
    offsets: dict[str, int] = {}

    def name_at(name: str) -> int:
        nonlocal names
        if name not in offsets:
            offsets[name] = len(names)
            names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        return offsets[name]

    tail = b"\0" * 8 if version > 1 else b""
    folder = struct.pack(">IHII", 0, 2, 1, 1) + tail
    folder += struct.pack(">IHII", name_at("src"), 2, len(files), 2) + tail
    for name, content in files.items():
        is_packed = name in packed
        folder += struct.pack(">IHHHI", name_at(name), int(is_packed), 0, 0, len(data)) + tail
        if is_packed:
            content = struct.pack(">I", len(content)) + zlib.compress(content)
        data += struct.pack(">I", len(content)) + content
    start = 24 if version > 2 else 20
    head = struct.pack(
        ">4s4I", b"qres", version, start, start + len(folder), start + len(folder) + len(data)
    )
    return head + (b"\0" * 4 if version > 2 else b"") + folder + data + names


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_resource_file_is_read_whole_or_packed(tmp_path: Path, version: int) -> None:
    files = {"chat.webp": b"cat" * 50, "Löwe.webp": b"lion" * 50}
    path = tmp_path / "a.rcc"
    path.write_bytes(resource_file(files, version, packed=("Löwe.webp",)))
    resources = ResourceFile(path)
    assert resources.names == ["src/chat.webp", "src/Löwe.webp"]
    assert resources.read("src/chat.webp", 1000) == b"cat" * 50
    assert resources.read("src/Löwe.webp", 1000) == b"lion" * 50
    with pytest.raises(ImageError, match="over 100 bytes"):
        resources.read("src/Löwe.webp", 100)


def test_a_damaged_resource_file_raises_an_error(tmp_path: Path) -> None:
    whole = resource_file({"cat.webp": b"cat" * 50}, packed=("cat.webp",))
    path = tmp_path / "a.rcc"
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ImageError):
            ResourceFile(path).read("src/cat.webp", 1000)
    loop = bytearray(whole)
    loop[20 + 10 : 20 + 14] = struct.pack(">I", 0)  # the root's first child is the root
    path.write_bytes(loop)
    with pytest.raises(ImageError, match="damaged"):
        ResourceFile(path)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A file system with two stamps and a resource file."""
    root = tmp_path / "system"
    stamps = root / "usr/share/tuxpaint/stamps/animals/birds"
    stamps.mkdir(parents=True)
    for name, text in [("crow", "A crow.\naf=..."), ("hen", "An old brown hen (a chicken).")]:
        Image.new("LA", (20, 20)).save(stamps / f"{name}.png")
        (stamps / f"{name}.txt").write_text(text)
    terms = root / "usr/share/doc/tuxpaint-stamps-default/copyright"
    terms.parent.mkdir(parents=True)
    terms.write_text(
        "Format: x\n\nFiles: *\nCopyright: 2001 by A. Person <a@b.c>\nLicense: GPL-2\n\n"
        "Files: debian/*\nCopyright: somebody else\nLicense: other\n"
    )
    resources = root / "usr/share/gcompris-qt/rcc"
    resources.mkdir(parents=True)
    animals = {f"{name}.webp": name.encode() for name in ("cat", "dog", "cow", "owl")}
    content = resource_file({"README": README.encode(), **animals}, packed=("README",))
    (resources / "erase.rcc").write_bytes(content)
    return root


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    path = tmp_path / "chosen.csv"
    inside = [
        f"gcompris-qt-data,erase.rcc/src/{n}.webp,{n},," for n in ("cat", "dog", "cow", "owl")
    ]
    stamps = ["birds/crow.png,,,", "birds/hen.png,chicken,B. Maker,CC BY", "birds/gone.png,,,"]
    lines = [f"tuxpaint-stamps-default,stamps/animals/{stamp}" for stamp in stamps]
    path.write_text("\n".join(["package,file,label,credit,licence", *lines, *inside]))
    return path


def test_labels_and_terms_come_from_the_packages(
    system: Path, chosen: Path, tmp_path: Path
) -> None:
    crow, hen, cat, dog = starter_photos(tmp_path / "unpacked", chosen, system)
    birds = system / "usr/share/tuxpaint/stamps/animals/birds"
    assert (crow.path, crow.label) == (str(birds / "crow.png"), "crow")
    assert (crow.credit, crow.licence) == ("Tux Paint stamps, © 2001 by A. Person", "GPL-2")
    assert (hen.label, hen.credit, hen.licence) == (
        "chicken",
        "Tux Paint stamps, B. Maker",
        "CC BY",
    )
    assert (cat.credit, cat.licence) == ("A. Person, via GCompris (cropping)", "CC-BY-SA-4.0")
    assert cat.page == "https://example.org/cat"
    assert Path(cat.path).read_bytes() == b"cat"
    assert (dog.credit, dog.licence, dog.page) == ("B. Person, via GCompris", "public domain", "")
    assert sorted(p.name for p in tmp_path.glob("unpacked/*/*")) == ["cat.webp", "dog.webp"]
    assert missing_packages(chosen, system) == {"gcompris-qt-data": 4}


def test_an_unpacked_photo_is_written_again_when_the_package_changes(
    system: Path, chosen: Path, tmp_path: Path
) -> None:
    cat = Path(starter_photos(tmp_path / "unpacked", chosen, system)[2].path)
    before = cat.stat()
    starter_photos(tmp_path / "unpacked", chosen, system)
    assert cat.stat() == before
    path = system / "usr/share/gcompris-qt/rcc/erase.rcc"
    path.write_bytes(resource_file({"README": README.encode(), "cat.webp": b"new cat"}))
    os.utime(path, (1, 1))  # Some file systems count time in steps of 10 ms.
    starter_photos(tmp_path / "unpacked", chosen, system)
    assert cat.read_bytes() == b"new cat"


def test_servers_that_start_at_the_same_time_unpack_the_same_photos(
    system: Path, chosen: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        for run in range(10):
            each = [(tmp_path / f"unpacked {run}", chosen, system)] * 8
            found = list(pool.map(lambda given: starter_photos(*given), each))
            assert found == [found[0]] * 8
            assert len(list((tmp_path / f"unpacked {run}").rglob("*.webp"))) == 2


def test_a_folder_that_cannot_be_written_is_named(
    system: Path, chosen: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match="file"):
        starter_photos(tmp_path / "file", chosen, system)


def test_without_packages_the_error_names_the_option_for_own_photos(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="--photos DIR"):
        starter_photos(tmp_path / "unpacked", system=tmp_path / "missing")


def test_the_installed_packages_hold_the_starter_gallery(tmp_path: Path) -> None:
    photos = starter_photos(tmp_path)
    assert missing_packages() == {}
    assert len(photos) == 198
    labels = Counter(photo.label for photo in photos)
    for animal, least in {"cat": 2, "dog": 1, "sheep": 2, "bat": 1, "swan": 1, "crab": 1}.items():
        assert labels[animal] >= least
    for photo in photos:
        assert photo.credit and photo.licence
        assert min(Image.open(photo.path).size) >= 42

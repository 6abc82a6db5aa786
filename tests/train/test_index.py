"""Galleries from the command line."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from model.checkpoint.checkpoint import Checkpoint
from model.search.search import SketchSearch
from train.__main__ import main


@pytest.fixture
def more_photos(tmp_path: Path) -> Path:
    """Another folder: a photo, a copy of it with another name, and a broken one."""
    folder = tmp_path / "more" / "deep" / "sea_star"
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 40), "orange").save(folder / "1.png")
    shutil.copy(folder / "1.png", folder / "2.png")
    (folder / "3.jpeg").write_bytes(b"\xff\xd8broken")
    return tmp_path / "more"


def index(*arguments: object) -> int:
    return main(["index", *map(str, arguments)])


def test_several_folders_become_one_gallery_with_a_report(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    more_photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "gallery"
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", out, "--photos", photo_folder]
    assert index(*command, "--photos", more_photos) == 0
    sea_star = more_photos / "deep" / "sea_star"
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "left out, the same picture as another (1):",
        f"  {sea_star / '2.png'} = {sea_star / '1.png'}",
        "left out, since they cannot be used (1):",
        f"  {sea_star / '3.jpeg'}: 3.jpeg cannot be read as a picture; it may be damaged, cut "
        "short or of another kind. Use one of PNG, JPEG, WEBP, HEIF, GIF, BMP, TIFF, AVIF.",
        "7 photos: 7 new, 0 changed, 0 kept; 0 removed; 7 embedded",
        f"Search them: python app.py --gallery {out}",
    ]
    assert "indexing photos: 100%" in said.err
    assert {p.label for p in SketchSearch.load(out).photos} == {
        *("red panda", "blue whale", "sea star")
    }
    # Both ways of naming folders, and the same folder twice, come to the same.
    assert index(*command, more_photos, "--photos", photo_folder) == 0
    assert "7 photos: 0 new, 0 changed, 7 kept; 0 removed; 0 embedded" in capsys.readouterr().out
    assert index(*command) == 0
    assert "6 photos: 0 new, 0 changed, 6 kept; 1 removed; 0 embedded" in capsys.readouterr().out


def test_tables_tell_labels_and_credits(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "all.csv"
    absolute = photo_folder / "blue_whale" / "2.jpg"
    table.write_text(
        "file,label,credit,licence\n"
        'red_panda/0.jpg,"cat, striped",Zoë,CC BY 4.0\n'
        "red_panda/1.jpg,,Somebody,\n"
        f"{absolute},whale,,\n"
        "gone/0.jpg,x,y,z\n",
        encoding="utf-8-sig",
    )
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", tmp_path / "gallery"]
    command += ["--photos", photo_folder, "--labels", table, "--credits", table]
    assert index(*command) == 0
    assert f"{table}: 1 rows name no photo, such as gone/0.jpg" in capsys.readouterr().out
    photos = SketchSearch.load(tmp_path / "gallery").photos
    told = [
        (str(Path(p.path).relative_to(photo_folder)), p.label, p.credit, p.licence) for p in photos
    ]
    assert told == [
        ("blue_whale/0.jpg", "blue whale", "", ""),
        ("blue_whale/1.jpg", "blue whale", "", ""),
        ("blue_whale/2.jpg", "whale", "", ""),
        ("red_panda/0.jpg", "cat, striped", "Zoë", "CC BY 4.0"),
        ("red_panda/1.jpg", "red panda", "Somebody", ""),
        ("red_panda/2.jpg", "red panda", "", ""),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"name,label\n1.jpg,x\n", "needs a header with the column 'file' and 'label'; it has"),
        (b"", "needs a header"),
        (b"file,label\nnowhere.jpg,x\n", "names none of the photos"),
        (b"file,label\n\xff.jpg,x\n", "no CSV file in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    said: str,
) -> None:
    table = tmp_path / "labels.csv"
    if content is not None:
        table.write_bytes(content)
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", tmp_path / "gallery"]
    assert index(*command, "--photos", photo_folder, "--labels", table) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {table} ")
    assert said in error
    assert not (tmp_path / "gallery").exists()


@pytest.fixture
def two_cameras(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders that both hold `DCIM/IMG_0001.JPG`."""
    folders = tmp_path / "A", tmp_path / "B"
    for folder, hue in zip(folders, ("red", "navy"), strict=True):
        (folder / "DCIM").mkdir(parents=True)
        Image.new("RGB", (40, 40), hue).save(folder / "DCIM" / "IMG_0001.JPG")
    return folders


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (["DCIM/IMG_0001.JPG,fox"], ["fox", "fox"]),
        (["A/DCIM/IMG_0001.JPG,fox"], ["fox", "DCIM"]),
        (["B/DCIM/IMG_0001.JPG,fox", "A/DCIM/IMG_0001.JPG,owl"], ["owl", "fox"]),
        ([r"DCIM\IMG_0001.JPG,fox"], ["fox", "fox"]),
        (["./DCIM/IMG_0001.JPG ,fox"], ["fox", "fox"]),
        (["{B}/DCIM/IMG_0001.JPG,fox"], ["DCIM", "fox"]),
    ],
)
def test_a_name_in_several_folders_labels_each_of_them_or_the_one_that_is_meant(
    tiny_checkpoint: Checkpoint,
    two_cameras: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[str],
    labels: list[str],
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,label", *rows]).format(B=two_cameras[1]))
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", tmp_path / "gallery"]
    assert index(*command, "--photos", *two_cameras, "--labels", table) == 0
    assert [p.label for p in SketchSearch.load(tmp_path / "gallery").photos] == labels
    said = capsys.readouterr().out
    assert ("1 rows name a photo in several folders" in said) == (labels == ["fox", "fox"])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("file,credit,license", "{},Zoë,CC BY 4.0"),
        ("File , Creator,LICENCE", "{},Zoë,CC BY 4.0"),
        ("FILENAME;Author;License", "{};Zoë;CC BY 4.0"),
        ("path\tPhotographer\tlicense_name", "{}\tZoë\tCC BY 4.0"),
        ("File Name,Artist,Usage-Terms", "{},Zoë,CC BY 4.0"),
        ("file_name,credits,licenses,label", "{},Zoë,CC BY 4.0,fox"),
        ("licence,license,file,credit,author", ",CC BY 4.0,{},Zoë,Zoë"),
        ("image,by,rights", '"{}","Zoë","CC BY 4.0"'),
    ],
)
def test_columns_of_credits_are_known_as_people_call_them(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path, header: str, row: str
) -> None:
    table = tmp_path / "credits.csv"
    table.write_text(f"{header}\n{row.format('red_panda/0.jpg')}\n", encoding="utf-8")
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", tmp_path / "gallery"]
    assert index(*command, "--photos", photo_folder, "--credits", table) == 0
    photo = SketchSearch.load(tmp_path / "gallery").photos[3]
    assert (photo.label, photo.credit, photo.licence) == ("red panda", "Zoë", "CC BY 4.0")


def test_what_is_not_used_of_a_table_is_named(
    tiny_checkpoint: Checkpoint,
    photo_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,label,class,licence,place\n"
        "red_panda/0.jpg,cat,mammal,CC0,zoo\n"
        "red_panda/1.jpg,cat, striped,x,y,z\n"
        "red_panda/0.jpg,dog,,,\n"
        "blue_whale/\0.jpg,x,,,\n"
    )
    command = ["--checkpoint", tiny_checkpoint.folder, "--out", tmp_path / "gallery"]
    command += ["--photos", photo_folder, "--labels", table]
    assert index(*command) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        f"{table}: columns that are not used: class, licence, place",
        f"{table}: 1 rows have more values than columns, such as red_panda/1.jpg. Put texts with "
        "commas into quotes",
        f"{table}: 1 rows name no photo, such as blue_whale/\0.jpg",
        f"{table}: 1 rows contradict one above, such as red_panda/0.jpg. The last counts",
    ]
    assert SketchSearch.load(tmp_path / "gallery").photos[3].label == "dog"
    # Columns that the other option uses are no matter.
    assert index(*command, "--credits", table) == 0
    assert f"{table}: columns that are not used: class, place" in capsys.readouterr().out
    assert SketchSearch.load(tmp_path / "gallery").photos[3].licence == "CC0"

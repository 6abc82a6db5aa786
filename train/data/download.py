"""Fetches the Sketchy Database."""

import lzma
import time
from pathlib import Path

import httpx
import py7zr
from tqdm import tqdm

from model.checkpoint.files import sha256 as hash_file
from train.data.pictures import VARIANT, sketchy_folders
from train.errors import DataError

PAGE = "https://sketchy.eye.gatech.edu"
ARCHIVE = "rendered_256x256.7z"
URL = (
    "https://drive.usercontent.google.com/download"
    "?id=0B7ISyeE8QtDdTjE1MG9Gcy1kSkE&export=download&confirm=t"
)
"""The archive of rendered sketches and photos that the authors' page links to."""

TERMS = (
    "The Sketchy Database (Sangkloy, Burnell, Ham, Hays 2016) is for research. Its photos come\n"
    f"from ImageNet, whose terms forbid passing them on. See {PAGE} and cite the paper."
)
TRIES = 5
WAIT = 1.0
"""Seconds to wait before another try; doubled with each that brought nothing."""


def download_sketchy(out: Path, *, url: str = URL, sha256: str | None = None) -> Path:
    """Downloads and unpacks the archive; what is there already is not fetched again.

    A download that broke off goes on where it stopped. The authors publish no checksum: without
    `sha256`, the checksums inside of the archive are all that is compared.

    Args:
        out: folder for the archive and for what is in it.
        url: where the archive is.
        sha256: what its hexadecimal digest has to be.

    Returns:
        `out`, which can be given to `--sketchy`.

    Raises:
        DataError: the archive cannot be fetched, or is not what it should be.
    """
    print(TERMS)
    if (out / "256x256").is_dir():
        sketchy_folders(out)
        print(f"{out} holds the Sketchy Database already.")
        return out
    out.mkdir(parents=True, exist_ok=True)
    archive = out / ARCHIVE
    if not archive.exists():
        _fetch(url, archive.with_suffix(".part"))
        archive.with_suffix(".part").rename(archive)
    digest = hash_file(archive)
    print(f"sha256 of {archive.name}: {digest}")
    if sha256 and digest != sha256.lower():
        raise DataError(
            f"{archive} has the sha256 {digest}, not {sha256}. Delete it to fetch it again."
        )
    _unpack(archive, out)
    sketchy_folders(out)
    return out


def _fetch(url: str, part: Path) -> None:
    """Downloads to `part`, going on where an earlier try stopped.

    Gives up after `TRIES` tries in a row that brought nothing.
    """
    fruitless = 0
    while True:
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            with httpx.stream("GET", url, headers=headers, follow_redirects=True) as answer:
                if have and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                answer.raise_for_status()
                if answer.headers.get("content-type", "").startswith("text/html"):
                    raise DataError(
                        f"{url} answered with a page instead of the archive, as Google Drive does "
                        f"when too many have fetched it. Download {ARCHIVE} in a browser from "
                        f"{PAGE}, put it into {part.parent}, and run this again."
                    )
                goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT
                _receive(answer, part, have if goes_on else 0)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            gained = part.exists() and part.stat().st_size > have
            fruitless = 0 if gained else fruitless + 1
            if fruitless == TRIES:
                raise DataError(
                    f"{url} cannot be fetched ({error}). Run the same command again to go on, or "
                    f"download {ARCHIVE} from {PAGE} into {part.parent}."
                ) from error
            tqdm.write(f"{error}; trying again")
            time.sleep(WAIT * 2**fruitless)


def _receive(answer: httpx.Response, part: Path, have: int) -> None:
    length = int(answer.headers.get("content-length", 0))
    with (
        part.open("ab" if have else "wb") as file,
        tqdm(
            total=have + length if length else None,
            initial=have,
            desc=ARCHIVE,
            unit="B",
            unit_scale=True,
        ) as progress,
    ):
        for chunk in answer.iter_raw():
            file.write(chunk)
            progress.update(len(chunk))


def _unpack(archive: Path, out: Path) -> None:
    """Unpacks beside, then moves into place, so that no half set of pictures is left."""
    unfinished = out / "unpacking"
    try:
        with py7zr.SevenZipFile(archive) as packed:
            inside = [name for name in packed.getnames() if f"/{VARIANT}" in f"/{name}"]
            print(f"unpacking {len(inside)} files of {archive.name}")
            packed.extract(unfinished, targets=inside, recursive=True)
    except (py7zr.exceptions.ArchiveError, lzma.LZMAError, OSError, EOFError) as error:
        raise DataError(
            f"{archive} cannot be unpacked ({error}). If it is damaged, delete it to fetch it "
            "again."
        ) from error
    found = unfinished / "256x256"
    if not found.is_dir():
        raise DataError(f"{archive} holds no folder 256x256: it is another archive.")
    found.rename(out / "256x256")
    unfinished.rmdir()

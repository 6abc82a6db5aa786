"""Finds pictures in folders, for galleries and for training.

Every file that is left out is listed with the reason and what to do. Only hidden files, and files
that systems and programs create for themselves, are skipped silently.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from errno import EACCES
from pathlib import Path
from typing import NamedTuple

from model.errors import GalleryError
from model.pictures.decoding import ENDINGS, is_picture

SHOWN = 5
"""Files that are listed for each reason."""

SYSTEM = {
    *("@eadir", "#recycle", "#snapshot", "@recycle", "__macosx", "__pycache__", "lost+found"),
    *("$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    *("ehthumbs_vista.db", "icon\r"),
}
"""Names, in lower case, of files and folders that systems and programs create."""

RAW = {
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq"),
    *(".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
    *(".rwl", ".sr2", ".srf", ".srw", ".x3f"),
}
"""Endings of raw files. Many look like TIFF files, but only contain a small preview."""

SAME = "the same picture as another"
UNUSABLE = "since they cannot be used"
RAW_FILE = "raw files of cameras: export them as JPEG"
OTHER = "not a known kind of picture: save photos among them as JPEG or PNG"
DENIED = "no permission to read: allow it with chmod u+rX"
LOST = "links that lead nowhere: correct or delete them"
AGAIN = "links to folders that are read already"
GONE = "gone before they were read: start again"
FAILED = "refused by the system"
SPECIAL = "neither files nor folders"

_EFFECTIVE = os.access in os.supports_effective_ids


class LeftOut(NamedTuple):
    """A file or folder that is not used.

    Attributes:
        why: the reason, which many files may share.
        path: the file or folder.
        more: details about this one.
    """

    why: str
    path: str
    more: str = ""


class PictureFile(NamedTuple):
    """A picture file: the path where it was found, and its real path."""

    path: Path
    real: str
    is_link: bool


@dataclass
class Walk:
    """The contents of a folder, sorted by path.

    Attributes:
        files: the pictures.
        folders: the folders below it that were read.
        left_out: everything else that is not hidden.
    """

    files: list[PictureFile] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def walk(top: Path, besides: Iterable[Path] = (), seen: set[str] | None = None) -> Walk:
    """Finds all pictures below a folder, also through links to files and folders.

    Every folder is read once: by its own path if possible, otherwise through the first link. A link
    is not followed if its target contains `top` or the link itself.

    Args:
        top: where to start.
        besides: files and folders to skip, such as the gallery to build.
        seen: real paths of folders that are already read. The folders read now are added.

    Raises:
        GalleryError: `top` is not a folder, or cannot be read.
    """
    try:
        if not top.is_dir():
            raise GalleryError(f"{top} is not a folder. Name a folder of photos.")
        return _Walker(top, {os.path.realpath(path) for path in besides}, seen).walk()
    except OSError as error:
        raise GalleryError(f"{top} cannot be read: {error.strerror}.") from error


class _Walker:
    """The state of a walk. Links to folders wait until all other folders are read."""

    def __init__(self, top: Path, besides: set[str], seen: set[str] | None) -> None:
        self.top, self.besides = top, besides
        self.seen = set() if seen is None else seen
        self.found = Walk()
        self.waiting: list[Path] = [top]
        self.linked: list[Path] = []

    def walk(self) -> Walk:
        own = Path(os.path.realpath(self.top))
        while self.waiting or self.linked:
            is_link = not self.waiting
            folder = self.linked.pop(0) if is_link else self.waiting.pop()
            real = os.path.realpath(folder)
            holders = (own, Path(os.path.realpath(folder.parent)))
            if is_link and (real in self.seen or any(h.is_relative_to(real) for h in holders)):
                self.leave_out(AGAIN, folder, f" -> {real}")
            elif real not in self.seen:
                self.seen.add(real)
                self.read(folder, real)
        for listed in (self.found.files, self.found.folders, self.found.left_out):
            listed.sort()
        return self.found

    def read(self, folder: Path, real: str) -> None:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
            if not os.access(folder, os.X_OK, effective_ids=_EFFECTIVE):
                raise PermissionError(EACCES, "it may be listed, but not entered")
        except OSError as error:
            if folder == self.top:
                raise
            self.leave_out(*_reason(error, folder))
            return
        if folder != self.top:
            self.found.folders.append(folder)
        for entry in listed:
            place = f"{real.rstrip(os.sep)}{os.sep}{entry.name}"
            if _is_hidden(entry.name) or place in self.besides:
                continue
            try:
                self.take(entry, folder / entry.name, place)
            except OSError as error:
                self.leave_out(*_reason(error, folder / entry.name))

    def take(self, entry: os.DirEntry[str], path: Path, real: str) -> None:
        is_link = entry.is_symlink()
        try:
            mode = (path.stat() if is_link else entry.stat(follow_symlinks=False)).st_mode
        except OSError as error:
            if not is_link or isinstance(error, PermissionError):
                raise
            self.leave_out(LOST, path, f" -> {path.readlink()}")
            return
        real = os.path.realpath(path) if is_link else real
        if stat.S_ISDIR(mode):
            (self.linked if is_link else self.waiting).append(path)
        elif not stat.S_ISREG(mode):
            self.leave_out(SPECIAL, path)
        elif Path(real).suffix.lower() in RAW:
            self.leave_out(RAW_FILE, path)
        elif Path(real).suffix.lower() in ENDINGS or is_picture(path):
            self.found.files.append(PictureFile(path, real, is_link))
        else:
            self.leave_out(OTHER, path)

    def leave_out(self, why: str, path: Path, more: str = "") -> None:
        self.found.left_out.append(LeftOut(why, str(path), more))


def _reason(error: OSError, path: Path) -> tuple[str, Path, str]:
    """The reason to leave something out after an error of the system."""
    if isinstance(error, PermissionError):
        return DENIED, path, ""
    if isinstance(error, FileNotFoundError):
        return GONE, path, ""
    return FAILED, path, f": {error.strerror}"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def named(left_out: Sequence[LeftOut]) -> list[str]:
    """Lines about the files that were left out: each reason with its first few files."""
    groups: dict[str, list[str]] = {}
    for why, path, more in left_out:
        groups.setdefault(why, []).append(f"  {path}{more}")
    lines = []
    for why, files in groups.items():
        lines += [f"left out, {why} ({len(files)}):", *files[:SHOWN]]
        lines += [f"  and {len(files) - SHOWN} more"] if len(files) > SHOWN else []
    return ["".join(c if c.isprintable() else "?" for c in line) for line in lines]

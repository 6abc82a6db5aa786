"""The downloaded photos in folders by class, and a database about them.

    FOLDER/cat/openverse-....jpg    the photos that are kept
    FOLDER/.fetched/                the same photos, and spare ones
    FOLDER/credits.csv, CREDITS.md  their makers and licences
    FOLDER/.photos.sqlite           answers of the services, and the outcome of each photo

SQLite keeps the database intact if a process is killed or the disk is full.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from model.checkpoint.records import Photo
from model.encoder.head import Embeddings
from model.errors import GalleryError
from model.files import link_or_copy, replacing
from model.gallery.open_photos.credits import Kept, credits_page, write_table
from model.gallery.open_photos.services import Offer

DATABASE = ".photos.sqlite"
FETCHED = ".fetched"
CREDITS, CREDITS_PAGE = "credits.csv", "CREDITS.md"
KEPT, SPARE, REMOVED, NOT_OPEN = "kept", "spare", "removed", "no open licence"
"""Outcomes of photos. Any other outcome is the reason why a photo was left out."""

SCHEMA = """
create table if not exists answers (url text primary key, body text not null);
create table if not exists photos (
    id text primary key, class text not null, outcome text not null, file text not null,
    title text not null, creator text not null, spdx text not null, licence_url text not null,
    page text not null, image text not null, embedding blob not null
);
"""


class Store:
    """The folder of downloaded photos.

    Args:
        folder: the folder. It is created if it is missing.

    Raises:
        GalleryError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=10)
            self._database.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise cannot_write(folder, error) from error

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def answer(self, url: str) -> str | None:
        """The stored answer of a service; None if there is none."""
        row = self._database.execute("select body from answers where url = ?", (url,)).fetchone()
        return row[0] if row else None

    def keep_answer(self, url: str, body: str) -> None:
        """Stores an answer, so that it is not requested again."""
        self._database.execute("insert or replace into answers values (?, ?)", (url, body))

    def outcome(self, offer_id: str) -> str | None:
        """The outcome of a photo; None if the photo is unknown."""
        row = self._database.execute(
            "select outcome from photos where id = ?", (offer_id,)
        ).fetchone()
        return row[0] if row else None

    def record(
        self,
        offer: Offer,
        animal: str,
        outcome: str,
        file: str = "",
        embedding: Embeddings | None = None,
    ) -> None:
        """Records the outcome of a photo."""
        licence = offer.licence
        row = (
            *(offer.id, animal, outcome, file, offer.title, offer.creator),
            *((licence.spdx, licence.url) if licence else ("", "")),
            *(offer.page, offer.image, b"" if embedding is None else embedding.tobytes()),
        )
        marks = ", ".join("?" * len(row))
        self._database.execute(f"insert or replace into photos values ({marks})", row)

    def set_outcome(self, ids: Iterable[str], outcome: str) -> None:
        """Changes the outcome of photos, of all or of none."""
        with self._database:
            self._database.execute("begin")
            self._database.executemany(
                "update photos set outcome = ? where id = ?", [(outcome, each) for each in ids]
            )

    def chosen_from(self, animal: str) -> tuple[list[str], Embeddings]:
        """Ids and embeddings, `(n, d)`, of the kept and spare photos of an animal, sorted by id."""
        rows = self._database.execute(
            "select id, embedding from photos where class = ? and outcome in (?, ?) order by id",
            (animal, KEPT, SPARE),
        ).fetchall()
        embeddings = [np.frombuffer(row[1], np.float32) for row in rows]
        return [row[0] for row in rows], np.stack(embeddings) if rows else np.zeros((0, 1), "f4")

    def kept(self) -> list[Kept]:
        """The photos that are kept, sorted by class and id."""
        rows = self._database.execute(
            "select id, class, file, title, creator, spdx, licence_url, page from photos "
            "where outcome = ? order by class, id",
            (KEPT,),
        )
        return [Kept(*row) for row in rows]

    def taken(self, animal: str) -> int:
        """Number of kept and spare photos of an animal."""
        (count,) = self._database.execute(
            "select count(*) from photos where class = ? and outcome in (?, ?)",
            (animal, KEPT, SPARE),
        ).fetchone()
        return int(count)

    def counts(self) -> Counter[str]:
        """Number of photos by outcome."""
        rows = self._database.execute("select outcome, count(*) from photos group by outcome")
        return Counter(dict(rows.fetchall()))

    def kept_by_class(self) -> Counter[str]:
        """Number of kept photos by class."""
        rows = self._database.execute(
            "select class, count(*) from photos where outcome = ? group by class", (KEPT,)
        )
        return Counter(dict(rows.fetchall()))

    def forget(self, offer_id: str) -> None:
        """Deletes the outcome of a photo, so that it is downloaded again."""
        self._database.execute("delete from photos where id = ?", (offer_id,))

    def remove(self, offer_id: str) -> str:
        """Removes a photo permanently; returns its class.

        Raises:
            GalleryError: there is no such photo, or it cannot be deleted.
        """
        row = self._database.execute(
            "select class, outcome, file from photos where id = ?", (offer_id,)
        ).fetchone()
        if row is None or row[1] == REMOVED:
            raise GalleryError(
                f"{self.folder} holds no photo {offer_id}. {CREDITS} lists the ids of those it has."
            )
        self.leave_out(offer_id, REMOVED)
        return str(row[0])

    def leave_out(self, offer_id: str, outcome: str) -> None:
        """Deletes the files of a photo and records the reason."""
        (file,) = self._database.execute(
            "select file from photos where id = ?", (offer_id,)
        ).fetchone()
        self.set_outcome([offer_id], outcome)
        try:
            if file:
                (self.folder / FETCHED / file).unlink(missing_ok=True)
                (self.folder / file).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def write(self, file: str, data: bytes) -> None:
        """Writes the file of a downloaded photo."""
        path = self.folder / FETCHED / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as unfinished:
                unfinished.write_bytes(data)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def show(self, animal: str) -> None:
        """Makes the folder of an animal hold exactly the photos that are kept."""
        kept = {Path(photo.file).name: photo for photo in self.kept() if photo.animal == animal}
        folder = self.folder / animal
        try:
            for path in folder.iterdir() if folder.is_dir() else []:
                if path.name not in kept and _is_ours(path):
                    path.unlink(missing_ok=True)
            for photo in kept.values():
                source, target = self.folder / FETCHED / photo.file, self.folder / photo.file
                if not source.is_file():
                    self.forget(photo.id)
                    target.unlink(missing_ok=True)
                elif not target.is_file():
                    target.parent.mkdir(exist_ok=True)
                    with replacing(target) as unfinished:
                        unfinished.unlink(missing_ok=True)
                        link_or_copy(source, unfinished)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def write_credits(self) -> None:
        """Writes `credits.csv` and `CREDITS.md`."""
        kept = self.kept()
        try:
            with replacing(self.folder / CREDITS) as path:
                write_table(path, kept)
            with replacing(self.folder / CREDITS_PAGE) as path:
                path.write_text(credits_page(kept), encoding="utf-8")
        except OSError as error:
            raise cannot_write(self.folder, error) from error


def _is_ours(path: Path) -> bool:
    """Whether a file was written by a download: a photo, or a temporary file of one."""
    return path.name.lstrip(".").split("-")[0] in ("inaturalist", "openverse", "commons")


def cannot_write(folder: Path, error: Exception) -> GalleryError:
    """The error for a folder that cannot be used."""
    if type(error) is sqlite3.DatabaseError:  # Its subclasses have other causes.
        return GalleryError(
            f"{folder / DATABASE} is damaged: {error}. Delete it; then the photos are downloaded "
            "again."
        )
    reason = getattr(error, "strerror", None) or str(error)
    return GalleryError(
        f"{folder} cannot be written: {reason}. Free some space or name another folder, and give "
        "the same command again. Existing photos are not downloaded again."
    )


def open_photos(folder: Path) -> list[Photo]:
    """The downloaded photos of a folder, for a gallery.

    Raises:
        GalleryError: the database cannot be read.
    """
    if not (folder / DATABASE).is_file():
        return []
    store = Store(folder)
    try:
        return [
            Photo(
                str((folder / photo.file).resolve()),
                photo.animal.replace("_", " "),
                photo.line(),
                photo.spdx,
                photo.page,
            )
            for photo in store.kept()
            if (folder / photo.file).is_file()
        ]
    except sqlite3.Error as error:
        raise cannot_write(folder, error) from error
    finally:
        store.close()


def count_open_photos(folder: Path) -> Counter[str]:
    """Number of downloaded photos of a folder by class. It does not look at their files.

    Raises:
        GalleryError: the database cannot be read.
    """
    if not (folder / DATABASE).is_file():
        return Counter()
    store = Store(folder)
    try:
        return store.kept_by_class()
    except sqlite3.Error as error:
        raise cannot_write(folder, error) from error
    finally:
        store.close()

"""What was fetched: photos in folders by class, and a database of all that is known of them.

    FOLDER/cat/openverse-....jpg    the photos
    FOLDER/.fetched/                the same, and some to take their place
    FOLDER/credits.csv, CREDITS.md  who made them, and on what terms
    FOLDER/.photos.sqlite           answers of the services, and what became of each photo

SQLite keeps the database whole when a process is killed or a disk is full.
"""

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from model.checkpoint.records import Photo
from model.encoder.encoder import Embeddings
from model.errors import GalleryError
from model.files import replacing
from model.gallery.open_photos.credits import Kept, credits_page, write_table
from model.gallery.open_photos.services import Offer

DATABASE = ".photos.sqlite"
FETCHED = ".fetched"
CREDITS, READABLE = "credits.csv", "CREDITS.md"
KEPT, SPARE, REMOVED, NOT_OPEN = "kept", "spare", "removed", "no open licence"
SCHEMA = """
create table if not exists answers (url text primary key, body text not null);
create table if not exists photos (
    id text primary key, class text not null, outcome text not null, file text not null,
    title text not null, creator text not null, spdx text not null, licence_url text not null,
    page text not null, image text not null, embedding blob not null
);
"""


class Store:
    """The folder of photos.

    Args:
        folder: is made where it is missing.

    Raises:
        GalleryError: it cannot be read or written.
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
        """An answer of a service that was fetched before."""
        row = self._database.execute("select body from answers where url = ?", (url,)).fetchone()
        return row[0] if row else None

    def keep_answer(self, url: str, body: str) -> None:
        """Keeps an answer, so that the same is not asked twice."""
        self._database.execute("insert or replace into answers values (?, ?)", (url, body))

    def outcome(self, offer_id: str) -> str | None:
        """What became of a photo: kept, spare, removed, or why it was left out."""
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
        """Says what became of a photo."""
        licence = offer.licence
        row = (
            *(offer.id, animal, outcome, file, offer.title, offer.creator),
            *((licence.spdx, licence.url) if licence else ("", "")),
            *(offer.page, offer.image, b"" if embedding is None else embedding.tobytes()),
        )
        marks = ", ".join("?" * len(row))
        self._database.execute(f"insert or replace into photos values ({marks})", row)

    def set_outcome(self, ids: Iterable[str], outcome: str) -> None:
        """Changes what became of photos, of all or of none."""
        with self._database:
            self._database.execute("begin")
            self._database.executemany(
                "update photos set outcome = ? where id = ?", [(outcome, each) for each in ids]
            )

    def chosen_from(self, animal: str) -> tuple[list[str], Embeddings]:
        """Ids and embeddings, `(n, d)`, of the kept and the spare photos of an animal, by id."""
        rows = self._database.execute(
            "select id, embedding from photos where class = ? and outcome in (?, ?) order by id",
            (animal, KEPT, SPARE),
        ).fetchall()
        embeddings = [np.frombuffer(row[1], np.float32) for row in rows]
        return [row[0] for row in rows], np.stack(embeddings) if rows else np.zeros((0, 1), "f4")

    def kept(self) -> list[Kept]:
        """The photos that are kept, by class and id."""
        rows = self._database.execute(
            "select id, class, file, title, creator, spdx, licence_url, page from photos "
            "where outcome = ? order by class, id",
            (KEPT,),
        )
        return [Kept(*row) for row in rows]

    def taken(self, animal: str) -> int:
        """How many photos of an animal are kept or spare."""
        (count,) = self._database.execute(
            "select count(*) from photos where class = ? and outcome in (?, ?)",
            (animal, KEPT, SPARE),
        ).fetchone()
        return int(count)

    def counts(self) -> Counter[str]:
        """How many photos there are of what outcome."""
        rows = self._database.execute("select outcome, count(*) from photos group by outcome")
        return Counter(dict(rows.fetchall()))

    def forget(self, offer_id: str) -> None:
        """Forgets what became of a photo, so that it is fetched again."""
        self._database.execute("delete from photos where id = ?", (offer_id,))

    def remove(self, offer_id: str) -> str:
        """Removes a photo for good; returns its class.

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
        """Takes a photo away that was fetched, and says why."""
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
        """Writes the file of a photo that was fetched."""
        path = self.folder / FETCHED / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as unfinished:
                unfinished.write_bytes(data)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def show(self, animal: str) -> None:
        """Lets the folder of an animal hold the photos of it that are kept, and no others."""
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
                        _link(source, unfinished)
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def write_credits(self) -> None:
        """Writes `credits.csv` and `CREDITS.md`."""
        kept = self.kept()
        try:
            with replacing(self.folder / CREDITS) as path:
                write_table(path, kept)
            with replacing(self.folder / READABLE) as path:
                path.write_text(credits_page(kept), encoding="utf-8")
        except OSError as error:
            raise cannot_write(self.folder, error) from error


def _link(source: Path, target: Path) -> None:
    """A second name for the same file where the file system can, else a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _is_ours(path: Path) -> bool:
    """Whether a file has the name of one that was fetched, or of one that was being written."""
    return path.name.lstrip(".").split("-")[0] in ("inaturalist", "openverse", "commons")


def cannot_write(folder: Path, error: Exception) -> GalleryError:
    """What a person is told when the folder cannot be used."""
    reason = getattr(error, "strerror", None) or str(error)
    return GalleryError(
        f"{folder} cannot be written: {reason}. Free some space or name another folder, and give "
        "the same command again; photos that are there are not fetched again."
    )


def open_photos(folder: Path) -> list[Photo]:
    """The photos that were fetched into a folder, for a gallery.

    Raises:
        GalleryError: its database cannot be read.
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

"""Downloads open photos: a few of each animal at a time, so that no animal has to wait long."""

import fcntl
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from model.checkpoint.versions import Lock
from model.errors import GalleryError
from model.gallery.open_photos.animals import Animal
from model.gallery.open_photos.fetch import Fetcher, GoneError, ServiceError
from model.gallery.open_photos.judge import Judgement, most_different
from model.gallery.open_photos.licences import named_in_page
from model.gallery.open_photos.services import LISTED, Offer, Service
from model.gallery.open_photos.store import (
    KEPT,
    NOT_OPEN,
    SPARE,
    Store,
    cannot_write,
)

ROUND = 4
"""Photos of an animal to download before it is the next animal's turn."""

CHOICE = 1.5
"""Photos to download for each one that is kept. The most different ones are kept."""


@dataclass
class Report:
    """The result of a download.

    Attributes:
        kept: number of photos of each animal.
        left_out: number of photos that were left out, by reason.
        trouble: error messages of services that do not answer.
    """

    kept: Counter[str]
    left_out: Counter[str]
    trouble: dict[str, str] = field(default_factory=dict)


class Download:
    """A download into one folder.

    Args:
        folder: folder for the photos.
        animals: which animals to download.
        per_class: how many photos of each animal to keep.
        services: the services to use, by name.
        fetcher: makes the requests.
        judge: decides whether a picture shows an animal, and embeds it.
        grown: called after new photos of an animal have arrived.
    """

    def __init__(
        self,
        folder: Path,
        animals: Sequence[Animal],
        per_class: int,
        services: dict[str, Service],
        fetcher: Fetcher,
        judge: Callable[[bytes, str], Judgement],
        grown: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder, self._animals, self._per_class = folder, animals, per_class
        self._services, self._fetcher, self._judge = services, fetcher, judge
        self._grown = grown
        self._trouble: dict[str, str] = {}

    def run(self) -> Report:
        """Downloads the photos that are missing.

        Raises:
            GalleryError: the folder cannot be written, or another download uses it.
        """
        store = Store(self._folder)
        try:
            lock = Lock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GalleryError(
                f"Another download is at work in {self._folder}. Wait for it, or stop it."
            ) from error
        try:
            self._rounds(store)
            return self._report(store)
        except sqlite3.Error as error:
            raise cannot_write(self._folder, error) from error
        finally:
            store.close()
            lock.release()

    def _rounds(self, store: Store) -> None:
        wanted = round(self._per_class * CHOICE)
        queues = {animal: self._offers(store, animal) for animal in self._animals}
        for animal in self._animals:
            self._choose(store, animal.name)
        store.write_credits()
        have = sum(store.taken(animal.name) for animal in self._animals)
        target = ROUND
        with tqdm(
            total=wanted * len(queues), initial=have, desc="photos", unit="photo", smoothing=0.05
        ) as bar:
            while True:
                target = min(target, wanted)
                came = sum(self._turn(store, *each, target, bar) for each in queues.items())
                if came:
                    store.write_credits()
                elif target == wanted:
                    return
                target += ROUND

    def _turn(
        self,
        store: Store,
        animal: Animal,
        offers: Iterator[tuple[Service, Offer]],
        target: int,
        bar: "tqdm[NoReturn]",
    ) -> int:
        """Downloads photos of an animal until there are `target`; returns how many are new."""
        came = 0
        while store.taken(animal.name) < target:
            service, offer = next(offers, (None, None))
            if service is None or offer is None:
                break
            is_taken = self._take(store, animal, service, offer)
            came += is_taken
            bar.update(is_taken)
        if came:
            self._choose(store, animal.name)
            self._grown()
        return came

    def _offers(self, store: Store, animal: Animal) -> Iterator[tuple[Service, Offer]]:
        """New photos of an animal that its services list, one service after the other."""
        names = [name for name in ("commons", animal.source) if name in self._services]
        for service in (self._services[name] for name in names):
            listed = 0
            for url in service.urls(animal):
                if listed >= LISTED:
                    break
                try:
                    offers = service.read(json.loads(self._list(store, service, url)))
                except ServiceError as error:
                    self._trouble[service.name] = str(error)
                    break
                except GoneError as error:
                    self._trouble[service.name] = f"{service.name} gave no list of photos: {error}."
                    break
                self._close_off(store, animal, offers)
                for offer in offers:
                    listed += 1
                    if store.outcome(offer.id) is None and service.name not in self._trouble:
                        yield service, offer
                if not offers:
                    break

    def _list(self, store: Store, service: Service, url: str) -> str:
        """The answer of a service. Each answer is stored and only requested once."""
        known = store.answer(url)
        if known is not None:
            return known
        if service.name in self._trouble:
            raise ServiceError(self._trouble[service.name])
        body = json.dumps(self._fetcher.json(url))
        store.keep_answer(url, body)
        return body

    def _close_off(self, store: Store, animal: Animal, offers: Sequence[Offer]) -> None:
        """Excludes all photos that are listed with a licence that is not open, also stored ones."""
        for offer in offers:
            if offer.licence is None:
                known = store.outcome(offer.id)
                if known in (KEPT, SPARE):
                    store.leave_out(offer.id, NOT_OPEN)
                elif known is None:
                    store.record(offer, animal.name, NOT_OPEN)

    def _take(self, store: Store, animal: Animal, service: Service, offer: Offer) -> bool:
        """Downloads and judges a photo and records the outcome; returns whether it is good."""
        flaw = offer.flaw or _flaw(offer, animal)
        data = b""
        try:
            if not flaw and service.must_confirm:
                flaw = self._confirm(offer)
            if not flaw:
                data = self._fetcher.photo(offer.image)
        except GoneError as error:
            flaw = f"cannot be fetched: {error}"
        except ServiceError as error:
            self._trouble[service.name] = str(error)
            return False
        judged = Judgement(flaw) if flaw else self._judge(data, animal.name)
        if judged.flaw:
            store.record(offer, animal.name, judged.flaw)
            return False
        file = f"{animal.name}/{offer.id}{_ending(data)}"
        store.write(file, data)
        store.record(offer, animal.name, SPARE, file, judged.embedding)
        return True

    def _confirm(self, offer: Offer) -> str:
        """Checks the licence on the photo's own page; returns the flaw, or an empty text."""
        found = named_in_page(self._fetcher.page(offer.page))
        if not found:
            return "no licence at its page"
        return "" if found == {offer.licence} else "another licence at its page"

    def _choose(self, store: Store, name: str) -> None:
        """Keeps the most different photos of an animal; the others become spare photos."""
        ids, embeddings = store.chosen_from(name)
        kept = {ids[row] for row in most_different(embeddings, self._per_class)}
        store.set_outcome([photo for photo in ids if photo not in kept], SPARE)
        store.set_outcome(sorted(kept), KEPT)
        store.show(name)

    def _report(self, store: Store) -> Report:
        left_out = store.counts()
        for taken in (KEPT, SPARE):
            left_out.pop(taken, None)
        kept = Counter({animal.name: 0 for animal in self._animals})
        kept.update(store.kept_by_class())
        return Report(kept, left_out, self._trouble)


def _flaw(offer: Offer, animal: Animal) -> str:
    """The reason to leave a photo out that its listing already shows; empty if there is none."""
    if not offer.image or not offer.page.startswith("https://"):
        return "no address of the photo or its page"
    if not offer.creator and offer.licence and offer.licence.spdx not in ("CC0-1.0", "CC-PDM-1.0"):
        return "no creator"
    if any(not (sign.isalnum() or sign in "-_") for sign in offer.id):
        return "an odd id"
    word = animal.wrong_word(offer.text)
    return f"tells of something else ({word})" if word else ""


def _ending(data: bytes) -> str:
    """The file ending for a picture, by its first bytes."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    return ".webp" if data[8:12] == b"WEBP" else ".jpg"


def fetcher_for(services: dict[str, Service], contact: str) -> Fetcher:
    """A fetcher for these services. It refuses all other hosts."""
    pauses = {host: pause for each in services.values() for host, pause in each.hosts.items()}
    return Fetcher(pauses, contact)

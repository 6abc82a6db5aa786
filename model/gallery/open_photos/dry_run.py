"""Sends a few requests to each service, to check that it answers as expected."""

from collections.abc import Iterator

from model.errors import SketchZooError
from model.gallery.open_photos.animals import Animal
from model.gallery.open_photos.fetch import Fetcher
from model.gallery.open_photos.licences import named_in_page
from model.gallery.open_photos.services import Service
from model.pictures.decoding import open_image

SHOWN = 3
"""Photos to download from each service."""


def dry_run(services: dict[str, Service], animal: Animal, fetcher: Fetcher) -> Iterator[str]:
    """Requests photos of one animal from each service. Nothing is stored.

    Yields:
        Lines about the answer of each service and about the first three photos: their makers and
        licences, and whether they can be downloaded.
    """
    for service in services.values():
        url = next(iter(service.urls(animal)), None)
        if url is None:
            yield f"{service.name}: is not used for {animal.label}"
            continue
        yield f"{service.name}: {url}"
        try:
            offers = service.read(fetcher.json(url))
        except SketchZooError as error:
            yield f"  failed: {error}"
            continue
        usable = [offer for offer in offers if offer.licence and not offer.flaw]
        yield f"  {len(offers)} photos in the answer, {len(usable)} of them with an open licence"
        for offer in usable[:SHOWN]:
            licence = offer.licence.spdx if offer.licence else ""
            yield f"  {offer.id}: “{offer.title}” by {offer.creator}, {licence}, {offer.page}"
            try:
                if service.must_confirm:
                    found = named_in_page(fetcher.page(offer.page))
                    says = " and ".join(sorted(each.spdx if each else "another" for each in found))
                    yield f"    its page names: {says or 'no licence'}"
                image = open_image(fetcher.photo(offer.image))
                yield f"    downloaded: {image.width} x {image.height} pixels"
            except SketchZooError as error:
                yield f"    failed: {error}"

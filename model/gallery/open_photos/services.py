"""The services: the requests for photos of an animal, and the answers.

To add a service, write a class like these (see `Service`), add it to `services`, and write its
name into the column `source` of `assets/open_photos.csv`. For each animal, a download asks Commons
and the service in that column; it asks no other one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any, Protocol
from urllib.parse import urlencode

from model.gallery.open_photos.animals import Animal
from model.gallery.open_photos.licences import Licence, open_licence

LISTED = 200
"""Maximum number of photos of an animal to read from the lists of one service."""


@dataclass(frozen=True)
class Offer:
    """A photo that a service lists.

    Attributes:
        id: name of the service and its id there, such as `inaturalist-300000001`.
        image: URL of the picture.
        page: URL of the photo's web page.
        title: may be empty.
        creator: empty if unknown.
        licence: None if it is not open or not known.
        text: title, tags and categories; they may mention another subject.
        flaw: why the photo cannot be used, apart from its licence; empty if there is no reason.
    """

    id: str
    image: str
    page: str
    title: str
    creator: str
    licence: Licence | None
    text: str = ""
    flaw: str = ""


class Service(Protocol):
    """A service that lists photos.

    Attributes:
        name: short name, used in ids.
        hosts: hosts that it needs, with the seconds between two requests to each.
        must_confirm: whether the licence has to be checked on the photo's own page.
    """

    name: str
    hosts: dict[str, float]
    must_confirm: bool

    def urls(self, animal: Animal) -> Iterator[str]:
        """URLs of its lists of photos of an animal, best first."""

    def read(self, answer: Any) -> list[Offer]:
        """The photos in a list, in the order of the list."""


class INaturalist:
    """Photos of wild animals, most popular first. Its API v1 needs no key."""

    name = "inaturalist"
    hosts = {"api.inaturalist.org": 1.0, "inaturalist-open-data.s3.amazonaws.com": 1.0}  # noqa: RUF012
    must_confirm = False

    def urls(self, animal: Animal) -> Iterator[str]:
        if not animal.taxa:
            return
        asked = {
            "taxon_id": ",".join(animal.taxa),
            **({"without_taxon_id": ",".join(animal.without)} if animal.without else {}),
            "photos": "true",
            "sounds": "false",
            "photo_license": "cc0,cc-by,cc-by-sa",
            "quality_grade": "research",
            "captive": "false",
            "order_by": "votes",
            "order": "desc",
            "per_page": str(LISTED),
            "locale": "en",
        }
        yield f"https://api.inaturalist.org/v1/observations?{urlencode(asked)}&page=1"

    def read(self, answer: Any) -> list[Offer]:
        offers = []
        for record in _items(answer, "results"):
            creator = _text(record, "user", "name") or _text(record, "user", "login")
            title = _text(record, "taxon", "preferred_common_name") or _text(
                record, "taxon", "name"
            )
            for photo in _items(record, "photos"):
                number, code = photo.get("id"), photo.get("license_code")
                is_hidden = photo.get("hidden") or photo.get("flags")
                offers.append(
                    Offer(
                        id=f"{self.name}-{number}",
                        image=_text(photo, "url").replace("/square.", "/medium."),
                        page=f"https://www.inaturalist.org/photos/{number}",
                        title=title,
                        creator=creator,
                        licence=open_licence(code, "4.0"),
                        flaw="hidden or flagged" if is_hidden else "" if number else "no id",
                    )
                )
        return offers


class Openverse:
    """Photos of domestic animals on Flickr. Its API needs no key for a few requests.

    Openverse does not check licences, so each one is confirmed on the photo's own page.
    """

    name = "openverse"
    hosts = {"api.openverse.org": 3.1, "www.flickr.com": 1.0, ".staticflickr.com": 1.0}  # noqa: RUF012
    must_confirm = True

    PAGES = 10
    """Pages of 20 photos. The API gives at most 12 pages without a key."""

    def urls(self, animal: Animal) -> Iterator[str]:
        asked = {
            "q": animal.words,
            "license": "cc0,pdm,by,by-sa",
            "category": "photograph",
            "extension": "jpg",
            "source": "flickr",
            "mature": "false",
            "filter_dead": "true",
            "page_size": "20",
        }
        for page in range(1, self.PAGES + 1):
            yield f"https://api.openverse.org/v1/images/?{urlencode(asked)}&page={page}"

    def read(self, answer: Any) -> list[Offer]:
        offers = []
        for photo in _items(answer, "results"):
            number = _text(photo, "id")
            tags = [_text(tag, "name") for tag in _items(photo, "tags")]
            offers.append(
                Offer(
                    id=f"{self.name}-{number}",
                    image=_text(photo, "url"),
                    page=_text(photo, "foreign_landing_url"),
                    title=_text(photo, "title"),
                    creator=_text(photo, "creator"),
                    licence=open_licence(photo.get("license"), _text(photo, "license_version")),
                    text=" ".join([_text(photo, "title"), *tags]),
                    flaw="marked as mature" if photo.get("mature") else "" if number else "no id",
                )
            )
        return offers


class Commons:
    """Wikimedia Commons: featured and quality photos first. It requires a contact."""

    name = "commons"
    hosts = {  # noqa: RUF012
        "commons.wikimedia.org": 1.0,
        "thumb.wikimedia.org": 1.5,
        "upload.wikimedia.org": 1.5,
    }
    must_confirm = False

    QUALITY = ("Featured pictures on Wikimedia Commons", "Quality images", "Valued images")
    FIELDS = (
        "Artist|Attribution|License|LicenseShortName|LicenseUrl|Restrictions|NonFree|ObjectName|"
        "Categories"
    )

    def urls(self, animal: Animal) -> Iterator[str]:
        for quality in self.QUALITY:
            search = (
                f'"{animal.words}" incategory:"{quality}" filetype:bitmap filemime:jpeg '
                "filew:>1000 fileh:>700"
            )
            asked = {
                "action": "query",
                "format": "json",
                "formatversion": "2",
                "maxlag": "5",
                "generator": "search",
                "gsrnamespace": "6",
                "gsrlimit": "50",
                "gsrsearch": search,
                "prop": "imageinfo",
                "iiprop": "url|size|mime|sha1|user|extmetadata",
                "iiurlwidth": "960",
                "iiextmetadatafilter": self.FIELDS,
            }
            yield f"https://commons.wikimedia.org/w/api.php?{urlencode(asked)}"

    def read(self, answer: Any) -> list[Offer]:
        query = answer.get("query") if isinstance(answer, dict) else None
        pages = sorted(_items(query, "pages"), key=lambda page: page.get("index") or 0)
        return [self._offer(page) for page in pages]

    def _offer(self, page: dict[str, Any]) -> Offer:
        info = next(iter(_items(page, "imageinfo")), {})
        told = {
            name: _plain(_text(info, "extmetadata", name, "value"))
            for name in self.FIELDS.split("|")
        }
        number, title = page.get("pageid"), _text(page, "title").removeprefix("File:")
        licence = open_licence(told["License"])
        creator = told["Attribution"] or told["Artist"]
        if told["NonFree"] or told["Restrictions"]:
            flaw = "restricted"
        elif _text(info, "mime") != "image/jpeg" or not number:
            flaw = "no photo"
        else:
            flaw = ""
        return Offer(
            id=f"{self.name}-{number}",
            image=_text(info, "thumburl").partition("?")[0],
            page=_text(info, "descriptionurl"),
            title=told["ObjectName"] or title,
            creator="" if creator.lower() == "unknown" else creator,
            licence=licence,
            text=f"{title} {told['Categories'].replace('|', ' ')}",
            flaw=flaw,
        )


def services(contact: str) -> dict[str, Service]:
    """The available services by name. Commons is only included if there is a contact."""
    known: list[Service] = [INaturalist(), Openverse()]
    return {each.name: each for each in (*known, *([Commons()] if contact else []))}


def _items(found: Any, name: str) -> list[dict[str, Any]]:
    """The objects in a list of an answer; empty if the answer has another form."""
    items = found.get(name) if isinstance(found, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(found: Any, *names: str) -> str:
    """A text inside an answer; empty if it is missing or not a text."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    # JSON may hold halves of characters (surrogates), which neither URLs nor SQLite take.
    text = found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""
    return " ".join(text.split())


def _plain(text: str) -> str:
    """The visible text of HTML."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", text)).split())

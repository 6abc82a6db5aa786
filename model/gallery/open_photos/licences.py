"""The open licences, and how services write them."""

import re
from dataclasses import dataclass

CC = "https://creativecommons.org"
_VERSIONED = re.compile(r"(by|by-sa)[- ]([1-4]\.\d)(?:[- ]([a-z]{2}))?$")


@dataclass(frozen=True)
class Licence:
    """An open licence: CC0, public domain, CC BY or CC BY-SA.

    Attributes:
        spdx: its SPDX id, such as `CC-BY-SA-4.0`.
        url: address of its text.
    """

    spdx: str
    url: str


CC0 = Licence("CC0-1.0", f"{CC}/publicdomain/zero/1.0/")
PUBLIC_DOMAIN = Licence("CC-PDM-1.0", f"{CC}/publicdomain/mark/1.0/")


def open_licence(code: object, version: str = "") -> Licence | None:
    """The licence that a service means; None if it is not open or not known.

    Args:
        code: the service's text, such as `cc0`, `pd`, `cc-by`, `by-sa`, `CC BY-SA 4.0` or
            `cc-by-sa-3.0-de`.
        version: the version, if the code does not contain it.
    """
    if not isinstance(code, str):
        return None
    text = code.strip().lower()
    if text in ("cc0", "cc0-1.0"):
        return CC0
    if text in ("pd", "pdm"):
        return PUBLIC_DOMAIN
    text = text.removeprefix("cc-").removeprefix("cc ").replace("by sa", "by-sa")
    found = _VERSIONED.fullmatch(
        text if text[-1:].isdigit() or not version else f"{text}-{version}"
    )
    if found is None:
        return None
    kind, number, place = found.groups()
    spdx = "-".join(["CC", kind.upper(), number, *([place.upper()] if place else [])])
    country = f"{place}/" if place else ""
    return Licence(spdx, f"{CC}/licenses/{kind}/{number}/{country}")


def named_in_page(page: str) -> set[Licence | None]:
    """The licences of all links with `rel="license"` in a web page; None for those not open."""
    found: set[Licence | None] = set()
    for tag in re.findall(r"<(?:a|link)\b[^>]*>", page, re.IGNORECASE):
        if not re.search(r"\brel\s*=\s*[\"'][^\"']*\blicense\b", tag, re.IGNORECASE):
            continue
        address = re.search(r"\bhref\s*=\s*[\"']([^\"']*)", tag, re.IGNORECASE)
        found.add(_of_address(address[1] if address else ""))
    return found


def _of_address(address: str) -> Licence | None:
    """The licence whose text is at this address of Creative Commons."""
    path = re.match(r"(?:https?:)?//(?:www\.)?creativecommons\.org/([^?#]*)", address)
    parts = path[1].rstrip("/").split("/") if path else []
    if parts[:2] == ["publicdomain", "zero"]:
        return CC0
    if parts[:2] == ["publicdomain", "mark"]:
        return PUBLIC_DOMAIN
    if parts[:1] == ["licenses"] and len(parts) in (3, 4):
        return open_licence("-".join(parts[1:]))
    return None

"""Cleans texts that people read: labels, credits, licences."""

import unicodedata

MAX_LENGTH = 300
"""Characters of a label, a credit or a licence. Longer texts are cut."""


def composed(text: str) -> str:
    """Normalises a text to Unicode's NFC. File names on macOS are often decomposed (NFD)."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """Normalises a text to one line of printable characters of at most `MAX_LENGTH`."""
    printable = "".join(letter if letter.isprintable() else " " for letter in composed(text))
    return " ".join(printable.split())[:MAX_LENGTH]

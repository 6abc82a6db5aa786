"""Texts that people read: labels, credits, licences."""

import unicodedata

LONGEST = 300
"""Letters that are kept of a label, a credit or a licence."""


def composed(text: str) -> str:
    """A text in Unicode's form NFC; names of files on macOS are often decomposed (NFD)."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """A text for a label or a credit: one line of what can be shown, composed, not too long."""
    shown = "".join(letter if letter.isprintable() else " " for letter in composed(text))
    return " ".join(shown.split())[:LONGEST]

"""The documents: their links lead somewhere, and their commands exist."""

import io
import re
import shlex
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import pytest

import app
from train.__main__ import main

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "checkpoints/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """What links to its headings end with, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def commands(document: Path) -> list[list[str]]:
    """Commands of the app and of training in a document's code blocks, as words."""
    lines = re.sub(r"\\\n +", "", document.read_text()).splitlines()
    code = (line.strip().removeprefix("$ ") for line in lines if line.startswith("    "))
    starts = ("python app.py", "python -m train ")
    return [shlex.split(line, comments=True) for line in code if line.startswith(starts)]


@cache
def options(*command: str) -> frozenset[str]:
    """The options that `--help` of a command names."""
    run = app.main if command == ("app.py",) else main
    words = ["--help"] if command == ("app.py",) else [*command, "--help"]
    with redirect_stdout(io.StringIO()) as said, suppress(SystemExit):
        run(words)
    return frozenset(re.findall(r"--[\w-]+", said.getvalue()))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)\s]+)\)", prose(document))
    for link in links:
        path, _, heading = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def test_commands_have_the_options_that_the_documents_give_them() -> None:
    found = [words for document in DOCUMENTS for words in commands(document)]
    assert len(found) > 40
    for words in found:
        names = 2 if words[3:4] == ["download"] else 1
        command = ("app.py",) if words[1] == "app.py" else tuple(words[3 : 3 + names])
        given = {word for word in words if word.startswith("--")}
        assert given <= options(*command), shlex.join(words)


def test_the_readme_is_for_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150

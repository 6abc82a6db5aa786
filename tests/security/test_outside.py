"""The server connects to nobody, and the repository holds no secret."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from model.search.search import SketchSearch
from tests.harness.apps import ROOT, running_app

TEXT = {".py", ".md", ".txt", ".toml", ".json", ".js", ".html", ".css", ".csv", ".lock", ""}

WATCHED = """
import os, runpy, sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        with open(os.environ["ASKED"], "a") as file:
            print(event, *map(str, arguments), file=file)
sys.addaudithook(watch)
sys.argv = sys.argv[1:]
sys.path.insert(0, ".")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_server_connects_to_no_other_host(
    search: SketchSearch, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watches all name lookups and connections from the start."""
    (tmp_path / "watched.py").write_text(WATCHED)
    asked = tmp_path / "asked.txt"
    asked.write_text("")
    monkeypatch.setenv("ASKED", str(asked))
    command = ("--checkpoint", place / "checkpoint", "--photos", place / "photos")
    with running_app(
        tmp_path / "watched.py", "app.py", *command, "--galleries", place / "galleries"
    ) as address:
        stroke = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.8]]}
        body = json.dumps({"data": [[stroke], 1, None, None, None, None, None, None]})
        url = f"{address}/gradio_api/run/search_strokes"
        ask = ["curl", "-sS", "-H", "Content-Type: application/json", "-d", body, url]
        assert b'"rank"' in subprocess.run(ask, capture_output=True, check=True).stdout
    # Binding to 127.0.0.1 looks that name up without asking anybody.
    local = re.compile(r"127\.0\.0\.1|localhost|::1")
    assert [line for line in asked.read_text().splitlines() if not local.search(line)] == []


def test_the_repository_holds_no_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    secret = re.compile(
        rb"-----BEGIN [A-Z ]*PRIVATE KEY|\bhf_[A-Za-z]{30,}|\bghp_\w{30,}|\bAKIA[0-9A-Z]{16}\b"
        rb"|\bsk-[A-Za-z0-9]{30,}|(?i:password|api_key|token)\s*=\s*[\"'][^\"']{8,}[\"']"
    )
    found = [
        name
        for name in listed.stdout.splitlines()
        if (ROOT / name).suffix in TEXT and secret.search((ROOT / name).read_bytes())
    ]
    assert found == []


def test_every_deployed_package_is_pinned_by_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", "")
    packages = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(packages) > 50
    assert all(
        re.match(r"[\w.-]+==[\w.+]+ .*--hash=sha256:[0-9a-f]{64}", line) for line in packages
    )
    assert "://" not in text
    wanted = (ROOT / "requirements-serve.txt").read_text(encoding="utf-8").split()
    assert {line.split()[0] for line in packages} >= set(wanted)

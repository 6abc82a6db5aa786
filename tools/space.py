"""Builds and runs the app as Hugging Face Spaces would, and says whether it would do there.

python tools/space.py            a fresh copy, a fresh environment, behind a proxy and a prefix
python tools/space.py --keep DIR the same in DIR, whose environment is used again the next time

The files that git tracks are copied. A Space installs requirements.txt, so requirements-serve.txt
takes its place: it does without PyTorch. `python app.py` is started twice with the variables of a
Space: once to index the gallery, once to be measured. DIR is then what to push to a Space.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PREFIX = "/spaces/zoo"
HOST = "someone-sketchzoo.hf.space"
START_SECONDS, MEMORY_MB = 30.0, 2000.0
"""Limits for a start with the gallery indexed, and for the memory after a search."""


class Failure(Exception):
    """What would not do in a Space."""


def front_matter(readme: str) -> dict[str, str]:
    """The settings of a Space at the top of its README."""
    found = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if found is None:
        raise Failure("README.md does not begin with the settings of a Space.")
    pairs = (line.split(":", 1) for line in found[1].splitlines())
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def check_settings(folder: Path) -> None:
    """Raises Failure where the settings do not fit the files."""
    settings = front_matter((folder / "README.md").read_text(encoding="utf-8"))
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if settings.get("sdk") != "gradio" or f"gradio=={settings.get('sdk_version')}" not in pinned:
        raise Failure("sdk_version in README.md is not the gradio of requirements.txt.")
    if not (folder / settings.get("app_file", "")).is_file():
        raise Failure("app_file in README.md is not there.")
    loose = [line for line in pinned if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    if loose:
        raise Failure(f"requirements.txt does not pin {', '.join(loose)}.")
    if not (folder / "packages.txt").read_text(encoding="utf-8").split():
        raise Failure("packages.txt names no package.")


def copy_tracked(folder: Path) -> None:
    """Copies what git tracks, as it is in the working tree, with the requirements of a Space."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    shutil.copy2(ROOT / "requirements-serve.txt", folder / "requirements.txt")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(python: Path, folder: Path, port: int) -> Iterator[tuple[int, float]]:
    """Runs app.py as a Space does; yields its process id, and the seconds until it answers."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")},
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ROOT_PATH": PREFIX,
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    began = time.monotonic()
    process = subprocess.Popen([python, "app.py"], cwd=folder, env=environment)
    try:
        while True:
            if process.poll() is not None:
                raise Failure(f"app.py has ended with {process.returncode}.")
            if time.monotonic() - began > 600:
                raise Failure("app.py does not answer within 10 minutes.")
            try:
                if ask(port, "GET", "/healthz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.2)
        yield process.pid, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """The status and the body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = None if body is None else json.dumps(body)
    headers = {"Host": HOST, "Content-Type": "application/json"}
    try:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def proxy(port: int) -> Iterator[int]:
    """A proxy as in front of a Space: it takes the prefix away and says whom it asks for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            inner = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = {
                "Content-Type": self.headers.get("Content-Type", ""),
                "X-Forwarded-For": "203.0.113.7",
                "X-Forwarded-Host": HOST,
                "X-Forwarded-Proto": "https",
                "Origin": f"https://{HOST}",
            }
            inner.request(self.command, self.path.removeprefix(PREFIX) or "/", body, told)
            answer = inner.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            inner.close()

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def check_app(port: int) -> int:
    """Asks the app through a proxy what a visitor would; returns the number of photos.

    Raises:
        Failure: an answer is not what it should be.
    """
    with proxy(port) as outer:
        status, health = ask(outer, "GET", f"{PREFIX}/healthz")
        if status != 200:
            raise Failure(f"/healthz answers {status}.")
        status, page = ask(outer, "GET", f"{PREFIX}/")
        if status != 200 or f"https://{HOST}{PREFIX}".encode() not in page:
            raise Failure("The page does not know the address that it is served at.")
        for asset in ("sketchzoo/js/board.js", "theme.css", "map.json"):
            if ask(outer, "GET", f"{PREFIX}/{asset}")[0] != 200:
                raise Failure(f"{asset} cannot be had behind the prefix.")
        examples = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
        call = f"{PREFIX}/gradio_api/call/search_strokes"
        query = [examples[0]["strokes"], 12, None, None, None, None, None, None]
        status, event = ask(outer, "POST", call, {"data": query})
        if status != 200:
            raise Failure(f"A search answers {status}: {event.decode()[:200]}")
        _, found = ask(outer, "GET", f"{call}/{json.loads(event)['event_id']}")
        if found.count(b'"rank"') != 12:
            raise Failure(f"A search does not find 12 photos: {found.decode()[:200]}")
    photos: int = json.loads(health)["photos"]
    return photos


def peak_megabytes(process: int) -> float:
    """The most memory that a process has had, as Linux counts it."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def try_space(folder: Path) -> None:
    """Does it all in a folder, and prints what was measured.

    Raises:
        Failure, subprocess.CalledProcessError: it would not do in a Space.
    """
    copy_tracked(folder)
    check_settings(folder)
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    began = time.monotonic()
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-q",
    ]
    subprocess.run([*install, "-r", folder / "requirements.txt"], check=True)
    print(f"installed in {time.monotonic() - began:.0f} s", flush=True)
    with running(python, folder, free_port()) as (_, seconds):
        print(f"first start, with indexing: {seconds:.1f} s", flush=True)
    port = free_port()
    with running(python, folder, port) as (process, seconds):
        photos = check_app(port)
        memory = peak_megabytes(process)
    print(f"warm start: {seconds:.1f} s; {photos} photos; at most {memory:.0f} MB", flush=True)
    if seconds > START_SECONDS:
        raise Failure(f"A warm start takes over {START_SECONDS:.0f} s.")
    if memory > MEMORY_MB:
        raise Failure(f"The app takes over {MEMORY_MB:.0f} MB.")


def main(argv: list[str] | None = None) -> int:
    """Tries it; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and leave it there")
    keep = parser.parse_args(argv).keep
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            try_space(keep.resolve())
        else:
            with tempfile.TemporaryDirectory(prefix="sketchzoo-space-") as folder:
                try_space(Path(folder))
    except (Failure, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("It would do in a Space.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

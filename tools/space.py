"""Builds and runs the app as Hugging Face Spaces does, and checks that it works there.

python tools/space.py             in a new copy with a new environment
python tools/space.py --keep DIR  in DIR, whose environment is used again the next time

Copies the files that git tracks. A Space installs requirements.txt, so the copy holds
requirements-serve.txt, which is without PyTorch, under that name. Starts `python app.py` twice with
the variables of a Space: first to index the gallery, then behind a proxy with a prefix to measure
it. Afterwards, DIR is ready to be pushed to a Space.
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
"""Limits for the start with an indexed gallery, and for the peak memory with a search."""


class SpaceError(Exception):
    """The app would not work in a Space."""


def front_matter(readme: str) -> dict[str, str]:
    """The settings of a Space: the front matter of its README."""
    found = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if found is None:
        raise SpaceError("README.md does not begin with the settings of a Space.")
    pairs = (line.split(":", 1) for line in found[1].splitlines())
    return {key.strip(): value.strip().strip('"') for key, value in pairs}


def check_settings(folder: Path) -> None:
    """Raises SpaceError if the settings do not fit the files."""
    settings = front_matter((folder / "README.md").read_text(encoding="utf-8"))
    pinned = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if settings.get("sdk") != "gradio" or f"gradio=={settings.get('sdk_version')}" not in pinned:
        raise SpaceError(
            "sdk_version in README.md is not the version of gradio in requirements.txt."
        )
    if not (folder / settings.get("app_file", "")).is_file():
        raise SpaceError("The app_file of README.md does not exist.")
    loose = [line for line in pinned if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    if loose:
        raise SpaceError(f"requirements.txt does not pin {', '.join(loose)}.")
    if not (folder / "packages.txt").read_text(encoding="utf-8").split():
        raise SpaceError("packages.txt is empty.")


def copy_tracked(folder: Path) -> None:
    """Copies tracked files from the working tree, with the requirements of a Space."""
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
    """Runs app.py as a Space does; yields its process id and the seconds until it answers."""
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
                raise SpaceError(f"app.py has stopped with exit code {process.returncode}.")
            if time.monotonic() - began > 600:
                raise SpaceError("app.py does not answer within 10 minutes.")
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
    """Sends a request; returns status and body of the answer."""
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
    """A proxy as in front of a Space: it removes the prefix and forwards the visitor's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            inner = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                "Content-Type": self.headers.get("Content-Type", ""),
                "X-Forwarded-For": "203.0.113.7",
                "X-Forwarded-Host": HOST,
                "X-Forwarded-Proto": "https",
                "Origin": f"https://{HOST}",
            }
            path = self.path.removeprefix(PREFIX) or "/"
            inner.request(self.command, path, body, headers)
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
    """Sends the requests of a visitor through a proxy; returns the number of photos.

    Raises:
        SpaceError: an answer is wrong.
    """
    with proxy(port) as outer:
        status, health = ask(outer, "GET", f"{PREFIX}/healthz")
        if status != 200:
            raise SpaceError(f"/healthz answers {status}.")
        status, page = ask(outer, "GET", f"{PREFIX}/")
        if status != 200 or f"https://{HOST}{PREFIX}".encode() not in page:
            raise SpaceError("The page does not know its own address.")
        for asset in ("sketchzoo/js/board.js", "theme.css", "map.json"):
            if ask(outer, "GET", f"{PREFIX}/{asset}")[0] != 200:
                raise SpaceError(f"{asset} cannot be fetched behind the prefix.")
        examples = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
        call = f"{PREFIX}/gradio_api/call/search_strokes"
        query = [examples[0]["strokes"], 12, None, None, None, None, None, None]
        status, event = ask(outer, "POST", call, {"data": query})
        if status != 200:
            raise SpaceError(f"A search answers {status}: {event.decode()[:200]}")
        _, found = ask(outer, "GET", f"{call}/{json.loads(event)['event_id']}")
        if found.count(b'"rank"') != 12:
            raise SpaceError(f"A search does not find 12 photos: {found.decode()[:200]}")
    photos: int = json.loads(health)["photos"]
    return photos


def peak_megabytes(process: int) -> float:
    """Peak memory of a process (Linux)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def try_space(folder: Path) -> None:
    """Does all steps in a folder, and prints what was measured.

    Raises:
        SpaceError: the app would not work in a Space.
        subprocess.CalledProcessError: a command has failed.
    """
    copy_tracked(folder)
    check_settings(folder)
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    began = time.monotonic()
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, "-r", folder / "requirements.txt"], check=True)
    print(f"installed in {time.monotonic() - began:.0f} s", flush=True)
    with running(python, folder, free_port()) as (_, seconds):
        print(f"first start, with indexing: {seconds:.1f} s", flush=True)
    port = free_port()
    with running(python, folder, port) as (process, seconds):
        photos = check_app(port)
        memory = peak_megabytes(process)
    print(f"warm start: {seconds:.1f} s; {photos} photos; at most {memory:.0f} MB", flush=True)
    if seconds > START_SECONDS:
        raise SpaceError(f"A warm start takes more than {START_SECONDS:.0f} s.")
    if memory > MEMORY_MB:
        raise SpaceError(f"The app takes more than {MEMORY_MB:.0f} MB.")


def main(argv: list[str] | None = None) -> int:
    """Runs all steps; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and keep it")
    keep = parser.parse_args(argv).keep
    try:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            try_space(keep.resolve())
        else:
            with tempfile.TemporaryDirectory(prefix="sketchzoo-space-") as folder:
                try_space(Path(folder))
    except (SpaceError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("The app works in a Space.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the app and real proxies as processes, and the configurations of the proxies."""

import os
import re
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.harness.apps import ROOT, free_port

SITE = "zoo.example.org"


class App:
    """A running app: its port and the file of its log."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log


@contextmanager
def running(command: Sequence[str | Path], log: Path, address: str, **names: str) -> Iterator[None]:
    """Runs a server, once something answers at its address."""
    with log.open("w") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", **names},
            stdout=file,
            stderr=file,
        )
        try:
            wait_for(process, address, log)
            yield
        finally:
            process.terminate()
            process.wait(20)


def wait_for(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    insecure = ssl._create_unverified_context()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5, context=insecure).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer: {log.read_text()}")


@contextmanager
def proxied(config: str, app: App, place: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Runs nginx or Caddy with a part of a configuration; yields scheme and port."""
    port = free_port()
    is_caddy = "reverse_proxy" in config
    is_secure = "ssl" in config or (is_caddy and "http://" not in config)
    scheme = "https" if is_secure else "http"
    config = config.replace("127.0.0.1:7860", f"127.0.0.1:{app.port}")
    if is_caddy:
        # A made-up name gets no public certificate, so the proxy uses our own.
        address = re.compile(rf"^(?:http://)?{re.escape(SITE)} \{{", re.MULTILINE)
        tls = f"\n    tls {place / 'zoo.pem'} {place / 'zoo.key'}" if is_secure else ""
        config = address.sub(
            f"{scheme}://{SITE}:{port}, {scheme}://127.0.0.1:{port} {{{tls}", config
        )
        config = f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{config}"
        file = folder / "Caddyfile"
        command: list[str | Path] = ["caddy", "run", "--adapter", "caddyfile", "--config", file]
    else:
        config = re.sub(r"listen \d+", f"listen {port}", config)
        config = config.replace("/etc/ssl/", f"{place}/")
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            config = f"{kind}_temp_path {folder / kind};\n{config}"
        config = f"error_log stderr;\npid {folder / 'pid'};\nevents {{}}\nhttp {{\n{config}}}\n"
        user = (
            "user root;\n" if os.getuid() == 0 else ""
        )  # Its own user could not write below tmp_path.
        config = f"{user}daemon off;\n{config.replace('http {', 'http { access_log off;')}"
        file = folder / "nginx.conf"
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        command = [nginx, "-e", "stderr", "-p", folder, "-c", file]
    file.write_text(config)
    home = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, folder / "proxy.log", f"{scheme}://127.0.0.1:{port}/", **home):
        yield scheme, port


def documented() -> dict[str, str]:
    """The configurations in docs/serving.md, and their variants with and without TLS."""
    text = (ROOT / "docs" / "serving.md").read_text()
    root, below = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    caddy, caddy_below = re.findall(r"```caddy\n(.*?)```", text, re.DOTALL)
    tls = re.search(r"    listen 443 ssl;\n.*?zoo\.key;\n", below, re.DOTALL)
    assert tls
    http = "    listen 80;\n    server_name zoo.example.org;\n"
    return {
        "nginx http": root,
        "nginx https": root.replace(http, tls[0]),
        "nginx http /zoo/": below.replace(tls[0], http),
        "nginx https /zoo/": below,
        "caddy https": caddy,
        "caddy http": caddy.replace(SITE, f"http://{SITE}"),
        "caddy http /zoo/": caddy_below,
        "caddy https /zoo/": caddy_below.replace(f"http://{SITE}", SITE),
    }


def nginx(*settings: str, location: str = "/", listen: str = "80", to: str = "") -> str:
    """A minimal configuration, as people write it first."""
    tls = "ssl_certificate /etc/ssl/zoo.pem; ssl_certificate_key /etc/ssl/zoo.key;"
    lines = [f"proxy_pass http://127.0.0.1:7860{to};", *settings]
    return (
        f"server {{ listen {listen}; server_name {SITE}; {tls if 'ssl' in listen else ''}\n"
        f"location {location} {{ {' '.join(lines)} }} }}\n"
    )


CARELESS = {
    "http, nothing set": nginx(),
    "http, Host without the port": nginx("proxy_set_header Host $host;"),
    "http, Host without the port, forwarded": nginx(
        "proxy_set_header Host $host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_http_version 1.1;",
    ),
    "https, nothing set": nginx(listen="443 ssl"),
    "https, Host without the port": nginx("proxy_set_header Host $host;", listen="443 ssl"),
    "http /zoo/, nothing set": nginx(location="/zoo/", to="/"),
    "https /a/zoo/, nothing set": nginx(location="/a/zoo/", to="/", listen="443 ssl"),
}


def below(config: str) -> str:
    found = re.search(r"(?:location|handle_path) (\S*zoo/)", config)
    return found[1] if found else "/"

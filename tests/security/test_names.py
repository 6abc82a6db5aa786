"""Names of other sites that resolve to this machine (DNS rebinding)."""

import http.client
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from server.application import build_app
from server.environment import OWN_FOLDER
from server.galleries import Galleries
from server.middleware.allowed_hosts import own_names
from tests.harness.apps import free_port, running_process

PORT = 7860


@pytest.fixture(scope="module")
def alone(galleries: Galleries, place: Path) -> TestClient:
    """The app as it serves only its own machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(place / OWN_FOLDER))
        built = build_app(galleries, rate=0, names=["zoo.example.org"])
    return TestClient(built, base_url=f"http://127.0.0.1:{PORT}")


def status(client: TestClient, host: str, path: str = "/map.json", **more: str) -> int:
    headers = {"Host": host, **{name.replace("_", "-"): value for name, value in more.items()}}
    return client.get(path, headers=headers).status_code


@pytest.mark.parametrize("path", ["/", "/map.json", "/photos/0", "/thumbnails/0", "/config"])
@pytest.mark.parametrize(
    "host", [f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", "evil.example"]
)
def test_a_foreign_name_is_refused(alone: TestClient, host: str, path: str) -> None:
    assert status(alone, host, path) == 403


def test_headers_that_a_script_can_set_do_not_help(alone: TestClient) -> None:
    added = {"X_Forwarded_For": "127.0.0.1", "X_Forwarded_Host": "localhost", "Via": "1.1 me"}
    assert status(alone, f"evil.example:{PORT}", **added, X_Requested_With="SketchZoo") == 403
    answer = alone.post("/board/search", json={}, headers={"Host": f"evil.example:{PORT}"})
    assert answer.status_code == 403
    assert "another name" in answer.json()["error"]


@pytest.mark.parametrize(
    "host",
    [
        *(f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}", f"zoo.localhost:{PORT}"),
        *(f"LOCALHOST:{PORT}", f"10.0.0.7:{PORT}", f"desk:{PORT}", f"zoo.example.org:{PORT}"),
        *("zoo.example.org", "sketches.example:8080"),
    ],
)
def test_own_names_addresses_and_other_ports_are_served(alone: TestClient, host: str) -> None:
    assert status(alone, host) == 200


def test_a_proxy_that_omits_the_port_is_served(alone: TestClient) -> None:
    assert status(alone, "sketches.example", X_Forwarded_For="9.9.9.9") == 200


def test_on_port_80_a_script_cannot_pose_as_a_proxy(galleries: Galleries) -> None:
    """Browsers leave this port out of `Host`."""
    app = TestClient(build_app(galleries, rate=0, names=[]), base_url="http://127.0.0.1:80")
    assert status(app, "evil.example", X_Forwarded_For="9.9.9.9") == 403
    assert status(app, "evil.example:80") == 403
    assert status(app, "127.0.0.1") == status(app, "sketches.example:8080") == 200


def test_an_app_that_other_machines_reach_may_have_any_name() -> None:
    assert own_names("127.0.0.1") == own_names("localhost") == own_names("::1") == []
    assert own_names("0.0.0.0") is own_names("10.0.0.7") is None


def test_the_app_itself_refuses_a_foreign_name() -> None:
    port = free_port()
    with running_process("app.py", port=port):
        for host, expected in ((f"evil.example:{port}", 403), (f"localhost:{port}", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/map.json", headers={"Host": host})
            assert connection.getresponse().status == expected
            connection.close()

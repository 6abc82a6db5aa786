"""Cross-site requests, the rate limit and forged addresses."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

import app
from server.middleware.forwarded import ForwardedFor, client, read_proxies
from server.middleware.rate_limit import RateLimit, TokenBuckets
from tests.harness.loops import in_a_loop

STROKE = {"width": 0.02, "points": [[0.2, 0.2], [0.8, 0.8]]}
BODY = {"data": [[STROKE], 1, None, None, None, None, None, None]}
SEARCH = "/gradio_api/run/search_strokes"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.testserver"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "http://testserver:8080"},
        {"Sec-Fetch-Site": "cross-site", "X-Forwarded-Host": "evil.example"},
    ],
)
def test_cross_site_requests_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(SEARCH, json=BODY, headers=headers).status_code == 403
    upload = client.post("/gradio_api/upload", files={"files": ("a.png", b"x")}, headers=headers)
    assert upload.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
        {"Origin": "http://testserver"},
        {"Origin": "https://me-zoo.hf.space", "X-Forwarded-Host": "me-zoo.hf.space"},
        {"Origin": "https://me-zoo.hf.space", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_the_page_and_programs_are_served(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(SEARCH, json=BODY, headers=headers).status_code == 200


def test_another_site_may_not_read_answers(client: TestClient) -> None:
    origin = {"Origin": "https://evil.example"}
    for path in ("/", "/config", "/map.json", "/thumbnails/0", "/healthz"):
        answer = client.get(path, headers=origin)
        assert not [name for name in answer.headers if name.startswith("access-control-allow-o")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    asked = origin | {"Access-Control-Request-Method": "POST"}
    assert client.options(SEARCH, headers=asked).status_code in (400, 403)


def test_a_client_above_its_rate_has_to_wait(limited: Callable[[float, str], TestClient]) -> None:
    client = limited(2, "")
    codes = [client.post(SEARCH, json=BODY).status_code for _ in range(14)]
    assert codes == [200] * 10 + [429] * 4
    refused = client.post(SEARCH, json=BODY)
    assert refused.headers["retry-after"] == "1"
    assert "Wait a moment" in refused.json()["error"]
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_a_forged_address_does_not_evade_the_limit(
    limited: Callable[[float, str], TestClient],
) -> None:
    client = limited(1, "")
    codes = [
        client.post(SEARCH, json=BODY, headers={"X-Forwarded-For": f"9.9.9.{i}"}).status_code
        for i in range(8)
    ]
    assert 429 in codes


def test_behind_a_proxy_each_client_has_its_own_limit(
    limited: Callable[[float, str], TestClient],
) -> None:
    client = limited(1, "*")

    def ask(forwarded: str) -> int:
        return client.post(SEARCH, json=BODY, headers={"X-Forwarded-For": forwarded}).status_code

    assert 429 in [ask(f"1.2.3.{i}, 9.9.9.9") for i in range(8)]
    assert ask("9.9.9.9, 8.8.8.8") == 200


def scope(peer: str, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "client": (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    "peer, forwarded, proxies, expected",
    [
        ("1.1.1.1", ["2.2.2.2"], "", "1.1.1.1"),
        ("1.1.1.1", ["2.2.2.2"], "3.3.3.3", "1.1.1.1"),
        ("10.0.0.9", ["6.6.6.6, 2.2.2.2"], "10.0.0.0/8", "2.2.2.2"),
        ("10.0.0.9", ["6.6.6.6, 2.2.2.2, 10.0.0.7"], "10.0.0.0/8", "2.2.2.2"),
        ("10.0.0.9", ["6.6.6.6", "2.2.2.2"], "10.0.0.0/8, 7.7.7.7", "2.2.2.2"),
        ("10.0.0.9", [], "10.0.0.0/8", "10.0.0.9"),
        ("5.5.5.5", ["6.6.6.6, 2.2.2.2"], "*", "2.2.2.2"),
        ("2001:db8:1:2:aaaa::1", [], "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", [], "", "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", [], "", "1.2.3.4"),
        ("testclient", ["2.2.2.2"], "10.0.0.0/8", "testclient"),
        ("10.0.0.9", ["x" * 5000], "10.0.0.0/8", "x" * 64),
        ("10.0.0.9", ["2.2.2.2:5678"], "10.0.0.0/8", "2.2.2.2"),
        ("10.0.0.9", ["2.2.2.2, 10.0.0.7:80"], "10.0.0.0/8", "2.2.2.2"),
        ("10.0.0.9", ["[2001:db8:1:2::3]:5678"], "10.0.0.0/8", "2001:db8:1:2::/64"),
        ("10.0.0.9", ["[2001:db8:1:2::3]"], "10.0.0.0/8", "2001:db8:1:2::/64"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: list[str], proxies: str, expected: str
) -> None:
    clients = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        clients.append(client.get())

    middleware: Any = ForwardedFor(app, read_proxies(proxies))
    in_a_loop(middleware(scope(peer, *forwarded), None, None))
    assert clients == [expected]


@pytest.mark.parametrize("text", ["nginx", "10.0.0.0/33", "127.0.0.1,*", "10.0.0.7, nginx"])
def test_a_wrong_proxy_is_an_error_at_the_start(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["--proxy", text, "--port", "0"]) == 1
    wrong = text.split(",")[-1].strip()
    assert f"{wrong} is no address or network of a proxy" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "many"])
def test_a_wrong_rate_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app.parse_arguments([f"--rate={text}"])
    assert "--rate" in capsys.readouterr().err


def test_a_low_rate_still_allows_a_first_search() -> None:
    now = 0.0
    limit = RateLimit(lambda *_: None, rate=0.1)  # type: ignore[arg-type]
    limit.buckets.clock = lambda: now
    assert [limit.buckets.take("a"), limit.buckets.take("a")] == [0, pytest.approx(10)]
    now = 10.0
    assert limit.buckets.take("a") == 0


def test_a_bucket_fills_again_at_its_rate() -> None:
    now = 0.0
    buckets = TokenBuckets(rate=4, burst=8, clock=lambda: now)
    assert [buckets.take("a") for _ in range(9)] == [0] * 8 + [0.25]
    assert buckets.take("b") == 0
    now = 0.5
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.25]
    now = 100
    assert [buckets.take("a") for _ in range(9)].count(0) == 8


def test_a_person_who_draws_thirty_times_a_second_never_waits() -> None:
    now = 0.0
    buckets = TokenBuckets(rate=60, burst=300, clock=lambda: now)
    assert not any(buckets.take("a", 0.02) for _ in range(150))
    for _ in range(30 * 60):
        now += 1 / 30
        assert buckets.take("a") == 0
        assert not any(buckets.take("a", 0.02) for _ in range(12))


def test_memory_does_not_grow_with_the_number_of_addresses() -> None:
    buckets = TokenBuckets(rate=1, burst=2, max_clients=1000, clock=lambda: 0)
    buckets.take("first")
    for number in range(100_000):
        buckets.take(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        if number % 500 == 0:
            buckets.take("first")
    assert len(buckets) == 1000
    assert buckets.take("first") > 0

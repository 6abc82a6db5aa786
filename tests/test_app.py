"""The command line."""

import errno
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import app
from model.errors import SketchZooError
from server.lifecycle import check_port
from server.open_photos import OpenPhotosFetcher


def test_mcp_is_an_option_or_an_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GRADIO_MCP_SERVER", raising=False)
    assert not app.parse_arguments([]).mcp
    assert app.parse_arguments(["--mcp"]).mcp
    monkeypatch.setenv("GRADIO_MCP_SERVER", "True")
    assert app.parse_arguments([]).mcp


def test_a_wrong_port_or_host_is_a_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 1
        assert app.main(["--port", "99999"]) == 1
        assert app.main(["--port", "0", "--host", "no.such.host.invalid"]) == 1
    error = capsys.readouterr().err
    assert "99999 is no port" in error
    assert "no.such.host.invalid is no address" in error
    assert f"Port {port} on 127.0.0.1 cannot be used" in error
    assert "--port" in error


def test_ipv6_that_the_kernel_lacks_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr("socket.socket", unsupported)
    with pytest.raises(SketchZooError, match="on :: cannot be used: Address family not supported"):
        check_port("::", 7860)


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("told", "code"), [(interrupt, 130), (terminate, 0)])
def test_an_end_while_gradio_is_imported_ends_the_fetching_too(
    told: Callable[[], None],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetcher = OpenPhotosFetcher(["-c", "import time; time.sleep(600)"], tmp_path, ["ant"], 40)

    def build_app(*_: object, **__: object) -> None:
        while fetcher._process is None:
            time.sleep(0.01)
        told()

    monkeypatch.setattr(app, "open_galleries", lambda *_, **__: None)
    monkeypatch.setattr(app, "open_photos_fetcher", lambda *_: fetcher)
    monkeypatch.setattr(app, "build_app", build_app)
    before = signal.getsignal(signal.SIGTERM)
    ended: object
    try:
        ended = app.main(["--open-photos", "--port", "0"])
    except SystemExit as end:
        ended = end.code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == code
    process = fetcher._process
    assert process is not None
    assert process.wait(30) == -signal.SIGTERM


def test_a_missing_checkpoint_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(["--checkpoint", str(tmp_path), "--port", "0"]) == 1
    assert "is no checkpoint" in capsys.readouterr().err


def test_numpy_multiplies_in_one_thread(tmp_path: Path) -> None:
    with threadpool_limits(2, user_api="blas"):
        assert app.main(["--checkpoint", str(tmp_path), "--port", "0"]) == 1
        libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
        assert {each["num_threads"] for each in libraries} == {1}


@pytest.mark.parametrize(
    ("arguments", "space", "way"),
    [
        ([], False, "make run PHOTOS=open"),
        (["--open-photos"], False, ""),
        (["--photos", "x"], False, ""),
        (["--host", "0.0.0.0"], False, ""),
        ([], True, ""),
    ],
)
def test_the_command_for_more_photos_is_shown_to_whoever_can_run_it(
    arguments: list[str], space: bool, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    if space:
        monkeypatch.setenv("SPACE_ID", "me/zoo")
    assert app.more_photos_command(app.parse_arguments(arguments)) == way


def test_an_environment_variable_switches_open_photos_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not app.parse_arguments([]).open_photos
    monkeypatch.setenv("SKETCHZOO_OPEN_PHOTOS", "1")
    assert app.parse_arguments([]).open_photos
    assert not app.parse_arguments(["--photos", "x"]).open_photos


@pytest.mark.parametrize("other", ["--photos", "--gallery"])
def test_open_photos_are_for_the_starter_gallery_only(
    other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        app.parse_arguments(["--open-photos", other, "x"])
    assert "leave out --photos and --gallery" in capsys.readouterr().err

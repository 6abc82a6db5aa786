import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.checkpoint.files import EMBEDDINGS
from model.errors import GalleryError
from tests.harness.apps import free_port
from tests.model.search.indexes import (
    make,
    share_found,
)


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)


def test_milvus_searches_on_a_server_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("MILVUS_URI", f"http://127.0.0.1:{port}")
    (tmp_path / "data").mkdir()
    command = ["server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "milvus_lite", *command, "--data-dir", str(tmp_path / "data")]
    )
    try:
        wait_for(port)
        (tmp_path / "gallery").mkdir()
        made = make(tmp_path / "gallery", 300, "milvus", "angular")
        assert sorted(path.name for path in (tmp_path / "gallery").iterdir()) == [EMBEDDINGS]
        assert share_found(made, lambda label: True, None) == 1
        assert share_found(made, {"label 1"}.__contains__, [1]) == 1
        made.engine.close()
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_a_cluster_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MILVUS_URI", address)
    monkeypatch.setattr("model.search.milvus.SECONDS", 1.0)
    with pytest.raises(GalleryError, match=f"Milvus does not answer at {address}"):
        make(tmp_path, 30, "milvus", "angular")


def test_the_error_for_a_database_in_use_names_the_cluster(tmp_path: Path) -> None:
    made = make(tmp_path, 30, "milvus", "angular")
    code = (
        "from pathlib import Path; import numpy as np;"
        "from model.search.milvus import Milvus;"
        f"Milvus(Path({str(tmp_path)!r}), np.arange(30, dtype=np.int32) % 12, 64)"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "If another process has opened it, use a cluster (MILVUS_URI)" in other.stderr
    made.engine.close()


def test_without_the_package_the_error_tells_how_to_install_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pymilvus'] = None; "
        "import model.search.engines, model.search.milvus"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "GalleryError: Search by Milvus needs a package: pip install -r" in done.stderr

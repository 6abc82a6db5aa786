"""Gradio's environment variables are set before Gradio is imported, and not by an import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import SketchZooError
from server.environment import set_gradio_environment, upload_folder
from server.uploads import make_room

ROOT = Path(__file__).parent.parent.parent

IMPORT = """
import json, os, sys
import app
print(json.dumps(["gradio" in sys.modules, [name for name in os.environ if "GRADIO" in name]]))
"""


def test_an_import_sets_no_variable_and_imports_no_gradio() -> None:
    environment = {name: value for name, value in os.environ.items() if "GRADIO" not in name}
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert json.loads(ran.stdout) == [False, []]


def test_each_user_has_an_upload_folder_and_variables_that_are_set_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED")
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    set_gradio_environment()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["GRADIO_TEMP_DIR"] == str(upload_folder())
    assert upload_folder().name == f"sketchzoo-uploads-{os.getuid()}"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "new"))
    for _ in range(2):
        set_gradio_environment()
        assert upload_folder().parent == tmp_path / "new"
        assert os.environ["GRADIO_TEMP_DIR"] == str(upload_folder())
    assert upload_folder().stat().st_mode & 0o777 == 0o700


def test_files_of_other_programs_are_never_deleted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    set_gradio_environment()
    (tmp_path / "project").mkdir()
    others = [tmp_path / "project" / "__init__.py", tmp_path / "project" / "notes.txt"]
    own = upload_folder() / "drawing.png"
    for path, text in zip([*others, own], ["", "notes", "drawing"], strict=True):
        path.write_text(text)
        os.utime(path, (0, 0))
    make_room(0)
    assert [path.exists() for path in [*others, own]] == [True, True, False]


def test_a_folder_of_uploads_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(SketchZooError, match=r"file/sketchzoo-uploads-\d+: Not a directory\. Set"):
        set_gradio_environment()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    with pytest.raises(SketchZooError, match=r"belongs to another user\. Set GRADIO_TEMP_DIR"):
        set_gradio_environment()

"""Gradio's environment variables are set before Gradio is imported, and not by an import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.environment import set_gradio_environment, upload_folder

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
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    set_gradio_environment()
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path)

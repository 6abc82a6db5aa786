"""Environment variables that Gradio reads when it is imported."""

import os
import tempfile
from pathlib import Path


def set_gradio_environment() -> None:
    """Switches Gradio's telemetry off and gives this app an upload folder of its own.

    Call it before gradio is imported: `gradio.mcp` reads the folder only then. Variables that are
    set already are kept.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ["GRADIO_TEMP_DIR"] = str(upload_folder())


def upload_folder() -> Path:
    """The folder of uploads: `GRADIO_TEMP_DIR`, else one for this user.

    Gradio's default is shared by all its apps on a machine, and `server.uploads` deletes old files.
    """
    default = Path(tempfile.gettempdir()) / f"sketchzoo-uploads-{os.getuid()}"
    return Path(os.environ.get("GRADIO_TEMP_DIR") or default)

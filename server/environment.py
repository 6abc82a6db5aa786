"""Environment variables that Gradio reads when it is imported."""

import os
import tempfile
from pathlib import Path

from model.errors import SketchZooError

OWN_FOLDER = f"sketchzoo-uploads-{os.getuid()}"
"""Name of the folder of uploads, which no other program uses."""


def set_gradio_environment() -> None:
    """Switches Gradio's telemetry off and sets its upload folder to `upload_folder`.

    Call it before gradio is imported: `gradio.mcp` reads the folder only then. A folder that is
    missing is made. Variables that are set already are kept.

    Raises:
        SketchZooError: the folder cannot be made, or it is another user's.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    folder = upload_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise SketchZooError(
            f"Uploads cannot be kept in {folder}: {error.strerror}. Set GRADIO_TEMP_DIR to a "
            "folder that you can write."
        ) from error
    if owner != os.getuid():  # Of a symbolic link, too: whoever made it could read the uploads.
        raise SketchZooError(
            f"{folder} belongs to another user. Set GRADIO_TEMP_DIR to a folder of your own."
        )
    os.environ["GRADIO_TEMP_DIR"] = str(folder)


def upload_folder() -> Path:
    """The folder of uploads: `OWN_FOLDER` in `GRADIO_TEMP_DIR`, else in the temporary folder.

    Other programs may use that one, and `server.uploads` deletes old files.
    """
    place = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    return place if place.name == OWN_FOLDER else place / OWN_FOLDER

"""What the app serves: the page and its API, to many people, with guards, metrics and logs."""

import os
import tempfile
from pathlib import Path

# Both before gradio is imported. Without the second, all its apps on a machine share one folder of
# uploads, and `server.uploads` deletes what is old in it.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault(
    "GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / f"sketchzoo-uploads-{os.getuid()}")
)

"""What the app serves: the page and its API, to many people, with guards, metrics and logs."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported

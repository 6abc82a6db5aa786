"""The server's log: plain lines or JSON, on standard error."""

import json
import logging
import re
import sys
import time
from typing import Any, Literal

log = logging.getLogger("sketchzoo")

WARN_AGAIN_SECONDS = 600.0
"""Seconds until the same configuration fault is logged again."""

MAX_SHOWN = 100
"""Characters of a header that the log shows."""

GUIDE = "See docs/serving.md."

_warned: dict[str, float] = {}


def start_log(log_format: Literal["text", "json"]) -> None:
    """Starts to log to standard error.

    Args:
        log_format: `json` logs every request; `text` logs warnings only.
    """
    is_json = log_format == "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if is_json else logging.Formatter("%(levelname)s: %(message)s")
    )
    log.handlers = [handler]
    log.setLevel(logging.INFO if is_json else logging.WARNING)
    log.propagate = False


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            **getattr(record, "request", {"message": record.getMessage()}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def warn_rarely(kind: str, text: str) -> None:
    """Logs a configuration fault and its remedy, at most every `WARN_AGAIN_SECONDS` per kind."""
    now = time.monotonic()
    if now - _warned.get(kind, -WARN_AGAIN_SECONDS) >= WARN_AGAIN_SECONDS:
        _warned[kind] = now
        log.warning("%s %s", text, GUIDE)


def printable(header: str) -> str:
    """A header's value for the log: short, and without unusual characters."""
    return re.sub(r"[^\w.:/\[\]-]", "?", header)[:MAX_SHOWN] or "nothing"

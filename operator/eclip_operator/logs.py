"""Logs as one JSON object a line, for machines; or as plain text, for people."""

import json
import logging
from datetime import UTC, datetime

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OF_KOPF = {"k8s_skip", "k8s_ref", "settings"}
"""What kopf hangs on its records for its own use."""


class JsonFormatter(logging.Formatter):
    """Time, level, logger and message, then what the caller gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN | _OF_KOPF}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(form: str, level: str) -> None:
    """Logs go to standard error in this form (json or text), from this level on."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # One line for every event of every object says nothing.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)

"""What the controller says to whoever reads its log: one JSON object a line, in UTC."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["json", "text"]

FIELDS = (
    "key",
    "uid",
    "generation",
    "reconcile",
    "phase",
    "input_hash",
    "reason",
    "seconds",
    "graph",
    "attempt",
    "trace_id",
)
"""Names that a log call may add through `extra`."""

_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Whatever this task logs inside has these *fields*, those that are None apart."""
    said = {**_ABOUT.get(), **{name: value for name, value in fields.items() if value is not None}}
    before = _ABOUT.set(said)
    try:
        yield
    finally:
        _ABOUT.reset(before)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    known = {**_ABOUT.get(), **record.__dict__}
    return {name: known[name] for name in FIELDS if name in known}


class JsonLines(logging.Formatter):
    """One line per record: time, level, logger, message, the extra fields, and a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= _fields(record)
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class Words(logging.Formatter):
    """The same for people at a terminal: time, level, message, and the extra fields behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and a traceback below it where there is one."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = [f"{name}={value}" for name, value in _fields(record).items()]
        line = " ".join((at, f"{record.levelname.lower():<7}", record.getMessage(), *fields))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def start(level: str, style: LogFormat = "json") -> None:
    """From here on everything logged goes to standard error; the watch library speaks up only when it must."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if style == "json" else Words())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("kopf", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(logging.ERROR if name == "kopf" else logging.WARNING)

"""What a structured logger said: message, stack trace, logger's name and level, in a JSON payload.

Reads the documents of `json_payload`, each distinct one once, by the names that loggers write: Cloud Logging's own
fields, and those of pino, winston and bunyan, zap, zerolog and slog, structlog and python-json-logger, logback and
log4j. It cannot tell a field that an application named so for something else: a text under `name` is taken for a
logger.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pandas as pd

from incident.http1 import printable

LONGEST_DOCUMENT = 100_000
LONGEST_LOGGER = 100
SEVERE_LEVELS = frozenset({"error", "err", "critical", "fatal", "panic", "dpanic", "severe", "alert", "emergency"})
SEVERE_NUMBER = 50
"""pino's and bunyan's error; fatal is 60. Python's own ERROR is 40 and is never written as a number."""

COLUMNS = {"message": "str", "stack": "str", "logger": "str", "severe": "bool"}
STACKS = ("stack", "stack_trace", "stackTrace", "stacktrace", "exception", "exc_info", "exc_text", "error", "err")
"""Where loggers put a stack trace: as a text, or in an object that describes the error."""


Said = tuple[str, str, str, bool]
NOTHING: Said = ("", "", "", False)


class Payload(msgspec.Struct, gc=False):
    """The fields that are read; all others are passed over."""

    message: Any = None
    msg: Any = None
    event: Any = None
    error: Any = None
    err: Any = None
    logger: Any = None
    logger_name: Any = None
    loggerName: Any = None
    name: Any = None
    level: Any = None
    severity: Any = None
    levelname: Any = None
    stack: Any = None
    stack_trace: Any = None
    stackTrace: Any = None
    stacktrace: Any = None
    exception: Any = None
    exc_info: Any = None
    exc_text: Any = None


_payload = msgspec.json.Decoder(Payload).decode


def structured(documents: pd.Series) -> pd.DataFrame:
    """What each document says, with the same index and the columns of COLUMNS; empty texts where it says nothing.

    >>> structured(pd.Series(['{"msg": "pool is full", "name": "db", "level": 50}', None])).to_dict("records")[0]
    {'message': 'pool is full', 'stack': '', 'logger': 'db', 'severe': True}
    """
    codes, distinct = pd.factorize(documents)
    said = [read_document(text) for text in distinct] + [NOTHING]
    found = pd.DataFrame(said, columns=list(COLUMNS)).astype(COLUMNS)
    return found.iloc[codes].set_axis(documents.index)


def read_document(text: str) -> Said:
    """Message, stack trace, logger and whether the level is that of an error, of one document.

    >>> read_document('{"event": "lost", "level": "info", "logger": "app.rooms"}')
    ('lost', '', 'app.rooms', False)
    """
    if len(text) > LONGEST_DOCUMENT:
        return NOTHING
    try:
        payload = _payload(text)
    except msgspec.MsgspecError:
        return NOTHING
    return _message(payload), _stack(payload), _logger(payload), _is_severe(payload)


def _message(payload: Payload) -> str:
    for value in (payload.message, payload.msg, payload.event, payload.error, payload.err):
        words = value.get("message") if isinstance(value, dict) else value
        if isinstance(words, str) and words.strip():
            return words
    return ""


def _stack(payload: Payload) -> str:
    """The first text of several lines where stack traces are."""
    for name in STACKS:
        value = getattr(payload, name)
        found = [value.get(inner) for inner in STACKS[:4]] if isinstance(value, dict) else [value]
        if text := next((text for text in found if isinstance(text, str) and "\n" in text), ""):
            return text
    return ""


def _logger(payload: Payload) -> str:
    for value in (payload.logger, payload.logger_name, payload.loggerName, payload.name):
        if isinstance(value, str) and value:
            return printable(value, LONGEST_LOGGER)
    return ""


def _is_severe(payload: Payload) -> bool:
    for value in (payload.severity, payload.level, payload.levelname):
        if isinstance(value, str):
            return value.lower() in SEVERE_LEVELS
        if isinstance(value, int) and not isinstance(value, bool):
            return value >= SEVERE_NUMBER
    return False

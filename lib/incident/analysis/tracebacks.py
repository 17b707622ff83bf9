"""Python tracebacks in log text: rejoined when they came line by line, and read for what they blame.

Reads text. A traceback is named by its exception's type and by the innermost frame of the application's own code, so
that a changed line number or value is the same failure and another bug is not. It cannot tell which of two
exceptions in a chain was meant: the last one, which ended the program, counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

HEADER = "Traceback (most recent call last):"
FRAME = re.compile(
    r'^\s+File "(?P<file>[^"\n]{1,500})", line (?P<line>\d+)(?:, in (?P<function>[^\n]{1,200}))?$', re.MULTILINE
)
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.]{0,200})(?:: (?P<message>[^\n]{0,2000}))?$", re.MULTILINE)
LIBRARIES = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<|/gunicorn/|/uvicorn/")
MISSING_NAME = re.compile(r"name '(?P<name>\w{1,200})' is not defined|cannot import name '(?P<imported>\w{1,200})'")
MISSING_MODULE = re.compile(r"No module named '(?P<name>[\w.]{1,200})'")
APPLICATION_ROOTS = re.compile(r"^.*?/(?=(?:app|src|application|service|workspace|backend|code)/)")
ROOTS_KEPT = 2


@dataclass(frozen=True)
class Traceback:
    """What a traceback says: the exception, and the innermost frame of the application's own code.

    `file` is short: from the application's folder on, or its last parts. `missing` is the name that a NameError or an
    ImportError lacks, else empty.
    """

    exception: str
    message: str
    file: str
    line: int
    function: str
    missing: str

    @property
    def title(self) -> str:
        """The exception's type and what it is about: `NameError: DatabaseSessionManager`."""
        about = self.missing or self.message
        return f"{self.exception}: {about}" if about else self.exception


def read_traceback(text: object) -> Traceback | None:
    """The last traceback in a text, or None.

    >>> read_traceback('''Traceback (most recent call last):
    ...   File "/srv/app/agents.py", line 7, in build
    ...     return Session()
    ... NameError: name 'Session' is not defined''').title
    'NameError: Session'
    """
    if not isinstance(text, str) or HEADER not in text:
        return None
    body = text[text.rindex(HEADER) + len(HEADER) :]
    frames = list(FRAME.finditer(body))
    ending = ENDING.search(body, frames[-1].end() if frames else 0)
    if ending is None:
        return None
    own = next((f for f in reversed(frames) if not LIBRARIES.search(f["file"])), frames[-1] if frames else None)
    message = ending["message"] or ""
    where = (short_file(own["file"]), int(own["line"]), own["function"] or "") if own else ("", 0, "")
    return Traceback(ending["type"].rpartition(".")[2], message, *where, missing_name(message))


def short_file(file: str) -> str:
    """A file's name as its developers know it, without the folders of the machine it ran on.

    >>> short_file("/layers/x/workspace/app/agents/registry.py")
    'app/agents/registry.py'
    """
    trimmed = APPLICATION_ROOTS.sub("", file)
    trimmed = re.sub(r"^(?:workspace|code)/", "", trimmed)
    return trimmed if not trimmed.startswith("/") else "/".join(trimmed.split("/")[-ROOTS_KEPT:])


def missing_name(message: str) -> str:
    """The name that an exception's message says is missing, empty where it says no such thing."""
    if found := MISSING_NAME.search(message):
        return found["name"] or found["imported"]
    found = MISSING_MODULE.search(message)
    return found["name"] if found else ""


def rejoined(logs: pd.DataFrame) -> pd.DataFrame:
    """`logs` with tracebacks that came as one entry a line made whole in their first entry.

    Cloud Run usually delivers a traceback as one entry; a runtime that flushes line by line does not. Lines are
    joined within one instance and one log, from the header to the exception's line; the lines joined are dropped.
    """
    text = logs["text"].fillna("").astype("object")
    opens = text.str.startswith(HEADER) & (text.str.count("\n") == 0)
    if not opens.any():
        return logs
    joined, dropped = text.copy(), []
    for _, part in logs[logs["instance_id"].notna()].groupby(["instance_id", "log_name"], observed=True):
        for first, rest in _runs(text[part.index], opens[part.index]):
            joined[first] = "\n".join([text[first], *text[rest]])
            dropped.extend(rest)
    return logs.assign(text=joined.where(joined != "", logs["text"]).astype("str")).drop(index=dropped)


def _runs(text: pd.Series, opens: pd.Series) -> list[tuple[object, list[object]]]:
    """The header's index and those of its following lines, for each traceback in one instance's lines."""
    found: list[tuple[object, list[object]]] = []
    open_run: list[object] | None = None
    for index, line in text.items():
        if opens[index]:
            open_run = []
            found.append((index, open_run))
        elif open_run is not None:
            open_run.append(index)
            if not line.startswith((" ", "\t")):
                open_run = None
    return found

"""Stack traces in log text, of Python, Node.js, Go and Java: read for what they blame.

Reads text. A stack trace is named by its exception's type and by the innermost frames of the application's own code,
so that a changed line number, value or folder is the same failure and another bug is not. Two frames: with one, every
bug that a shared helper raises would be the same; with all, one bug would be as many as there are ways to it. It cannot
tell which of two exceptions in a chain was meant: the one that ended the program counts, in Java the root.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from incident.analysis.lines import constant_part
from incident.analysis.stacks import go, java, node, python
from incident.analysis.stacks.stack import Frame, Raised, plain_file, plain_function

READERS: dict[str, Callable[[str], list[Raised]]] = {
    "python": python.read, "go": go.read, "java": java.read, "node": node.read,
}  # fmt: skip
LONGEST = 300_000
"""Characters of a text that are read; an entry has fewer, joined ones may have more."""

FRAMES = 2
"""So many innermost own frames tell a bug from another."""

OWN_FRAMES = 20
NAMED_BY_FUNCTION = frozenset({"go", "java"})
"""Languages in which a function's name says its package, and a file's name nothing more."""

MISSING_NAME = re.compile(
    r"name '(?P<name>\w{1,200})' is not defined|cannot import name '(?P<imported>\w{1,200})'"
    r"|^(?P<reference>[A-Za-z_$][\w$]{0,200}) is not defined$"
)
MISSING_MODULE = re.compile(r"No module named '(?P<name>[\w.]{1,200})'|Cannot find module '(?P<path>[^'\n]{1,200})'")
APPLICATION_ROOTS = re.compile(r"^.*?/(?=(?:app|src|application|service|workspace|backend|code)/)")
ROOTS_KEPT = 2
QUOTED = re.compile(r"\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|`[^`\n]{0,500}`")


@dataclass(frozen=True)
class Traceback:
    """What a stack trace says: the exception, and the application's own frames.

    `exception` is its type without module; `file`, `line` and `function` are the innermost own frame's, the file's name
    short: from the application's folder on, or its last parts. `frames` holds the own frames, innermost first.
    `missing` is the name that a NameError, a ReferenceError or an import lacks, else empty. `identity` is the same for
    each occurrence of one bug, and not made for people.
    """

    language: str
    exception: str
    message: str
    file: str
    line: int
    function: str
    missing: str
    frames: tuple[Frame, ...]
    identity: str

    @property
    def title(self) -> str:
        """The exception's type and what it is about: `NameError: DatabaseSessionManager`."""
        about = self.missing or self.message
        return f"{self.exception}: {about}" if about else self.exception


def read_traceback(text: object) -> Traceback | None:
    """The last stack trace in a text, or None.

    >>> read_traceback('''Traceback (most recent call last):
    ...   File "/srv/app/agents.py", line 7, in build
    ...     return Session()
    ... NameError: name 'Session' is not defined''').title
    'NameError: Session'
    """
    if not isinstance(text, str):
        return None
    for language, read in READERS.items():
        if raised := read(text[:LONGEST]):
            return _traceback(language, raised)
    return None


def _traceback(language: str, raised: list[Raised]) -> Traceback:
    first = raised[0]
    own = tuple(frame for frame in first.frames if frame.own)[:OWN_FRAMES]
    at = own[0] if own else first.frames[0] if first.frames else Frame("", 0, "", False)
    identity = "\n".join(dict.fromkeys(_identity(language, one) for one in raised))
    missing = missing_name(first.message)
    return Traceback(
        language, first.type, first.message, short_file(at.file), at.line, at.function, missing, own, identity
    )


def _identity(language: str, raised: Raised) -> str:
    """What all occurrences of one exception share: its type, what it lacks, and where it was raised."""
    own = [_place(language, frame) for frame in raised.frames if frame.own]
    places = list(dict.fromkeys(own))[:FRAMES]
    if not places:  # nothing of the application's: the message and the libraries' own names are all there is
        anywhere = [plain_function(frame.function) for frame in raised.frames]
        places = [*anywhere[:FRAMES], constant_part(QUOTED.sub("*", raised.message))]
    return " ".join([raised.type, constant_part(raised.kind), missing_name(raised.message), *places])


def _place(language: str, frame: Frame) -> str:
    function = plain_function(frame.function)
    return function if language in NAMED_BY_FUNCTION else f"{plain_file(frame.file)}:{function}"


def short_file(file: str) -> str:
    """A file's name as its developers know it, without the folders of the machine it ran on.

    >>> short_file("/layers/x/workspace/app/agents/registry.py")
    'app/agents/registry.py'
    """
    trimmed = APPLICATION_ROOTS.sub("", file.removeprefix("file://"))
    trimmed = re.sub(r"^(?:workspace|code)/", "", trimmed)
    return trimmed if not trimmed.startswith("/") else "/".join(trimmed.split("/")[-ROOTS_KEPT:])


def missing_name(message: str) -> str:
    """The name that an exception's message says is missing, empty where it says no such thing.

    >>> missing_name("name 'Session' is not defined"), missing_name("Session is not defined"), missing_name("lost")
    ('Session', 'Session', '')
    """
    found = MISSING_NAME.search(message) or MISSING_MODULE.search(message)
    return next((name for name in found.groups() if name), "") if found else ""

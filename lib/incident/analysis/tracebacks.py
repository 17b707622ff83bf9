"""Stack traces in log text, of Python, Node.js, Go and Java, read for what they blame.

Reads text. A trace is named by its exception's type and by the innermost frames of the application's own code, so
that a changed line number or value is the same failure and another bug is not; `stacks` says how many frames count,
and each language's module which exception of a chain does. It cannot tell a trace that a chat message quotes from one
that the application raised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from incident.analysis import stacks_go, stacks_java, stacks_node, stacks_python
from incident.analysis.stacks import MOST_PLACES, Frame, Stack, identity, short_file
from incident.analysis.stacks_python import missing_name

__all__ = ["Traceback", "missing_name", "read_traceback", "short_file"]

LONGEST = 256 * 1024
"""Characters of a text that are read, as many as a log entry may have; of a longer one, its two ends."""

READERS: tuple[Callable[[str], Stack | None], ...] = (
    stacks_python.read,
    stacks_go.read,
    stacks_java.read,
    stacks_node.read,
)
"""The surest first: the others' lines may stand in a Python exception's message."""


@dataclass(frozen=True)
class Traceback:
    """What a trace says: the exception, and the innermost frame of the application's own code.

    `file` is short: from the application's folder on, or its last parts. `missing` is the name that a NameError or an
    ImportError lacks, or what another language has like it, else empty. `language` is python, node, go or java;
    `frames` are the own frames as (file, function), innermost first, at most 5; `identity` is what all occurrences of
    one bug share.
    """

    exception: str
    message: str
    file: str
    line: int
    function: str
    missing: str
    language: str
    frames: tuple[tuple[str, str], ...]
    identity: str

    @property
    def title(self) -> str:
        """The exception's type and what it is about: `NameError: DatabaseSessionManager`."""
        about = self.missing or self.message
        return f"{self.exception}: {about}" if about else self.exception


def read_traceback(text: object) -> Traceback | None:
    """The stack trace that counts in a text, or None.

    >>> read_traceback('''Traceback (most recent call last):
    ...   File "/srv/app/agents.py", line 7, in build
    ...     return Session()
    ... NameError: name 'Session' is not defined''').title
    'NameError: Session'
    """
    if not isinstance(text, str):
        return None
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    stack = next((stack for read in READERS if (stack := read(text)) is not None), None)
    return _traceback(stack) if stack else None


def _traceback(stack: Stack) -> Traceback:
    own = stack.own
    at = next(iter([*own, *stack.frames]), Frame("", 0, "", False))
    frames = tuple((frame.file, frame.function) for frame in own[:MOST_PLACES])
    return Traceback(
        stack.exception, stack.message, at.file, at.line, at.function, stack.missing, stack.language, frames,
        identity(stack),
    )  # fmt: skip

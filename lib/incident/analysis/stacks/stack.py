"""What every language's stack trace comes to: exceptions, each with its frames."""

from __future__ import annotations

import re
from dataclasses import dataclass

ROOTS = frozenset({"app", "apps", "workspace", "srv", "code", "usr", "src", "home", "opt", "layers", "application"})
"""Folders that an image puts an application in; the same code lies in another one elsewhere."""

KEPT = 2
NUMBERED = re.compile(r"\$\$(?:Lambda|Enhancer|FastClass|SpringCGLIB)[^.\s]*|[$.]\d+(?=$|[.$])|(?<=func)\d+|-fm$")
"""What a compiler numbers by itself: lambdas, closures, anonymous classes, generated classes."""


@dataclass(frozen=True)
class Frame:
    """One frame: `own` is whether it is the application's, and not a library's or the runtime's."""

    file: str
    line: int
    function: str
    own: bool


@dataclass(frozen=True)
class Raised:
    """One exception of a stack trace: `type` without its module, frames innermost first.

    `kind` is what of the message says which error it is, where there is no type but the message: Go's panics.
    """

    type: str
    message: str
    frames: tuple[Frame, ...]
    kind: str = ""


def plain_file(file: str) -> str:
    """The last parts of a file's name, without the folders that an image put it in.

    >>> plain_file("/workspace/app/rooms/join.py"), plain_file("file:///app/join.mjs"), plain_file("rooms/join.py")
    ('rooms/join.py', 'join.mjs', 'rooms/join.py')
    """
    parts = [part for part in re.split(r"[/\\]+", file.removeprefix("file://")) if part]
    while len(parts) > 1 and parts[0] in ROOTS:
        parts = parts[1:]
    return "/".join(parts[-KEPT:])


def plain_function(function: str) -> str:
    """A function's name without what its compiler numbered.

    >>> plain_function("Chat.lambda$pool$1"), plain_function("main.served.func1"), plain_function("A$1.run")
    ('Chat.lambda$pool', 'main.served.func', 'A.run')
    """
    return NUMBERED.sub("", function)

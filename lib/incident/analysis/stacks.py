"""What a stack trace of any language comes down to, and which of two traces show the same bug.

Decides: the identity of a trace. Reads a `Stack`, which `stacks_python`, `stacks_node`, `stacks_go` and `stacks_java`
make from text. An identity is the exception's type, what tells failures of one type apart, the missing name, and the
innermost own frames by file and function: never a line, an address, an id or a message. Cannot tell two bugs in one
function that raise the same type and are reached from the same caller.

Why two own frames: with one, everybody who calls a helper that only checks (`require(value)`) has one bug; with all,
a bug is as many as there are ways to reach it. A missing name is missing whoever asks, a module's own code runs whoever
imports it, and what only broken code makes the language raise (`FAULT`) is where it is raised: there one frame is
enough. A recursion that overflows ends anywhere in its circle, so the circle
itself is the place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from incident.analysis.lines import constant_part

LONGEST_LINE = 1000
LOOK_BACK = 40
"""Lines from the first frame back to the exception's own: a message may have as many."""
OWN_FRAMES = 2
BARE_FRAMES = 3
CIRCLE = 3
"""How often a frame comes up in an overflow to be of the circle."""
MOST_PLACES = 5
PATH_PARTS = {"go": 1, "java": 20}
"""How many of a path's last parts tell files apart: a Go function is named with its package, a Java file lies in it."""
OTHER_PATH_PARTS = 3
ROOTS_KEPT = 2

ROOT_NAMES = frozenset("app src application service workspace backend code srv".split())
APPLICATION_ROOTS = re.compile(r"^.*?/(?=(?:app|src|application|service|workspace|backend|code)/)")
NUMBERED = re.compile(r"(?<=\$)\d+|(?<=\.func)\d+(?:\.\d+)*|\.(?:gowrap|deferwrap)\d+(?:\.\d+)*|-range\d+")
"""Numbers that a compiler gives to functions without a name: `lambda$main$0`, `main.main.func1.2`."""
RUNS_ONCE = frozenset({"<module>", "Object.<anonymous>"})
FAULT = re.compile(
    r"^(?:python (?:AttributeError|UnboundLocalError|ZeroDivisionError)|node (?:TypeError|ReferenceError)"
    r"|java (?:NullPointer|Arithmetic|ClassCast|UninitializedPropertyAccess)Exception"
    r"|go panic (?:runtime error: (?:invalid memory|integer divide)|assignment to|interface conversion)"
    r"|go fatal error concurrent map)"
)
"""What a language raises where code does what it never may. Not what tells of an argument, as Python's TypeError and
lookups that fail do: who asked may be at fault."""
OVERFLOW = re.compile(r"^(?:RecursionError|StackOverflowError|RangeError: Maximum call|fatal error: stack overflow)")


@dataclass(frozen=True)
class Frame:
    """One call: the file as its developers know it, the line (0: unknown), the function, and whether it is own code."""

    file: str
    line: int
    function: str
    own: bool


@dataclass(frozen=True)
class Stack:
    """The exception that counts in a text and its frames, innermost first.

    `missing` is the name that it lacks; `detail` what tells apart failures of one type: an error's code, a sentence of
    the runtime. Both may be empty.
    """

    language: str
    exception: str
    message: str
    frames: tuple[Frame, ...]
    missing: str = ""
    detail: str = ""

    @property
    def own(self) -> list[Frame]:
        """The frames of own code, innermost first."""
        return [frame for frame in self.frames if frame.own]


def identity(stack: Stack) -> str:
    """What all occurrences of one bug share.

    >>> frames = (Frame("app/agents/registry.py", 9, "build", True), Frame("app/main.py", 3, "<module>", True))
    >>> identity(Stack("python", "KeyError", "'room-7'", frames))
    'python KeyError at agents/registry.py build < main.py <module>'
    """
    words = [stack.language, stack.exception, stack.detail, stack.missing]
    places = " < ".join(_places(stack)) or constant_part(stack.message)
    return " ".join([*filter(None, words), "at", places])


def _places(stack: Stack) -> list[str]:
    parts = PATH_PARTS.get(stack.language, OTHER_PATH_PARTS)
    own = [f"{_settled(frame.file, parts)} {_unnumbered(frame.function)}" for frame in stack.own]
    if not own:
        return _distinct(_unnumbered(frame.function) for frame in stack.frames)[:BARE_FRAMES]
    if OVERFLOW.match(f"{stack.exception}: {stack.message}"):
        circle = sorted(place for place, times in Counter(own).items() if times >= CIRCLE)
        return circle[:MOST_PLACES] or own[:1]
    return _distinct(own)[: 1 if _is_at_fault(stack) else OWN_FRAMES]


def _is_at_fault(stack: Stack) -> bool:
    """Whether the innermost own function is at fault whoever called it."""
    innermost = stack.own[0].function
    raised = stack.frames[0].own and FAULT.match(f"{stack.language} {stack.exception} {stack.detail}")
    return bool(stack.missing or raised or innermost in RUNS_ONCE or innermost.endswith(".<clinit>"))


def _distinct(places: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(places))


def _unnumbered(function: str) -> str:
    return NUMBERED.sub("", function)


def _settled(file: str, kept: int) -> str:
    """A file without the folder it was deployed in, which another build may change."""
    parts = [part for part in file.split("/") if part]
    while len(parts) > 1 and parts[0] in ROOT_NAMES:
        parts = parts[1:]
    return "/".join(parts[-kept:])


def short_file(file: str) -> str:
    """A file's name as its developers know it, without the folders of the machine it ran on.

    >>> short_file("/layers/x/workspace/app/agents/registry.py")
    'app/agents/registry.py'
    """
    trimmed = APPLICATION_ROOTS.sub("", file)
    trimmed = re.sub(r"^(?:workspace|code)/", "", trimmed)
    return trimmed if not trimmed.startswith("/") else "/".join(trimmed.split("/")[-ROOTS_KEPT:])


def cut_lines(text: str) -> list[str]:
    """A text's lines, none longer than any pattern here should read."""
    return [line[:LONGEST_LINE].rstrip("\r") for line in text.split("\n")]

"""Python tracebacks: chained ones, exception groups, syntax errors.

Decides which exception of a text counts: of a chain the last, which ended the program; of a group its first leaf,
since a group only says that some failed. Cannot tell whether a chain's last exception or its cause is the bug.
"""

from __future__ import annotations

import re

from incident.analysis.stacks import Frame, Stack, cut_lines, short_file

HEADER = "Traceback (most recent call last):"
QUOTES = re.compile(r"[\"'`>\u201c\u00ab]\s*$")
"""What stands before a traceback that somebody quotes: a user of a chat, in its log."""
FRAME = re.compile(r'^[ \t]+File "(?P<file>[^"]{1,500})", line (?P<line>\d{1,9})(?:, in (?P<function>.{1,200}))?$')
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.<>]{0,200})(?:: ?(?P<message>.*))?$")
MEMBER = re.compile(r"^(?P<margin>[ |]*)\+-\+-+ 1 -+$")
LIBRARIES = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<|/gunicorn/|/uvicorn/")
COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})
"""Frames of their own up to Python 3.11, part of the function around them since."""
MISSING_NAME = re.compile(r"name '(?P<name>\w{1,200})' is not defined|cannot import name '(?P<imported>\w{1,200})'")
MISSING_MODULE = re.compile(r"No module named '(?P<name>[\w.]{1,200})'")
DEEPEST = 20


def read(text: str) -> Stack | None:
    """The last traceback in a text, or None.

    >>> read('''Traceback (most recent call last):
    ...   File "/app/rooms.py", line 7, in close
    ...     del rooms[name]
    ... KeyError: 'lobby\\'''').frames
    (Frame(file='app/rooms.py', line=7, function='close', own=True),)
    """
    if HEADER not in text:
        return None
    lines = cut_lines(text)
    heads = [at for at, line in enumerate(lines) if HEADER in line and not QUOTES.search(line[: line.index(HEADER)])]
    if not heads:
        return None
    at = next((at for at in reversed(heads) if "|" not in _margin(lines[at])), heads[-1])
    margin = _margin(lines[at])
    return _read(lines[at + 1 :], margin.replace("+", "|"))


def missing_name(message: str) -> str:
    """The name that an exception's message says is missing, empty where it says no such thing."""
    if found := MISSING_NAME.search(message):
        return found["name"] or found["imported"]
    found = MISSING_MODULE.search(message)
    return found["name"] if found else ""


def _margin(line: str) -> str:
    """What stands before a traceback's lines: blanks, and the rules that a group draws."""
    before = line[: line.index(HEADER)].removesuffix("Exception Group ")
    return before if not before.strip(" \t|+") else ""


def _read(lines: list[str], margin: str) -> Stack | None:
    """The exception below a header; of a group the first, and the first of that."""
    frames, ending, lines = _exception(lines, margin)
    for _ in range(DEEPEST):
        if ending is None or (member := _first_member(lines)) is None:
            break
        inner, margin = member
        inner_frames, ending, lines = _exception(inner, margin)
        frames = inner_frames or frames
    if ending is None:
        return None
    message = ending["message"] or ""
    return Stack(
        "python", ending["type"].rpartition(".")[2], message, tuple(map(_frame, frames)), missing_name(message)
    )


def _exception(lines: list[str], margin: str) -> tuple[list[re.Match[str]], re.Match[str] | None, list[str]]:
    """An exception's frames, innermost first, its own line, and the lines after it.

    A line among them that cannot be an exception's is another thread's.
    """
    frames: list[re.Match[str]] = []
    for at, line in enumerate(lines):
        plain = line.removeprefix(margin)
        if frame := FRAME.match(plain):
            frames.append(frame)
        elif plain.strip() and plain[0] not in " \t":
            ending = ENDING.match(plain)
            if ending or not frames:
                named = ending and (frames or "." in ending["type"] or ending["type"][0].isupper())
                return frames[::-1], ending if named else None, lines[at + 1 :]
    return frames[::-1], None, []


def _first_member(lines: list[str]) -> tuple[list[str], str] | None:
    """The lines of a group's first exception below its last header, and their margin."""
    found = next(((at, rule) for at, line in enumerate(lines) if (rule := MEMBER.match(line))), None)
    if found is None:
        return None
    start, margin = found[0] + 1, found[1]["margin"].replace("|", " ") + "  "
    rules = (at for at in range(start, len(lines)) if lines[at].startswith(f"{margin}+--"))
    inner = lines[start : next(rules, len(lines))]
    heads = [at for at, line in enumerate(inner) if HEADER in line and _margin(line) == f"{margin}| "]
    return inner[heads[-1] + 1 :] if heads else inner, f"{margin}| "


def _frame(found: re.Match[str]) -> Frame:
    """A frame without a function is where a file could not be read at all."""
    function = found["function"] or "<module>"
    own = not LIBRARIES.search(found["file"]) and function not in COMPREHENSIONS
    return Frame(short_file(found["file"]), int(found["line"]), function, own)

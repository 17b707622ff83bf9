"""Panics and fatal errors of Go, also recovered and logged ones, and errors that carry a stack.

Decides what counts: of panics within panics the first, with the frames below the innermost `panic(`, so that a
handler that recovers and panics anew does not change a bug. A panic has no type: a sentence of the runtime, or the
type of the value, stands in; free text never does. Whether a frame is own goes by its package and its file.
"""

from __future__ import annotations

import re
from itertools import pairwise

from incident.analysis.stacks import LOOK_BACK, Frame, Stack, cut_lines, short_file

GOROUTINE = re.compile(r"^goroutine \d{1,19} .{0,200}\[.{1,200}\]:$")
HEADING = re.compile(r"^(?P<kind>panic|fatal error): (?P<message>.*)$")
SERVING = re.compile(r"http2?: panic serving \S{1,200}: (?P<message>.*)$")
RECOVERED = re.compile(r"\b[Pp]anic\b[^:]{0,100}: (?P<message>.*)$")
AGAIN = re.compile(r" \[recovered[^\]]{0,50}\]$")
PLACE = re.compile(
    r"^[ \t]+(?P<file>\S[^\n]{0,500}?\.(?:go|s|c|h)):(?P<line>\d{1,9})(?: \+0x[0-9a-f]{1,16})?(?: fp=.*)?$"
)
BARE = re.compile(r"^[\w./*()\[\]~-]{1,300}\.[\w.()*\[\]-]{1,200}$")
"""A function as errors that carry a stack write it, without what it was called with."""
PACKAGES = (
    "archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go "
    "hash html image index internal io iter log maps math mime net os panic path plugin reflect regexp runtime slices "
    "sort strconv strings structs sync syscall testing text time unicode unique unsafe vendor weak"
)
STANDARD = frozenset(PACKAGES.split())
ELSEWHERE = re.compile(r"/pkg/mod/|/vendor/|@v\d|/go/src/(?:runtime|net|internal)/")
RUNTIME = re.compile(
    r"^(?:runtime error: [a-z ,-]*[a-z]|interface conversion|assignment to entry in nil map|sync: [a-z ]*[a-z]"
    r"|(?:send on|close of) [a-z ]*channel)"
)
TYPED = re.compile(r"^\((?P<type>\*?[\w./*-]{1,200})\) ")


def read(text: str) -> Stack | None:
    """The first panic, fatal error or error with a stack in a text, or None.

    >>> read('''panic: no room
    ...
    ... goroutine 1 [running]:
    ... main.open(0x1)
    ... \\t/app/main.go:10 +0x1d''').frames
    (Frame(file='app/main.go', line=10, function='main.open', own=True),)
    """
    if "goroutine " not in text and ".go:" not in text:
        return None
    lines = cut_lines(text)
    start = next((at for at, line in enumerate(lines) if GOROUTINE.match(line)), None)
    return _carried(lines) if start is None else _panicked(lines, start)


def _panicked(lines: list[str], start: int) -> Stack | None:
    frames = _frames(lines[start + 1 :])
    kind, message = _heading(lines[max(0, start - LOOK_BACK) : start], frames)
    if not kind:
        return None
    last = max((at for at, frame in enumerate(frames) if frame.function == "panic"), default=-1)
    return Stack("go", kind, message, tuple(frames[last + 1 :]), detail=_detail(kind, message))


def _heading(before: list[str], frames: list[Frame]) -> tuple[str, str]:
    """Whether it was a panic, a fatal error or an error, and its message; empty for a mere dump of goroutines."""
    for line in reversed(before):
        if found := HEADING.match(line):
            return found["kind"], AGAIN.sub("", found["message"])
        if found := SERVING.search(line):
            return "panic", found["message"]
    said = next((line for line in reversed(before) if line.strip()), "")
    if any(frame.function == "panic" for frame in frames):
        found = RECOVERED.search(said)
        return "panic", found["message"] if found else said
    return ("error", said) if any(frame.function.startswith("runtime/debug.") for frame in frames) else ("", "")


def _detail(kind: str, message: str) -> str:
    if kind == "fatal error":
        return re.sub(r"\d+", "*", message)
    if typed := TYPED.match(message):
        return typed["type"]
    found = RUNTIME.match(message)
    return found[0] if found else ""


def _frames(lines: list[str]) -> list[Frame]:
    """The calls of one goroutine, innermost first, without where it was created."""
    frames = []
    for line, below in pairwise(lines):
        if GOROUTINE.match(line):
            break
        place = PLACE.match(below)
        if place and line.endswith(")") and not line.startswith((" ", "\t", "created by ")):
            frames.append(_frame(line.rpartition("(")[0], place))
    return frames


def _carried(lines: list[str]) -> Stack | None:
    """An error printed with the stack of where it was made: a function a line, its place on the next."""
    pairs = [at for at, line in enumerate(lines[:-1]) if BARE.match(line) and PLACE.match(lines[at + 1])]
    if not pairs:
        return None
    run = [at for step, at in enumerate(pairs) if at == pairs[0] + 2 * step]
    frames = [_frame(lines[at], found) for at in run if (found := PLACE.match(lines[at + 1]))]
    said = next((line for line in reversed(lines[: pairs[0]]) if line.strip()), "")
    return Stack("go", "error", said, tuple(frames))


def _frame(function: str, place: re.Match[str]) -> Frame:
    package = function.split("/", 1)[0].split(".", 1)[0]
    dotted = "/" in function and "." in function.split("/", 1)[0]
    own = (dotted or package not in STANDARD) and not ELSEWHERE.search(place["file"])
    return Frame(short_file(place["file"]), int(place["line"]), function, own)

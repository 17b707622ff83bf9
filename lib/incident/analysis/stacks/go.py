"""Panics and fatal errors of Go, as the runtime prints them, and as a recovered panic is logged with its stack.

The panic that counts is the first; the frames are those below the last call of `panic` in the goroutine that failed,
since what is above it recovered. A panic has no type but its message: where the runtime raised it, all of it counts,
else its first word, which says by convention what was being done (`open`, `dial`).
"""

from __future__ import annotations

import re

from incident.analysis.stacks.stack import Frame, Raised

PANIC = re.compile(
    r"^(?P<before>[^\n]{0,300}?)(?:panic(?: serving [^\n]{1,100}?)?(?P<recovered> recovered)?|(?P<fatal>fatal error)): "
    r"(?P<message>[^\n]{1,2000}?)(?: \[recovered(?:, [^\n\]]{0,40})?\])?$",
    re.MULTILINE,
)
GOROUTINE = re.compile(r"^goroutine \d{1,12}(?: [^\n\[]{0,100})?\[[^\n\]]{0,100}\]:$", re.MULTILINE)
FUNCTION = re.compile(r"^(?P<function>(?:[^\s(]|\(\*){1,400})\([^\n]{0,2000}\)$")
PLACE = re.compile(r"^\t(?P<file>[^\n]{1,500}?):(?P<line>\d{1,9})(?: \+0x[0-9a-f]{1,16})?$")
STANDARD = re.compile(
    r"^(?:archive|bufio|bytes|cmp|compress|container|context|crypto|database|debug|embed|encoding|errors|expvar|flag|fmt"
    r"|go|hash|html|image|internal|io|iter|log|maps|math|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort"
    r"|strconv|strings|structs|sync|syscall|testing|text|time|unicode|unique|unsafe|vendor)[./]|^panic$"
)
MODULES = re.compile(r"/pkg/mod/|/vendor/|@v\d")
RUNTIME = re.compile(
    r"^(?:runtime error: |assignment to entry in nil map|(?:send on|close of) \w+ channel|interface conversion)"
)
WORD = re.compile(r"^[a-z]{1,40}(?= |$)")


def read(text: str) -> list[Raised]:
    """The panic that counts, alone; empty where there is none."""
    begun = GOROUTINE.search(text)
    if begun is None:
        return []
    said = list(PANIC.finditer(text, 0, begun.start()))
    if not said:
        return []
    first = said[0]
    frames = _frames(text[begun.end() :].split("\n")[1:])
    message = first["message"]
    word = WORD.match(message)
    kind = message if first["fatal"] or RUNTIME.match(message) else word[0] if word else ""
    return [Raised("fatal error" if first["fatal"] else "panic", message, frames, kind)]


def _frames(lines: list[str]) -> tuple[Frame, ...]:
    """The frames of the goroutine that failed, innermost first."""
    frames: list[Frame] = []
    function = ""
    for line in lines:
        if not line or GOROUTINE.match(line):
            break
        if (place := PLACE.match(line)) and function:
            frames.append(Frame(place["file"], int(place["line"]), function, _is_own(function, place["file"])))
        found = FUNCTION.match(line)
        function = found["function"] if found else ""
    calls = [at for at, frame in enumerate(frames) if frame.function == "panic"]
    return tuple(frames[calls[-1] + 1 :] if calls else frames)


def _is_own(function: str, file: str) -> bool:
    return not STANDARD.match(function) and not MODULES.search(file)

"""Stack traces of Node.js, as it prints them when it ends and as `console.error` and loggers do.

Decides which error of a text counts: the root, which is the last `[cause]`; of an AggregateError the first of its
errors. Warnings and `console.trace` are no errors. A value that is thrown and is no Error has no stack: the place that
Node.js prints above it stands in. Frames of `node_modules` and of Node.js itself are not own.
"""

from __future__ import annotations

import re
from itertools import takewhile

from incident.analysis.stacks import LOOK_BACK, Frame, Stack, cut_lines, short_file

AT = re.compile(r"^[ \t]+at \S")
CALL = re.compile(
    r"^[ \t]+at (?:async )?(?:new )?(?:(?P<function>[^(\s][^(]{0,299}) \()?"
    r"(?:(?P<file>(?:file://|node:|webpack[^:]{0,50}:)?[^:\n]{1,500}):(?P<line>\d{1,9}):\d{1,9}|<anonymous>|native)\)?"
    r",?(?: \{)?$"
)
OTHER = re.compile(r"^[ \t]+at (?:async )?(?:new )?(?P<function>[^(\n]{1,300})")
CODED = r"(?: \[[A-Z_0-9]{1,100}\])?)(?:: ?(?P<message>.*))?$"
NAME = r"(?P<type>[A-Z][\w$]*" + CODED
ERROR_NAME = r"(?P<type>[A-Za-z_$][\w$]*(?:(?<=Error)|(?<=Exception))" + CODED
LEAD = r"^[ \t]*(?:\[cause\]: |Uncaught |\(node:\d{1,9}\) UnhandledPromiseRejectionWarning: )?\[?"
HEADINGS = (
    re.compile(LEAD + ERROR_NAME),
    re.compile(r"(?<![\w$.])" + ERROR_NAME),
    re.compile(LEAD + NAME),
    re.compile(r"(?<=[:\]] )" + NAME),
)
"""How the line of an error may look, the surest first."""
NO_ERROR = re.compile(r"^Trace$|Warning$")
PROLOGUE = re.compile(r"^(?P<file>(?:file://)?/[^:\n]{1,500}):(?P<line>\d{1,9})$")
UNCAUGHT = re.compile(r"^(?:Node\.js v\d|\(Use `node --trace-uncaught)", re.MULTILINE)
MARK = re.compile(r"^\s*\^+\s*$")
BRACKETED = re.compile(r"^\[(?P<type>[A-Z][\w$]*(?: \[[A-Z_0-9]{1,100}\])?)(?:: (?P<message>.*?))?\](?: \{)?$")
MEMBER = re.compile(r"^Object\.(?=\w)| \[as [^\]]{0,200}\]$")
"""What V8 says of a function that was called as a member of a plain object; by itself it has its own name alone."""
CODE = re.compile(r"\b(?:E[A-Z]{4,20}|ERR_[A-Z_0-9]{1,100})\b")
LIBRARIES = re.compile(r"^node:|^internal/|(?:^|/)node_modules/|^[\w-]+\.js$|^<|^evalmachine|/\.yarn/|^webpack/")
MISSING = re.compile(
    r"^(?P<name>[\w$]{1,200}) is not defined$|^Cannot find (?:module|package) '(?P<module>[^']{1,300})'"
    r"|does not provide an export named '(?P<export>[\w$]{1,200})'"
)


def read(text: str) -> Stack | None:
    """The root of the first error in a text, or None.

    >>> read('''TypeError: no room
    ...     at open (/app/hub.js:3:5)
    ...     at node:internal/main:28:49''').frames[0]
    Frame(file='app/hub.js', line=3, function='open', own=True)
    """
    if "    at " not in text and not UNCAUGHT.search(text):
        return None
    lines = cut_lines(text)
    errors = _errors(lines)
    found = _chosen(lines, errors) or _without_frames(lines, text)
    if found is None:
        return None
    exception, message, frames = found
    if exception == "SyntaxError" and frames and not frames[0].own:
        frames = _thrown_at(lines) + frames
    coded = CODE.search(f"{exception} {message[:100]}")
    return Stack("node", exception, message, tuple(frames), _missing(message), coded[0] if coded else "")


Error = tuple[str, str, list[Frame]]


def _errors(lines: list[str]) -> dict[int, Error]:
    """Each run of frames with the error it belongs to, by the line on which it starts."""
    found: dict[int, Error] = {}
    since = at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and AT.match(lines[end]):
            end += 1
        if end > at:
            calls = [CALL.match(line) for line in lines[at:end]]
            heading = _heading(lines[max(since, at - LOOK_BACK) : at])
            if heading and any(call and call["file"] for call in calls):
                found[at] = (heading["type"], heading["message"] or "", _frames(lines[at:end]))
            since = end
        at = end + 1
    return found


def _chosen(lines: list[str], errors: dict[int, Error]) -> Error | None:
    """The error that counts: the first member of an aggregate, else the last cause, else the first."""
    starts = list(errors)
    if members := next((at for at, line in enumerate(lines) if line.strip() == "[errors]: ["), None):
        return next((errors[start] for start in [s for s in starts if s > members] or starts), None)
    above = {start: lines[max(0, start - LOOK_BACK) : start] for start in starts}
    causes = [start for start in starts if any("[cause]: " in line for line in above[start])]
    chosen = next((errors[start] for start in causes[-1:] or starts), None)
    return None if chosen is None or NO_ERROR.search(chosen[0]) else chosen


def _heading(before: list[str]) -> re.Match[str] | None:
    """The line of the error above its frames: of the nearest lines, else of those above an empty one in a message."""
    nearest = list(takewhile(str.strip, reversed(before)))
    return _named(nearest, HEADINGS) or _named(before, HEADINGS[:1])


def _named(lines: list[str], headings: tuple[re.Pattern[str], ...]) -> re.Match[str] | None:
    found = (found for pattern in headings for line in lines if (found := pattern.search(line)))
    return next(found, None)


def _frames(lines: list[str]) -> list[Frame]:
    frames = []
    for line in lines:
        call = CALL.match(line)
        other = OTHER.match(line)
        file = (call["file"] if call else "") or ""
        function = (call["function"] if call else other["function"] if other else "") or ""
        own = bool(file) and not LIBRARIES.search(file)
        place = short_file(file.removeprefix("file://"))
        frames.append(Frame(place, int(call["line"]) if call and file else 0, MEMBER.sub("", function.strip()), own))
    return frames


def _without_frames(lines: list[str], text: str) -> Error | None:
    """What ended Node.js and has no stack: an error in brackets, or a value that is no error."""
    if not UNCAUGHT.search(text):
        return None
    if found := next((found for line in lines if (found := BRACKETED.match(line))), None):
        return found["type"], found["message"] or "", _thrown_at(lines)
    mark = next((at for at, line in enumerate(lines) if MARK.match(line)), None)
    thrown = _thrown_at(lines)
    if mark is None or not thrown:
        return None
    return "Uncaught", next((line for line in lines[mark + 1 :] if line.strip()), ""), thrown


def _thrown_at(lines: list[str]) -> list[Frame]:
    """The place above the code that Node.js prints; it names no function."""
    found = next((found for line in lines if (found := PROLOGUE.match(line))), None)
    if found is None or LIBRARIES.search(found["file"]):
        return []
    return [Frame(short_file(found["file"].removeprefix("file://")), int(found["line"]), "<module>", True)]


def _missing(message: str) -> str:
    found = MISSING.search(message)
    return (found["name"] or found["module"] or found["export"]) if found else ""

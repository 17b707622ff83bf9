"""Stack traces of Node.js, as V8 and `util.inspect` write them: uncaught, rejected, logged, with causes and errors.

The exception that counts is the first; its causes come after it. Of an AggregateError, what counts is what it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from incident.analysis.stacks.stack import Frame, Raised

FRAME = re.compile(
    r"^\s{1,40}at (?:(?P<function>[^\n(]{1,300}) \((?P<place>[^()\n]{1,500})\)|(?P<bare>[^\n()]{1,500}))(?: \{|,)?$"
)
PLACE = re.compile(r"^(?:async )?(?P<file>.{1,480}?):(?P<line>\d{1,9})(?::\d{1,9})?$")
HEADER = re.compile(
    r"(?:^|[\s\[(:])(?P<type>(?:[A-Za-z_$][\w$]{0,100}\.){0,5}[A-Za-z_$]?[\w$]{0,100}"
    r"(?:Error|Exception|Rejection|Failure|Fault|Timeout))(?: \[\w{1,100}\])?(?:: (?P<message>.{0,2000}))?\]?(?: \{)?$"
)
NAMED = re.compile(r"^(?P<type>[A-Z][\w$]{1,100})(?:: (?P<message>.{0,2000}))?$")
"""An error of another name alone on its line: `NotFound: no such room`."""

CARET = re.compile(r"^\s*\^+$")
ELIDED = re.compile(r"^\s*(?:\.\.\. \d+ lines matching |\[\.\.\. lines matching )")
LIBRARIES = re.compile(r"^node:|^internal/|/node_modules/|^<|^native$|^index \d|^[\w.]+\.js$")
METHOD = re.compile(r"^(?:async )?(?P<name>.*?)(?: \[as (?P<called>[^\]]*)\])?$")
HOLDERS = ("Object.", "Function.", "Module.", "exports.")
"""What V8 puts before a function that was called as a member of a module or of a plain object."""

EMITTED = "Emitted 'error' event"
AGGREGATE = "AggregateError"


@dataclass
class _Block:
    header: str
    frames: list[Frame]


def read(text: str) -> list[Raised]:
    """The exception that counts, then its causes, or what else an AggregateError holds; empty where there is none."""
    if "\n" not in text or " at " not in text:
        return []
    found = [raised for block in _blocks(text.split("\n")) if (raised := _raised(block))]
    if found and AGGREGATE in text:
        return [one for one in found if one.type != AGGREGATE] or found
    return found


def _blocks(lines: list[str]) -> list[_Block]:
    """Each header with the frames below it; a header is the first line after what came before that names a type."""
    blocks: list[_Block] = []
    above: list[str] = []
    is_open = False
    for line in lines:
        frame = _frame(line)
        if frame:
            if not is_open:
                blocks.append(_Block(_header(above), []))
                above, is_open = [], True
            blocks[-1].frames.append(frame)
        elif not ELIDED.match(line):
            is_open = False
            above = [] if CARET.match(line) else [*above[-100:], line]
    return [block for block in blocks if block.header]


def _header(above: list[str]) -> str:
    if above and above[-1].startswith(EMITTED):
        return ""
    return next((line for line in above if HEADER.search(line)), next(filter(NAMED.match, above), ""))


def _frame(line: str) -> Frame | None:
    found = FRAME.match(line)
    if not found or line.lstrip().startswith("at async Promise."):
        return None
    place = PLACE.match(found["place"] or found["bare"])
    if place is None:
        return Frame("", 0, found["function"] or "", False) if found["function"] else None
    return Frame(
        place["file"], int(place["line"]), _function(found["function"] or ""), not LIBRARIES.search(place["file"])
    )


def _function(text: str) -> str:
    found = METHOD.match(text)
    if found is None:
        return text
    name = found["name"]
    for holder in HOLDERS:
        name = name.removeprefix(holder)
    return "" if name == "<anonymous>" else name


def _raised(block: _Block) -> Raised | None:
    found = HEADER.search(block.header) or NAMED.match(block.header)
    if found is None or not block.frames:
        return None
    return Raised(found["type"].rpartition(".")[2], found["message"] or "", tuple(block.frames))

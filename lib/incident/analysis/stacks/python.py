"""Python's tracebacks, chained and in exception groups, as CPython prints them since 3.6.

The exception that counts is the last one, which ended the program; what it was raised `from` comes after it. Of a
group, what counts is what it holds, since a group only says that there are some.
"""

from __future__ import annotations

import re

from incident.analysis.stacks.stack import Frame, Raised

HEADER = "Traceback (most recent call last):"
OPENING = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\):")
FRAME = re.compile(
    r'^\s+File "(?P<file>[^"\n]{1,500})", line (?P<line>\d{1,9})(?:, in (?P<function>[^\n]{1,200}))?$', re.MULTILINE
)
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.]{0,200})(?:: (?P<message>[^\n]{0,2000}))?$", re.MULTILINE)
LIBRARIES = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<|/gunicorn/|/uvicorn/")
CAUSE = "The above exception was the direct cause of the following exception:"
MARGIN = re.compile(r"^ {0,200}(?:\| ?|\+ (?=Exception Group))", re.MULTILINE)
RULE = re.compile(r"^ {0,200}\+[-+]*(?: \d{1,9} )?-+$", re.MULTILINE)
GROUP = re.compile(r"(?:^|\.)(?:Base)?ExceptionGroup$|Group$")
INLINED = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})
"""Frames that Python 3.12 does not have any more (PEP 709); the same code has them under an older one."""


def read(text: str) -> list[Raised]:
    """The exception that counts, then what it was raised from, or what else was in its group; empty where none is."""
    if HEADER not in text:
        return []
    if "Exception Group " + HEADER in text:
        return _of_group(text) or _of_chain(text)
    return _of_chain(text)


def _of_chain(text: str) -> list[Raised]:
    parts = OPENING.split(text)[1:]
    found: list[Raised] = []
    for part in reversed(parts):
        if found and CAUSE not in part:
            break
        found += [raised for raised in [_raised(part)] if raised]
        if not found:
            break
    return found


def _of_group(text: str) -> list[Raised]:
    """What a group and the groups in it hold, in order."""
    group, *blocks = (MARGIN.sub("", block).strip("\n") for block in RULE.split(text))
    around = [frame for raised in _of_chain(group)[:1] for frame in raised.frames]
    held = (_held(block, tuple(around)) for block in blocks)
    return [raised for raised in held if raised and not GROUP.search(raised.type)]


def _held(block: str, around: tuple[Frame, ...]) -> Raised | None:
    """One exception of a group; one that was never raised has no frames but those of the group around it."""
    if raised := _of_chain(block):
        return raised[0]
    ending = ENDING.match(block)
    return Raised(_short(ending["type"]), ending["message"] or "", around) if ending else None


def _raised(part: str) -> Raised | None:
    """The exception of one traceback, from below its first line on."""
    frames = list(FRAME.finditer(part))
    ending = ENDING.search(part, frames[-1].end() if frames else 0)
    if ending is None:
        return None
    read = [
        Frame(found["file"], int(found["line"]), found["function"] or "", not LIBRARIES.search(found["file"]))
        for found in reversed(frames)
        if found["function"] not in INLINED
    ]
    return Raised(_short(ending["type"]), ending["message"] or "", tuple(read))


def _short(name: str) -> str:
    return name.rpartition(".")[2]

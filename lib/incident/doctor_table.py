"""What `incident doctor` found, as lines for a terminal.

Decides: the layout only. Reads: the lines as plain dicts. Cannot tell: anything that is not in them. A command is
printed so that it can be copied: whole, and broken only where a shell goes on in the next line.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from incident.cells import cells, fitted, wrapped
from incident.http1 import printable

Row = Mapping[str, Any]

MARKS: Final = {"ok": "+", "missing": "x", "uncertain": "?", "skipped": "-"}
COLOURS: Final = {"missing": "1;31", "uncertain": "33", "ok": "36", "skipped": "2"}
"""As in the table of handshakes: bold red, yellow, cyan, dim; each stands on the word that it colours."""

STATUS: Final = 12
LABEL: Final = 9
INDENT: Final = " " * STATUS


def doctor_table(lines: Sequence[Row], width: int = 80, color: bool = False) -> str:
    """A line for what is there, and under each that is not what was found, what it costs and what to do.

    `width` is in cells, at least 60; `color` colours the words of the statuses, for a terminal.

    >>> print(doctor_table([{"name": "clock", "status": "ok", "because": "within 10 s", "lets": "-2h is meant so"}]))
    + ok        clock: within 10 s, so that -2h is meant so
    1 of 1 there
    """
    laid = [text for line in lines for text in _lines(line, max(width, 60), color)]
    return "\n".join([*laid, *wrapped(foot(lines), max(width, 60))])


def _lines(line: Row, width: int, color: bool) -> Iterator[str]:
    """One line of the doctor's, laid out."""
    room, status = width - STATUS, str(line["status"])
    so_that = f", so that {line['lets']}" if status == "ok" and line.get("lets") else ""
    head = wrapped(printable(f"{line['name']}: {line['because']}{so_that}", 1000), room)
    yield f"{_marked(status, color)}{head[0]}"
    yield from (f"{INDENT}{text}" for text in head[1:])
    if status == "ok":
        return
    told = {"missing": ("costs", line.get("costs")), "uncertain": ("risk", line.get("costs"))}
    for label, text in (told.get(status, ("", "")), ("do", line.get("advice"))):
        yield from _labelled(label, wrapped(printable(str(text), 1000), room - LABEL) if text else [])
    yield from _labelled("run", copied(str(line.get("command") or ""), room - LABEL))


def _marked(status: str, color: bool) -> str:
    text = fitted(f"{MARKS[status]} {status}", STATUS)
    return text.replace(status, f"\x1b[{COLOURS[status]}m{status}\x1b[0m") if color else text


def _labelled(label: str, texts: Sequence[str]) -> Iterator[str]:
    for at, text in enumerate(texts):
        yield f"{INDENT}{label if at == 0 else '':<{LABEL}}{text}"


def copied(command: str, room: int) -> list[str]:
    """A command in lines of at most `room` cells that a shell reads as one; a longer word stays whole.

    >>> print("\\n".join(copied("gcloud services enable run.googleapis.com --project=my-project", 50)))
    gcloud services enable run.googleapis.com \\
      --project=my-project
    """
    lines: list[str] = []
    for word in _words(command):
        if lines and cells(lines[-1]) + 1 + cells(word) <= room - 2:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}" if lines else word)
    return [*(f"{line} \\" for line in lines[:-1]), *lines[-1:]]


def _words(command: str) -> list[str]:
    """The words of a command as a shell needs them quoted; `&&` between two commands is none of either."""
    return [word if word == "&&" else shlex.quote(printable(word, 300)) for word in shlex.split(command)]


def foot(lines: Sequence[Row]) -> str:
    """How many are there, and what to do first."""
    needed = [line for line in lines if line.get("needed", True)]
    counts = {status: sum(line["status"] == status for line in needed) for status in MARKS}
    apart = ", ".join(f"{number} {status}" for status, number in counts.items() if number and status != "ok")
    said = f"{counts['ok']} of {len(needed)} there" + (f", {apart}" if apart else "")
    return f"{said}: mend the first of them, and run this again" if counts["missing"] else said

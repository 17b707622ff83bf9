"""Stack traces of Java and Kotlin, as `Throwable.printStackTrace`, logback and log4j write them.

The exception that counts is the root: the last one that others were caused by, since wrappers say little. Frames that
were left out of it (`... 3 more`) are taken from the one around it. What was suppressed on the way does not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from incident.analysis.stacks.stack import Frame, Raised

FRAME = re.compile(
    r"^(?P<indent>\s{1,40})at (?:[\w.@-]{1,100}/){0,3}(?P<function>[\w.$<>-]{1,400})"
    r"\((?P<file>[^():\n]{0,200})(?::(?P<line>\d{1,9}))?\)[^\n]{0,300}$"
)
HEADER = re.compile(
    r"(?:^|[\s:\]])(?P<type>(?:[a-z_][\w$]{0,100}\.){0,12}[A-Z][\w$]{0,200})(?:: (?P<message>[^\n]{0,2000}))?$"
)
QUALIFIED = re.compile(r"^(?:Exception in thread \"[^\"\n]{0,200}\" |\s{0,40}(?:Caused by|Suppressed|Wrapped by): )")
ELIDED = re.compile(r"^\s{1,40}\.\.\. \d{1,9} (?:more|common frames omitted)")
LIBRARIES = re.compile(
    r"^(?:java|javax|jdk|sun|jakarta|kotlin|kotlinx|scala|groovy|reactor|akka|feign|okhttp3|retrofit2|play\.api"
    r"|com\.(?:sun|google\.common|google\.cloud|google\.api|zaxxer|mysql|mongodb|fasterxml|microsoft\.sqlserver)"
    r"|org\.(?:springframework|apache|eclipse|hibernate|postgresql|junit|slf4j|jboss|glassfish|mariadb|redisson)"
    r"|io\.(?:netty|undertow|grpc|vertx|micrometer|lettuce|quarkus|micronaut|opentelemetry|ktor)|redis\.clients"
    r"|ch\.qos\.logback)\."
)


@dataclass
class _Block:
    header: str
    frames: list[Frame] = field(default_factory=list)
    is_suppressed: bool = False


def read(text: str) -> list[Raised]:
    """The exception that counts, alone; empty where there is none."""
    if "\n" not in text or "at " not in text:
        return []
    blocks = [block for block in _blocks(text.split("\n")) if not block.is_suppressed]
    found = HEADER.search(QUALIFIED.sub("", blocks[-1].header)) if blocks else None
    if not found:
        return []
    frames = [frame for block in reversed(blocks) for frame in block.frames]
    return [Raised(re.split(r"[.$]", found["type"])[-1], found["message"] or "", tuple(dict.fromkeys(frames)))]


def _blocks(lines: list[str]) -> list[_Block]:
    """Each header with the frames below it; what follows a suppressed one more deeply indented is of it."""
    blocks: list[_Block] = []
    above: list[str] = []
    is_open = False
    for line in lines:
        if found := FRAME.match(line):
            if not is_open:
                header = _header(above)
                blocks.append(_Block(header, is_suppressed=header.lstrip().startswith("Suppressed: ")))
                above, is_open = [], True
            blocks[-1].frames.append(_frame(found))
        elif not ELIDED.match(line):
            is_open = False
            above = [*above[-100:], line]
    return [block for block in blocks if block.header]


def _header(above: list[str]) -> str:
    """The last line above that says where one begins, else the first that names a class alone."""
    begun = [line for line in above if QUALIFIED.match(line)]
    return begun[-1] if begun else next((line for line in above if HEADER.search(line)), "")


def _frame(found: re.Match[str]) -> Frame:
    function = found["function"]
    return Frame(found["file"] or "", int(found["line"] or 0), function, not LIBRARIES.match(function))

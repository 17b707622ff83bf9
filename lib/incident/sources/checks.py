"""One check of a live endpoint: what it sends, what it expects, and what its result then means.

Decides: the status (`failed`, `uncertain`, `ok`) of what an attempt saw, and its words. Reads: a `Check` and a
`Sighting`; no socket. Cannot tell: who refused; that is for the service's own log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from incident.findings import Status, UsageError
from incident.sources.masking import may_be_secret, shown
from incident.sources.target import refuse_half_characters

Kind = Literal["websocket", "http"]
Row = dict[str, Any]

VERDICTS: Final = ("accepted", "refused", "broken", "unreachable")
OURS: Final = frozenset(
    {"connection", "content-length", "host", "origin", "traceparent", "transfer-encoding", "upgrade", "user-agent"}
    | {"sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-protocol"}
    | {"sec-websocket-version", "x-cloud-trace-context"}
)
"""Headers that the probe writes itself; another value would make it a different question, or hide who asks."""

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True)
class Check:
    """One handshake or HTTP request, and what it should end with.

    `expect` is a verdict (accepted, refused, broken, unreachable), a status (403), or a close code that is to follow
    the acceptance (4401); for kind `http` it is a status. `hold` is in seconds: how long it has to stay open.
    `connections` are opened one after the other and kept; the row is the last one's, or that of the first that was not
    accepted. Header values are never shown, messages and subprotocols only where they cannot be secret.
    """

    name: str = "handshake"
    kind: Kind = "websocket"
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    expect: str = ""
    body_contains: str | None = None
    send: str | None = None
    expect_message: str | None = None
    hold: float = 1.0
    connections: int = 1

    def __post_init__(self) -> None:
        """Refuse what could not be sent or judged."""
        for name, value in self.headers.items():
            check_header(name, value)
        check_header("Origin", self.origin or "", reserved=frozenset())
        for name in self.subprotocols:
            if not TOKEN.fullmatch(name):
                who = "a subprotocol" if may_be_secret(name) else f"subprotocol {name!r}"
                raise UsageError(f"{who} is not a token: use letters, digits and !#$%&'*+-.^_`|~")
        for what in ("send", "expect_message", "path"):
            refuse_half_characters(what, getattr(self, what) or "")
        if not 0 <= self.hold <= 3600:
            raise UsageError(f"hold is {self.hold:g} seconds: give 0 to 3600, the longest request timeout of Cloud Run")
        if not 1 <= self.connections <= 8:
            raise UsageError(f"connections is {self.connections}: give 1 to 8")
        check_expect(self.expected, self.kind)

    @property
    def expected(self) -> str:
        """What it should end with: as given, else `accepted`, and 200 for HTTP."""
        return self.expect or ("accepted" if self.kind == "websocket" else "200")


def check_header(name: str, value: str, reserved: frozenset[str] = OURS) -> None:
    """Raise `UsageError` for a header that may not be sent; the message never shows the value."""
    if not TOKEN.fullmatch(name):
        raise UsageError("a header's name is not a token: write 'Name: value', with no space in the name")
    if name.lower() in reserved:
        raise UsageError(
            f"header {name!r} is written by the probe: leave it out; origin and subprotocol have their own options"
        )
    if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
        raise UsageError(f"header {name!r} has a value that cannot be sent: leave out line breaks and controls")


def check_expect(expect: str, kind: Kind) -> None:
    """Raise `UsageError` for an expectation that no result can meet."""
    status = expect.isascii() and expect.isdigit() and len(expect) == 3 and expect[0] != "0"
    if kind == "http" and not status:
        raise UsageError(f"expect is {expect!r}: an http check expects a status such as 200 or 403")
    if not (status or expect in VERDICTS or re.fullmatch(r"[1-4]\d{3}", expect, re.ASCII)):
        raise UsageError(
            f"expect is {expect!r}: give {', '.join(VERDICTS)}, a status such as 403, or a close code such as 4401"
        )


@dataclass
class Sighting:
    """What one attempt saw, as far as it came; the row's own fields, and how an accepted connection ended."""

    verdict: str | None = None
    stage: str = "resolve"
    http_status: int | None = None
    rule: str | None = None
    because: str = ""
    subprotocol: str | None = None
    close_code: int | None = None
    close_reason: str | None = None
    held_s: float | None = None
    ended: str = ""  # close, eof, reset, or other (an earlier connection ended); empty while all are open
    answered: bool = True  # whether the expected message came, where one was expected
    body: str = ""
    reachable: bool = True
    loopback: bool = False
    addresses: list[Row] = field(default_factory=list)
    tls: Row | None = None
    unchecked: str = ""  # why the certificate is not trusted, of a connection that went on all the same
    timings: dict[str, float | None] = field(default_factory=dict)


def duration(seconds: float) -> str:
    """A duration as people say it.

    >>> duration(0.0804), duration(1.24)
    ('80 ms', '1.2 s')
    """
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f}".removesuffix(".0") + " s"


def ending_words(check: Check, seen: Sighting) -> str:
    """What came after the 101."""
    held = duration(seen.held_s or 0)
    if not seen.ended:
        return f"accepted, still open after {held}"
    if seen.ended == "other":
        return f"accepted, but an earlier connection ended within {held}"
    reason = f" ({seen.close_reason})" if seen.close_reason else ""
    closed = f"closed with {seen.close_code}{reason}"
    how = {"close": closed, "reset": "reset"}.get(seen.ended, "ended without a close")
    answered = "answered, " if check.expect_message is not None and seen.answered and stayed(check, seen) else ""
    return f"accepted, {answered}then {how} after {held}"


def stayed(check: Check, seen: Sighting) -> bool:
    """Whether all connections were open for the hold; an end after it, while a message is awaited, is none of it."""
    return not seen.ended or (seen.ended != "other" and (seen.held_s or 0) >= check.hold)


def judge(check: Check, seen: Sighting, control: bool | None, name: str = "") -> tuple[Status, str]:
    """Status and words of one result. `control`: whether the control name answered; None where it was not asked.

    `name` is that name, for the words.

    An endpoint that cannot be reached is `failed` only where something else can be, or where the target is this
    machine: the fault may be on this side.
    """
    if not seen.reachable:
        return judge_unreachable(check, seen, control, name)
    met = meets_http(check, seen) if check.kind == "http" else meets_websocket(check, seen)
    return ("ok" if met else "failed"), "; ".join(filter(None, words(check, seen)))


def passed_over(seen: Sighting) -> list[str]:
    """What was not checked, which is said aloud, once for all tries.

    >>> passed_over(Sighting(unchecked="certificate has expired"))
    ['the certificate was not checked (--insecure): certificate has expired']
    """
    return [f"the certificate was not checked (--insecure): {seen.unchecked}"] if seen.unchecked else []


def judge_unreachable(check: Check, seen: Sighting, control: bool | None, name: str) -> tuple[Status, str]:
    """An endpoint that gave no answer."""
    if check.expected == "unreachable":
        return "ok", seen.because
    if seen.loopback or control:
        return "failed", seen.because
    why = f"the control name {name} is not reachable either" if control is False else "no control name was asked"
    return "uncertain", f"{seen.because}; {why}, so the fault may be on this side"


def meets_http(check: Check, seen: Sighting) -> bool:
    """The status, and the text in the body where one is expected."""
    return not seen.rule and str(seen.http_status) == check.expected and (check.body_contains or "") in seen.body


def meets_websocket(check: Check, seen: Sighting) -> bool:
    """The expected verdict, status or close code; `accepted` means open for the hold. A message may not be missing."""
    if not seen.answered:
        return False
    if check.expected in ("accepted", "101"):
        return seen.verdict == "accepted" and stayed(check, seen)
    if check.expected in VERDICTS:
        return seen.verdict == check.expected
    if len(check.expected) == 4:
        return seen.ended == "close" and str(seen.close_code) == check.expected
    return seen.verdict == "refused" and str(seen.http_status) == check.expected


def words(check: Check, seen: Sighting) -> list[str]:
    """What was seen, then what was expected and is not there."""
    found = ending_words(check, seen) if seen.verdict == "accepted" else seen.because
    return [
        found,
        f"the message {shown(check.expect_message or '')!r} did not come" if not seen.answered else "",
        f"the body lacks {check.body_contains!r}" if (check.body_contains or "") not in seen.body else "",
        "none of the subprotocols offered was chosen" if none_chosen(check, seen) else "",
    ]


def none_chosen(check: Check, seen: Sighting) -> bool:
    """Legal by RFC 6455, yet browsers close such a connection, so it is said."""
    return seen.verdict == "accepted" and bool(check.subprotocols) and not seen.subprotocol

"""What a rule may say: the four statuses, a gap, a finding, a check, and how a run's status follows from them.

Reads nothing. Everything here is a plain value, so that the order of causes and the status of a run can be
read, and tested, without evidence. It cannot tell whether a finding is true: that is its rule's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["failed", "uncertain", "ok", "skipped"]

STATUSES: tuple[Status, ...] = ("failed", "uncertain", "ok", "skipped")
"""From worst to best: `failed` (found) > `uncertain` (undecided) > `ok` (looked for, not there) > `skipped`."""

EXIT_CODES: dict[str, int] = {"ok": 0, "failed": 3, "uncertain": 4, "skipped": 4}
"""The exit code of a command that ends with this status; 1 a crash, 2 wrong usage, 130 interrupted."""

DECISIVE_FRAMES = ("logs", "revisions")
"""A gap on one of these lowers a run's status; a gap elsewhere is said, and leaves the verdict."""

Key = tuple[str, ...]


class UsageError(ValueError):
    """Ours to mend at the keyboard: a wrong name, value or file. Exit code 2, before any kernel starts."""


class SourceError(RuntimeError):
    """The other side's: a call that was refused, or an answer that cannot be read."""


@dataclass(frozen=True)
class Gap:
    """Evidence that is missing from `frame`, why, and what would mend it.

    `kind` is one of capped, partial, late, unsettled, refused, absent, empty, silent.

    >>> Gap("logs", "permission denied", "grant roles/logging.viewer", "refused").as_json()["frame"]
    'logs'
    """

    frame: str
    reason: str
    remedy: str
    kind: str = "partial"

    def excused_by(self, sign: PositiveSign | None) -> bool:
        """Whether this is only a tail that has not settled, and the probe itself saw a handshake accepted."""
        return self.kind == "unsettled" and sign is not None and sign.probed

    def as_json(self) -> dict[str, str]:
        """The gap as `summary.json` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """What one cause's rule found.

    `revisions` are full names, oldest first; `started` and `ended` are ISO 8601 in UTC. `evidence` names rows as
    (frame, key columns as text). `share` is the part of the failing requests that the cause explains, `time_share` of
    the minutes in which requests failed, both 0 to 1, and `explains` says both in words. `contradicts` holds what
    speaks against the cause, `missing` what could not be looked at and would settle it.
    """

    cause: str
    status: Status
    because: str
    active: bool = False
    introduced_by: str | None = None
    revisions: tuple[str, ...] = ()
    started: str | None = None
    ended: str | None = None
    mended_by: str | None = None
    evidence: tuple[tuple[str, Key], ...] = ()
    remedy: str = ""
    share: float = 0.0
    time_share: float = 0.0
    explains: str = ""
    contradicts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The finding as `summary.json` holds it."""
        fields = asdict(self)
        fields |= {name: list(fields[name]) for name in ("revisions", "contradicts", "missing")}
        fields["evidence"] = [{"frame": frame, "key": list(key)} for frame, key in self.evidence]
        return fields


@dataclass(frozen=True)
class Check:
    """One thing that was tried, what was expected of it and what came; `kind` is websocket, http or log."""

    check: str
    kind: Literal["websocket", "http", "log"]
    expected: str
    observed: str
    status: Status
    because: str
    before: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The check as `summary.json` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class PositiveSign:
    """What shows that the service works, and whether the probe itself saw it."""

    because: str
    probed: bool


@dataclass(frozen=True)
class Verdict:
    """A run's status with the sentence that says what decided it."""

    status: Status
    because: str
    undecided: tuple[str, ...] = ()


def worst(statuses: Iterable[str]) -> Status:
    """The worst of some statuses; `skipped` when there is none.

    >>> worst(["ok", "uncertain", "skipped"])
    'uncertain'
    """
    present = set(statuses)
    return next((status for status in STATUSES if status in present), "skipped")


def ordered(findings: Iterable[Finding], serving: Sequence[str] = ()) -> list[Finding]:
    """Findings in the order a reader needs: active, ended, uncertain, ok, skipped.

    Among active ones those on a revision in `serving` come first, then the larger share of failing requests, then of
    the time in which they failed, then the earlier onset; ended ones by their end, the latest first. The primary cause
    is the first, if it is active.
    """
    active: list[Finding] = []
    ended: list[Finding] = []
    rest: list[Finding] = []
    for finding in findings:
        place = rest if finding.status != "failed" else active if finding.active else ended
        place.append(finding)
    active.sort(key=lambda f: (not set(f.revisions) & set(serving), -f.share, -f.time_share, f.started or "", f.cause))
    ended.sort(key=lambda f: f.cause)
    ended.sort(key=lambda f: f.ended or "", reverse=True)
    rest.sort(key=lambda f: (STATUSES.index(f.status), f.cause))
    return active + ended + rest


def primary(findings: Iterable[Finding], serving: Sequence[str] = ()) -> Finding | None:
    """The first active cause, or None where no cause is active."""
    return next((f for f in ordered(findings, serving) if f.status == "failed" and f.active), None)


def run_status(
    findings: Sequence[Finding], checks: Sequence[Check], gaps: Sequence[Gap], sign: PositiveSign | None
) -> Verdict:
    """A run's status (CONTRACTS, "Statuses"), and why.

    `failed`: a check fails now, or a `failed` cause is active. Else `uncertain`: a check that was to run could not, a
    gap on `logs` or `revisions`, or no positive sign. Else `ok`. An unsettled tail of the logs does not stop `ok`
    when the probe itself saw a handshake accepted.
    """
    failing = [check.check for check in checks if check.status == "failed"]
    active = [f.cause for f in findings if f.status == "failed" and f.active]
    if failing or active:
        return Verdict("failed", _failed_words(active, failing))
    undecided = _undecided(checks, gaps, sign)
    if sign is None or undecided:
        return Verdict("uncertain", undecided[0], tuple(undecided))
    return Verdict("ok", sign.because)


def _failed_words(active: Sequence[str], failing: Sequence[str]) -> str:
    causes = f"active: {', '.join(active)}" if active else "no active cause is known"
    checks = f"{len(failing)} failing check{'' if len(failing) == 1 else 's'}" if failing else "no check fails"
    return f"{causes}; {checks}"


def _undecided(checks: Sequence[Check], gaps: Sequence[Gap], sign: PositiveSign | None) -> list[str]:
    """All that stands between a run and `ok`: missing evidence first, since the rest may only follow from it."""
    reasons = []
    for gap in gaps:
        if gap.frame in DECISIVE_FRAMES and not gap.excused_by(sign):
            reasons.append(f"{gap.frame}: {gap.reason}")
    reasons += [f"check {c.check} could not be decided: {c.because}" for c in checks if c.status == "uncertain"]
    if sign is None:
        reasons.append("nothing shows that the service works: no handshake was seen accepted and no socket opened")
    return reasons

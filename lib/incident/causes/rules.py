"""How a cause's rule is declared, how what it found becomes a finding, and the one place that may say `ok`.

A rule reads a `Case` and returns a `Finding`. It declares the frames it reads, so that its silence can be weighed: a
cause that was not found in evidence with a gap is `uncertain`, never `ok`. Its docstring is its page in `docs/causes/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.effects import ENOUGH
from incident.analysis.ongoing import still_failing
from incident.evidence import Evidence
from incident.findings import Finding
from incident.frames import keys
from incident.scope import rfc3339

CITED = 20
"""The most rows of one frame that a finding cites."""

QUIET_TIMES = 3

TOGETHER = pd.Timedelta("1s")
"""Clocks of the platform's logs and of requests differ by less: what failed this long before an onset is part of it."""

Judge = Callable[[Case], Finding]


@dataclass(frozen=True)
class Rule:
    """A cause by its name, the frames that its rule reads, and the rule."""

    name: str
    reads: tuple[str, ...]
    judge: Judge


def rule(name: str, *reads: str) -> Callable[[Judge], Rule]:
    """Make a rule of a function, and declare the frames that it reads."""
    return lambda judge: Rule(name, reads, judge)


def found(
    name: str, case: Case, because: str, remedy: str, *, shown: pd.DataFrame, failing: pd.DataFrame,
    handshakes: pd.DataFrame | None = None, **known: Any,
) -> Finding:  # fmt: skip
    """A cause that was found.

    `shown` are the log entries that show it (rows of `Case.entries`, `Case.requests` or `service_logs`), `failing` the
    requests (rows of `Case.requests`) that it explains, `handshakes` the probe's that it explains. What failed before
    the cause began is not explained by it. `known` sets what the rule knows better: `revisions` (else those of
    `shown`), `started`, `active`, `introduced_by`, `evidence` beyond these rows, `contradicts`, `missing`.
    """
    tried = case.evidence.handshakes[:0] if handshakes is None else handshakes
    onset = known.pop("started", None) or _onset(shown, failing, tried)
    names = case.age_order(known.pop("revisions", None) or shown["revision_name"].dropna())
    explained = failing[failing["ended"] >= onset - TOGETHER]
    kinds = set(explained["request_kind"])
    active = known.pop("active", None)
    if active is None:
        active = still_failing(shown, case.requests, kinds, case.serving, case.evidence.endpoint_handshakes)
    introduced_by = known.pop("introduced_by", case.introduced_by(names, onset, kinds))
    mended_by = known.pop(
        "mended_by", None if active else case.mended_by(names, kinds) or _quiet_since(case, shown, names)
    )
    share, time_share, explains = explanation(case, explained, tried)
    evidence = known.pop("evidence", ())
    return Finding(
        name, "failed", because, active, introduced_by=introduced_by, revisions=names, started=rfc3339(onset),
        ended=None if active else rfc3339(_last(shown, explained, tried, onset)),
        mended_by=mended_by,
        evidence=(*evidence, *_cited("logs", shown), *_cited("logs", explained), *_cited("handshakes", tried)),
        remedy=remedy, share=share, time_share=time_share, explains=explains, **known,
    )  # fmt: skip


def explanation(case: Case, explained: pd.DataFrame, tried: pd.DataFrame) -> tuple[float, float, str]:
    """How much of what failed some requests and handshakes are: of the requests, of the minutes, and in words.

    Where the fault lies before the service, its log is silent: then the share is that of the probe's failing checks.
    """
    failed = case.failed_requests
    many, of = int(explained["weight"].sum()), int(failed["weight"].sum())
    minutes, of_minutes = (rows["ended"].dt.floor("min").nunique() for rows in (explained, failed))
    checks = case.evidence.endpoint_handshakes["status"].eq("failed").sum()
    shares = (many / max(1, of), len(tried) / max(1, checks) if len(tried) else 0.0)
    words = [f"{many} of {of} failing requests, in {minutes} of {of_minutes} minutes with failures"] if of else []
    words += [f"{len(tried)} of {checks} failing checks"] if len(tried) else []
    return min(1.0, max(shares)), minutes / max(1, of_minutes), "; ".join(words) or "no failing request"


def not_found(name: str, case: Case, reads: Iterable[str], ruled_out_by: str = "") -> Finding:
    """The cause was looked for and is not there: `ok` where every frame it reads is whole, else `uncertain`.

    A tail that has not settled is no obstacle once the probe itself saw a handshake accepted. `ruled_out_by` says what
    speaks against the cause, where the rule knows more than that nothing shows it.
    """
    sign = case.positive_sign
    gaps = [gap for frame in reads if (gap := case.evidence.gap(frame)) and not gap.excused_by(sign)]
    if gaps:
        missing = tuple(f"{gap.frame}: {gap.reason}" for gap in gaps)
        return Finding(name, "uncertain", because=missing[0], remedy=gaps[0].remedy, missing=missing)
    because = ruled_out_by or searched(case.evidence, reads)
    return Finding(name, "ok", because=because, contradicts=(because,))


def undecided(
    name: str, case: Case, because: str, remedy: str, *, shown: pd.DataFrame | None = None, missing: Sequence[str] = ()
) -> Finding:
    """Something points at the cause and does not prove it: `uncertain`, with what would settle it in `missing`."""
    rows = case.requests[:0] if shown is None else shown
    names = case.age_order(rows["revision_name"].dropna())
    return Finding(
        name, "uncertain", because=because, revisions=names, evidence=_cited("logs", rows), remedy=remedy,
        missing=tuple(missing) or (remedy,),
    )  # fmt: skip


def skipped(name: str, because: str) -> Finding:
    """The cause cannot apply here, and why."""
    return Finding(name, "skipped", because=because)


def searched(evidence: Evidence, reads: Iterable[str]) -> str:
    """What was looked through in vain, with the number of rows."""
    counted = (f"{len(evidence.frames[frame]):,} {'rows of ' if frame != 'logs' else ''}{frame}" for frame in reads)
    return f"looked for in {' and '.join(counted)}, and not there"


def numbers(case: Case, names: Iterable[str]) -> str:
    """Revisions as people call them, oldest first: `00136, 00137`."""
    return ", ".join(map(short_name, case.age_order(names)))


def _quiet_since(case: Case, shown: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first revision after those affected that answered enough requests well to show it again, and did not.

    At the rate of the affected ones it would have by then with 95 % certainty: three times as many requests as one
    occurrence took on average (Hanley and Lippman-Hand, JAMA 249, 1983).
    """
    by_revision = case.requests.assign(good=case.requests["weight"] * ~case.requests["failed"])
    totals = by_revision.groupby("revision_name", observed=True)[["weight", "good"]].sum()
    had = totals["weight"].reindex(list(names)).fillna(0).sum()
    order = case.age_order({*names, *case.changes["revision_name"]})
    newest = max((order.index(name) for name in names), default=len(order))
    if not len(shown) or not had:
        return None
    enough = max(ENOUGH, QUIET_TIMES * had / len(shown))
    return next((name for name in order[newest + 1 :] if totals["good"].get(name, 0) >= enough), None)


def _onset(shown: pd.DataFrame, failing: pd.DataFrame, tried: pd.DataFrame) -> pd.Timestamp:
    """The first moment of what shows a cause; of what it explains, where nothing shows it by itself."""
    times = [rows.min() for rows in (shown["timestamp"], tried["time"]) if rows.notna().any()]
    return min(times) if times else failing["timestamp"].min()


def _last(shown: pd.DataFrame, explained: pd.DataFrame, tried: pd.DataFrame, onset: pd.Timestamp) -> pd.Timestamp:
    """The last moment that shows a cause; of what it explains, where nothing shows it by itself."""
    times = (rows.max() for rows in (shown["timestamp"], tried["time"], explained["timestamp"]))
    return next((time for time in times if pd.notna(time)), onset)


def _cited(frame: str, rows: pd.DataFrame) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return keys(frame, rows, CITED)

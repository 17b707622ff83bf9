"""How a cause's rule is declared, and the one place that may say `ok`.

A rule reads a `Case` and returns a `Finding`. It declares the frames it reads, so that its silence can be weighed: a
cause that was not found in evidence with a gap is `uncertain`, never `ok`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from incident.analysis.case import Case
from incident.evidence import Evidence
from incident.findings import Finding

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


def not_found(name: str, case: Case, reads: Iterable[str]) -> Finding:
    """The cause was looked for and is not there: `ok` where every frame it reads is whole, else `uncertain`.

    A tail that has not settled is no obstacle once the probe itself saw a handshake accepted.
    """
    sign = case.positive_sign
    for frame in reads:
        gap = case.evidence.gap(frame)
        if gap and not gap.excused_by(sign):
            return Finding(name, "uncertain", because=f"{frame}: {gap.reason}", remedy=gap.remedy)
    return Finding(name, "ok", because=searched(case.evidence, reads))


def searched(evidence: Evidence, reads: Iterable[str]) -> str:
    """What was looked through in vain, with the number of rows."""
    counted = (f"{len(evidence.frames[frame]):,} {'rows of ' if frame != 'logs' else ''}{frame}" for frame in reads)
    return f"looked for in {' and '.join(counted)}, and not there"

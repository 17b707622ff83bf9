"""Every cause that is known, each a rule of its own; one explicit tuple of all of them."""

from __future__ import annotations

from incident.analysis.case import Case
from incident.causes.application_refusal import app_refused
from incident.causes.rules import Rule
from incident.causes.startup import startup_exception
from incident.findings import Finding, ordered

CAUSES: tuple[Rule, ...] = (startup_exception, app_refused)
"""The registry: `causes` of a summary holds each of these once."""


def judged(case: Case) -> list[Finding]:
    """What every known cause comes to on a case, in the order of a summary; the primary cause first."""
    return ordered([rule.judge(case) for rule in CAUSES], case.serving)

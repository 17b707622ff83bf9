"""Every cause that is known, each a rule of its own; one explicit tuple of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from incident.analysis.case import Case
from incident.causes.application_refusal import app_refused
from incident.causes.rules import Rule
from incident.causes.startup import startup_exception
from incident.findings import Finding, ordered

COLUMNS = ["cause", "status", "active", "introduced_by", "mended_by", "because", "remedy"]

CAUSES: tuple[Rule, ...] = (startup_exception, app_refused)
"""The registry: `causes` of a summary holds each of these once."""


def judged(case: Case) -> list[Finding]:
    """What every known cause comes to on a case, in the order of a summary; the primary cause first."""
    return ordered([rule.judge(case) for rule in CAUSES], case.serving)


def cause_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a frame for people: COLUMNS, one row a cause, in their order."""
    return pd.DataFrame([finding.as_json() for finding in findings], columns=COLUMNS)

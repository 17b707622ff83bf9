"""Every cause that is known, each a rule of its own; one explicit tuple of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from incident.analysis.case import Case
from incident.causes.application_refusal import app_refused
from incident.causes.rules import Rule
from incident.causes.startup import startup_exception
from incident.findings import STATUSES, Finding, Status, ordered

COLUMNS = [
    "cause", "status", "active", "because", "explains", "contradicts", "missing", "introduced_by", "mended_by",
    "remedy",
]  # fmt: skip
"""What a table of causes says of each."""

CAUSES: tuple[Rule, ...] = (startup_exception, app_refused)
"""The registry: `causes` of a summary holds each of these once."""


def judged(case: Case) -> list[Finding]:
    """What every known cause comes to on a case, in the order of a summary; the primary cause first."""
    return ordered([rule.judge(case) for rule in CAUSES], case.serving)


def cause_table(findings: Iterable[Finding], *statuses: Status) -> pd.DataFrame:
    """Findings as a frame for people: COLUMNS, one row a cause, in their order; of some statuses only, where given."""
    wanted = statuses or STATUSES
    return pd.DataFrame([found.as_json() for found in findings if found.status in wanted], columns=COLUMNS)

"""Every cause that is known, each a rule of its own; one explicit tuple of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from incident.analysis.case import Case
from incident.causes.access import iam_denied, ingress_denied
from incident.causes.application_refusal import app_refused, origin_refused
from incident.causes.before_service import dns_failure, proxy_strips_upgrade, tls_invalid
from incident.causes.dependency import dependency_unreachable
from incident.causes.deploy import image_unavailable, port_not_listening, secret_unavailable, startup_timeout
from incident.causes.instances import instance_crash, memory_limit, no_instance
from incident.causes.protocol import http2_end_to_end, upgrade_unsupported, wrong_path
from incident.causes.rules import Rule
from incident.causes.sockets import idle_timeout, request_timeout
from incident.causes.startup import startup_exception
from incident.findings import STATUSES, Finding, Status, ordered

COLUMNS = [
    "cause", "status", "active", "because", "explains", "contradicts", "missing", "introduced_by", "mended_by",
    "remedy",
]  # fmt: skip
"""What a table of causes says of each."""

CAUSES: tuple[Rule, ...] = (
    startup_exception, port_not_listening, startup_timeout, memory_limit, image_unavailable, secret_unavailable,
    dependency_unreachable, iam_denied, ingress_denied, app_refused, origin_refused, no_instance, request_timeout,
    idle_timeout, http2_end_to_end, upgrade_unsupported, proxy_strips_upgrade, wrong_path, instance_crash, tls_invalid,
    dns_failure,
)  # fmt: skip
"""The registry: `causes` of a summary holds each of these once."""


def judged(case: Case) -> list[Finding]:
    """What every known cause comes to on a case, in the order of a summary; the primary cause first."""
    found: list[Finding] = case.once("judged", lambda: [rule.judge(case) for rule in CAUSES])
    return ordered(found, case.serving)


def cause_table(findings: Iterable[Finding], *statuses: Status) -> pd.DataFrame:
    """Findings as a frame for people: COLUMNS, one row a cause, in their order; of some statuses only, where given."""
    wanted = statuses or STATUSES
    return pd.DataFrame([found.as_json() for found in findings if found.status in wanted], columns=COLUMNS)

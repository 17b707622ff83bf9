"""One run's answer, computed from its evidence alone: `summary.json` without the run's own name and clock.

Decides nothing that is not decided elsewhere: it puts the causes, checks, sequence and changes side by side in the
form that CONTRACTS fixes as schema 1, so that the same evidence gives the same summary, years later too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.requests import kind_counts
from incident.causes import judged
from incident.evidence import Evidence
from incident.findings import Finding, run_status
from incident.scope import rfc3339

SCHEMA = 1


def summary(evidence: Evidence, case: Case | None = None) -> dict[str, Any]:
    """What a run found, in schema 1; `because` says what decided its status.

    `case` is the evidence's own, where there is one already. Beyond CONTRACTS it holds `because`, `serving`,
    `missing_revisions`, `notes`, and `requests`: how many of each kind each revision answered, and how many failed,
    which a later run compares itself with.
    """
    case = case or Case(evidence)
    causes = judged(case)
    verdict = run_status(causes, case.checks, evidence.gaps, case.positive_sign)
    return {
        "schema": SCHEMA,
        "scope": evidence.scope.as_json(),
        "status": verdict.status,
        "because": verdict.because,
        "gaps": [gap.as_json() for gap in evidence.gaps],
        "causes": [cause.as_json() for cause in causes],
        "checks": [check.as_json() for check in case.checks],
        "error_sequence": [_sequence_row(row) for row in case.sequence.to_dict("records")],
        "changes": [_change_row(row) for row in case.all_changes.to_dict("records")],
        "last_good": last_good(case, causes),
        "serving": case.serving,
        "missing_revisions": case.missing_revisions,
        "requests": [_request_row(row) for row in kind_counts(case.settled_requests).to_dict("records")],
        "notes": list(evidence.notes),
    }


def last_good(case: Case, causes: Sequence[Finding]) -> dict[str, str] | None:
    """The newest revision on which the checks passed or sockets opened, why, and the line that goes back to it.

    Never one that an active cause is on, nor one that broke what its predecessor did. The line is empty where that
    revision alone serves: there is nothing to go back to.
    """
    bad = {name for cause in causes if cause.active for name in cause.revisions}
    bad |= set(case.changes.loc[case.changes["effect"] == "broke", "revision_name"])
    tried = [check for check in case.checks if check.kind != "log" and check.status != "skipped"]
    probed = _probed(case)
    if tried and probed and probed not in bad and all(check.status == "ok" for check in tried):
        return _good(case, probed, f"{len(tried)} of {len(tried)} checks passed on it")
    opened = case.opened[case.opened["revision_name"].notna() & ~case.opened["revision_name"].isin(bad)]
    if opened.empty:
        return None
    newest = case.age_order(opened["revision_name"])[-1]
    sockets = opened[opened["revision_name"] == newest]
    last = f"{sockets['timestamp'].max():%Y-%m-%d %H:%M:%S} UTC"
    return _good(case, newest, f"{int(sockets['weight'].sum())} sockets opened on it, the last at {last}")


def _probed(case: Case) -> str | None:
    """The one revision that answered the live handshakes: by its own log entries, or because it alone serves."""
    alone = case.serving[0] if len(case.serving) == 1 else ""
    answered = set(case.evidence.endpoint_handshakes["revision_name"].fillna(alone)) - {""}
    return answered.pop() if len(answered) == 1 else None


def go_back(case: Case, revision: str) -> str:
    """The gcloud line that sends all traffic to a revision."""
    scope = case.evidence.scope
    return (
        f"gcloud run services update-traffic {scope.service} --to-revisions {revision}=100 "
        f"--region {scope.region} --project {scope.project}"
    )


def _good(case: Case, revision: str, because: str) -> dict[str, str]:
    remedy = "" if case.serving == [revision] else go_back(case, revision)
    return {"revision": revision, "because": f"{short_name(revision)}: {because}", "remedy": remedy}


def _sequence_row(row: dict[str, Any]) -> dict[str, Any]:
    names = ("order", "group", "title", "first_seen_time", "last_seen_time", "count", "revisions", "follows",
             "follows_count", "follows_because", "background", "kind")  # fmt: skip
    return {name: _plain(row[name]) for name in names}


def _change_row(row: dict[str, Any]) -> dict[str, Any]:
    names = {"time": "time", "revision": "revision_name", "by": "by", "kinds": "kinds", "fields": "fields",
             "effect": "effect", "confounded": "confounded", "on": "on", "compared_with": "compared_with",
             "build_id": "build_id", "commit": "commit"}  # fmt: skip
    return {name: _plain(row[column]) for name, column in names.items()}


def _request_row(row: dict[str, Any]) -> dict[str, Any]:
    names = {"revision": "revision_name", "kind": "request_kind", "count": "count", "failed": "failed"}
    return {name: _plain(row[column]) for name, column in names.items()}


def _plain(value: Any) -> Any:
    """A value as JSON holds it: times as text, missing ones as null."""
    if isinstance(value, list):
        return value
    if isinstance(value, pd.Timestamp):
        return rfc3339(value)
    return None if pd.isna(value) else value.item() if hasattr(value, "item") else value

"""What each revision changed, by whom and when, and to which effect on which requests and checks, in one table.

Reads a case. A change outside revisions (traffic, IAM, ingress, settings of the service) is a row without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from incident.analysis.rows import revision_rows

if TYPE_CHECKING:
    from incident.analysis.case import Case

COLUMNS = ("revision", "time", "by", "kinds", "fields", "effect", "on", "checks", "build", "commit")


def what_changed(case: Case) -> pd.DataFrame:
    """One row a change, oldest first, and one for a number that no revision bears, with the columns of COLUMNS.

    `time` is UTC; `effect` is broke, fixed, none, unknown, `before` for the first revision, or `missing`; `on` the
    kinds of request that decided it; `checks` how many of the checks that this revision answered came out as expected;
    `build` and `commit` are the first eight and seven characters.
    """
    evidence = case.evidence
    changes = {row["revision_name"]: row for row in case.changes.to_dict("records")}
    made = case.revisions.set_index("revision_name")[["build_id", "commit"]].to_dict("index")
    found = revision_rows(case.revisions, case.changes, case.requests, case.missing_revisions, evidence.builds)
    rows = [
        changes.get(row["revision_name"], {}) | _row(case, row, made.get(row["revision_name"], {}))
        for row in found.to_dict("records")
    ]
    rows += [row | {"revision": "", "checks": "", "build": "", "commit": ""} for row in _outside(case)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    when = table["time"].ffill().bfill()  # a number that no revision bears stays behind the one before it
    return table.loc[when.sort_values(kind="stable").index].reset_index(drop=True)


def _outside(case: Case) -> list[dict[str, Any]]:
    effects = case.outside_changes["effect"].where(~case.outside_changes["confounded"].astype("bool"), "confounded")
    rows: list[dict[str, Any]] = case.outside_changes.assign(effect=effects).to_dict("records")
    return rows


def _row(case: Case, row: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    effect = f"{row['state']}, confounded" if row["confounded"] is True else row["state"]
    build, commit = (str(value) if isinstance(value := made.get(name), str) else "" for name in ("build_id", "commit"))
    return {
        "revision": row["number"], "time": row["time"], "effect": effect, "checks": _checks(case, row["revision_name"]),
        "build": build[:8], "commit": commit[:7],
    }  # fmt: skip


def _checks(case: Case, revision_name: str) -> str:
    answered = case.evidence.endpoint_handshakes
    answered = answered[answered["revision_name"] == revision_name]
    passed = int((answered["status"] == "ok").sum())
    return f"{passed:,} of {len(answered):,}" if len(answered) else ""

"""What serves now, by component: environment variables, code, build, service health.

Reads revisions, builds, the service and the checks of a case. It cannot tell an environment variable's value, only
which ones are set and which changes touched them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from incident.analysis.report_part import UNKNOWN, Cells, Part, frame_counts, report_part, short
from incident.analysis.rows import short_image

if TYPE_CHECKING:
    from incident.analysis.case import Case


def deployment(case: Case) -> Part:
    """What serves now, by component: environment variables, code, build, service health."""
    revisions = case.evidence.revisions
    serving = revisions[revisions["revision_name"].isin(case.serving)].to_dict("records")
    rows = [_environment(case, serving), _code(serving), _build(case, serving), _health(case)]
    source = frame_counts(case, "revisions", "builds", "service", "traffic", "handshakes")
    return report_part("Deployment status", ("component", "state", "detail"), rows, source, "")


def _environment(case: Case, serving: Sequence[Mapping[str, Any]]) -> Cells:
    if not serving:
        return "environment variables", UNKNOWN, "which revision serves is not known"
    changed = [field for fields in case.changes["fields"] for field in fields if field.startswith("env.")]
    names = sorted({name for row in serving for name in json.loads(_text(row["environment"]) or "{}")})
    words = ", ".join(field.removeprefix("env.") for field in changed) or "none"
    return "environment variables", f"{len(names)} set", f"{', '.join(names)}; changes that were read: {words}"


def _code(serving: Sequence[Mapping[str, Any]]) -> Cells:
    detail = "; ".join(f"image {short_image(row)} in {short(row['revision_name'])}" for row in serving)
    return "code", "live" if serving else UNKNOWN, detail or "which revision serves is not known"


def _build(case: Case, serving: Sequence[Mapping[str, Any]]) -> Cells:
    builds = case.evidence.builds.sort_values("create_time", kind="stable")
    if builds.empty:
        gap = case.evidence.gap("builds")
        return "build", UNKNOWN, gap.reason if gap else "no build is known"
    newest = builds.iloc[-1]
    used = newest["build_id"] in {row["build_id"] for row in serving}
    return "build", str(newest["status"]), f"{newest['build_id']}, {'serves' if used else 'does not serve'}"


def _health(case: Case) -> Cells:
    check = next((check for check in case.checks if check.check == "health"), None)
    ready = [bool(value) for value in case.evidence.service["ready"].dropna()]
    said = f"the service says Ready {'yes' if ready[0] else 'no'}" if ready else "whether it is Ready is not known"
    if check is None:
        return "service health", UNKNOWN, f"health was not tried; {said}"
    return "service health", check.status, f"health answered {check.observed or 'nothing'}; {said}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

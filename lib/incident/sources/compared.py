"""Another service, as it serves now, for a comparison: staging beside production.

Decides what is asked of it: the service, the revision that holds most of its traffic, and its IAM policy, by the
clients and with the care of any pull. Reads only. What it refuses is a gap on the frame `compared`, and no other frame
suffers. It cannot tell a digest that the image's own name does not say, nor what the project's own policy grants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from google.cloud.run_v2.types import ListRevisionsRequest, Revision
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest

from incident.findings import Gap
from incident.frames import rows_frame
from incident.sources import admin
from incident.sources.cloud import Pull, Pulled, ask_service
from incident.sources.entry_pages import PAGE_SIZE

if TYPE_CHECKING:
    from incident.scope import Scope

FRAME = "compared"
COLUMNS = ("revision_name", "create_time", "image", "image_digest", "commit", "build_id", "environment", "settings")


def with_other(came: Pulled, pull: Pull, name: str) -> Pulled:
    """What came, with the frame `compared` for the service that PROJECT/REGION/SERVICE names."""
    other = Pull(other_scope(pull.scope, name), pull.clients, pull.calls, pull.clock, pull.sleep)
    ask_service(other)
    rows = [_row(name, other)] if other.service else []
    gaps = tuple(Gap(FRAME, gap.reason, gap.remedy, gap.kind) for gap in other.gaps)
    return replace(
        came, frames={**came.frames, FRAME: rows_frame(FRAME, rows)}, gaps=(*came.gaps, *dict.fromkeys(gaps)),
        complete=came.complete if gaps else came.complete | {FRAME},
        queries=(*came.queries, *(replace(query, frame=FRAME) for query in other.queries)),
    )  # fmt: skip


def other_scope(scope: Scope, name: str) -> Scope:
    """The scope of the service that PROJECT/REGION/SERVICE names."""
    project, region, service = name.split("/")
    return replace(scope, project=project, region=region, service=service)


def _row(name: str, other: Pull) -> Mapping[str, object]:
    service = admin.service_row(other.service) if other.service else {}
    revision = admin.revision_row(found) if (found := _serving(other)) else dict.fromkeys(COLUMNS)
    members = _members(other)
    return {
        "service_name": name, **{column: revision[column] for column in COLUMNS},
        "ingress": service.get("ingress"), "invoker_iam_disabled": service.get("invoker_iam_disabled"),
        "members": None if members is None else json.dumps(members, sort_keys=True),
    }  # fmt: skip


def _serving(other: Pull) -> Revision | None:
    """The revision that holds most of the other service's traffic; None where none does, or it does not say."""
    assert other.service is not None
    rows = admin.traffic_rows(other.service, other.scope.end)
    name = max(rows, key=lambda row: row["percent"], default={"revision_name": None})["revision_name"]
    found = _revision(other, name)
    if found is None and not other.gap("revisions"):
        other.miss(
            Gap("revisions", f"no revision of {other.name} holds traffic", "deploy it, then run again", "absent")
        )
    return found


def _revision(other: Pull, name: str | None) -> Revision | None:
    request, found = ListRevisionsRequest(parent=other.name, page_size=PAGE_SIZE), dict[str, Revision]()
    with other.asking("revisions", f"{other.name}/revisions") as asked:
        for page in other.calls.pages(other.clients.revisions.list_revisions, request):
            asked.rows += len(page.revisions)
            found |= {admin.short(revision.name): revision for revision in page.revisions}
            if name in found:
                break
    return found.get(name or "")


def _members(other: Pull) -> dict[str, list[str]] | None:
    """The members of each role of the other service's own policy; None where it may not be read."""
    found: list[dict[str, list[str]]] = []
    with other.asking("iam", f"{other.name}:getIamPolicy") as asked:
        request = GetIamPolicyRequest(resource=other.name)
        rows = admin.iam_rows(other.calls.make(other.clients.services.get_iam_policy, request))
        asked.rows = len(rows)
        roles = {row["role"] for row in rows}
        found.append({role: [row["member"] for row in rows if row["role"] == role] for role in roles})
    return found[0] if found else None

"""The box's state as files that gcloud would have written: what `export:DIR` reads.

Writes the messages that the stand-in's APIs would return as REST JSON, and the resources of Cloud Run in v1 form (what
`gcloud run … --format=json` prints) or in v2. It cannot tell whether gcloud's files look so in every part: they were
never compared with a real project's; `docs/export.md` says so.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from google.cloud.devtools.cloudbuild_v1.types import Build
from google.cloud.run_v2.types import Revision, Service
from google.iam.v1 import iam_policy_pb2
from google.protobuf import json_format

from incident.drill import audit
from incident.drill.box import Box
from incident.drill.google_apis import get_iam_policy
from incident.drill.service import RevisionRecord, build_v1, revision_v2, service_v2

Form = Literal["v1", "v2"]
Json = Any

EXTRA_ANNOTATIONS = {"run.googleapis.com/startup-cpu-boost": "true"}
"""What the box's revisions are set to beyond what their audit entries show."""

UNKNOWN_TO_CLIENTS = {"errorGroups": [{"id": "CNC8p7X2v6aPTA"}], "apphub": {"service": {"id": "a"}}}
"""Fields that entries have in REST JSON and that the official client's message does not."""


def documents(box: Box, form: Form) -> dict[str, Json]:
    """The content of each file by its name without `.json`; entries, revisions and builds newest first."""
    service = box.service
    policy = get_iam_policy(service, iam_policy_pb2.GetIamPolicyRequest(resource=service.full_name))
    return {
        "logs": [log_entry(entry) for entry in reversed(list(box.store))],
        "service": service_v1(box) if form == "v1" else _json(Service.pb(service_v2(service))),
        "revisions": [revision(box, record, form) for record in reversed(service.revisions)],
        "builds": [_json(Build.pb(build_v1(service, build))) for build in reversed(service.builds)],
        "iam": _json(policy),
    }


def log_entry(entry: Any) -> Json:
    """An entry as `gcloud logging read --format=json` prints it."""
    printed = _json(entry)
    return printed | UNKNOWN_TO_CLIENTS if printed.get("severity") == "ERROR" else printed


def service_v1(box: Box) -> Json:
    """The service as `gcloud run services describe --format=json` prints it."""
    newest = box.service.revisions[-1]
    resource, status = audit.service_v1(box.service, newest), audit.status_v1(box.service)
    state = {True: "True", False: "False", None: "Unknown"}[newest.ready]
    time = audit.rfc3339(newest.ready_time or newest.create_time)
    kinds = ("Ready", "ConfigurationsReady", "RoutesReady")
    status["conditions"] = [{"type": kind, "status": state, "lastTransitionTime": time} for kind in kinds]
    return {**resource, "status": status}


def revision(box: Box, record: RevisionRecord, form: Form) -> Json:
    """One revision; in v1 form as `gcloud run revisions list --format=json` prints it."""
    if form == "v2":
        return _json(Revision.pb(revision_v2(box.service, record)))
    resource = audit.revision_v1(box.service, record)
    resource["metadata"]["annotations"] |= EXTRA_ANNOTATIONS
    resource["metadata"]["labels"]["cloud.googleapis.com/location"] = box.service.region
    return resource


def _json(message: Any) -> Json:
    return json_format.MessageToDict(message)


def as_array(document: Json) -> bytes:
    """As gcloud prints it: indented, and a list as one array."""
    return json.dumps(document, indent=2).encode() + b"\n"


def as_lines(document: Json) -> bytes:
    """One value a line."""
    values = document if isinstance(document, Sequence) else [document]
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def as_gzip(document: Json) -> bytes:
    """The array, packed."""
    return gzip.compress(as_array(document))


def write(
    held: Mapping[str, Json], folder: Path, printed: Callable[[Json], bytes] = as_array, end: str = "json"
) -> None:
    """Write each document to a file of its name in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in held.items():
        (folder / f"{name}.{end}").write_bytes(printed(document))

"""The files of an export: their names, the frames that each fills, and the command that writes it.

Decides: which folder a source means, and which file in it holds what. Reads names of files only.
Source of the commands: cloud.google.com/sdk/gcloud/reference; the filter is in the Logging query language,
cloud.google.com/logging/docs/view/logging-query-language, where OR binds tighter than AND.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from incident import platform
from incident.findings import UsageError
from incident.http1 import printable
from incident.sources.entries import AUDIT_LOGS, RESOURCE, SERVICE_LOGS, quoted

FILES: dict[str, tuple[str, ...]] = {
    "logs": ("logs", "audit"),
    "service": ("service", "traffic"),
    "revisions": ("revisions",),
    "builds": ("builds",),
    "iam": ("iam",),
    "handshakes": ("handshakes",),
}
"""The frames that each file fills, by the file's name without `.json`."""

NAMES = ", ".join(f"{kind}.json" for kind in FILES)
FRESHNESS = "2d"
"""How far back the entries go: gcloud's own default is one day, which a weekend outlasts."""


def folder_of(source: str) -> Path:
    """The folder that `export:DIR` names; one that is not there, or holds no file of an export, is a `UsageError`."""
    folder = Path(source.partition(":")[2]).expanduser()
    if not folder.is_dir():
        raise UsageError(f"source {source!r}: there is no folder {str(folder)!r}; give one that holds {NAMES}")
    there = [file_of(folder, kind) for kind in FILES]
    if not any(there):
        words = f"folder {str(folder)!r} holds none of {NAMES}"
        raise UsageError(f"source {source!r}: {words}; docs/export.md has the commands that write them")
    return folder


def file_of(folder: Path, kind: str) -> Path | None:
    """The file of a kind, plain or with `.gz`; None where it is missing, `UsageError` where both are there."""
    there = [file for end in ("json", "json.gz") if (file := folder / f"{kind}.{end}").exists()]
    if len(there) == 2:
        names = f"{there[0].name} and {there[1].name}"
        raise UsageError(f"folder {str(folder)!r} holds {names}: keep the one that is meant")
    return there[0] if there else None


def log_filter(project: str, region: str, service: str) -> str:
    """The filter for everything that a service and its administration logged; how far back, `--freshness` says.

    It names no revision (deploys have an empty one) and no severity (plain standard error has none).

    >>> log_filter("p", "us-central1", "chat")[:77]
    '(resource.type="cloud_run_revision") AND (resource.labels.service_name="chat"'
    """
    names = " OR ".join(quoted(platform.log_name(project, log)) for log in (*SERVICE_LOGS, *AUDIT_LOGS))
    parts = (
        f"resource.type={quoted(RESOURCE)}",
        f"resource.labels.service_name={quoted(service)}",
        f"resource.labels.location={quoted(region)}",
        f"logName=({names})",
    )
    return " AND ".join(f"({part})" for part in parts)


def command(kind: str, project: str, region: str, service: str, folder: Path, url: str = "URL") -> str:
    """The line for a shell that writes one file of an export.

    >>> command("iam", "my-project", "us-central1", "chat", Path("export"))
    'gcloud run services get-iam-policy chat --region=us-central1 --project=my-project --format=json > export/iam.json'
    """
    at, of = f"--region={region} --project={project} --format=json", shlex.quote(log_filter(project, region, service))
    asked = {
        "logs": f"gcloud logging read {of} --project={project} --freshness={FRESHNESS} --order=asc --format=json",
        "service": f"gcloud run services describe {service} {at}",
        "revisions": f"gcloud run revisions list --service={service} {at}",
        "builds": f"gcloud builds list {at}",
        "iam": f"gcloud run services get-iam-policy {service} {at}",
        "handshakes": f"incident probe {shlex.quote(url)} --matrix e2e --json",
    }
    return f"{asked[kind]} > {shlex.quote(printable(str(folder / f'{kind}.json'), 400))}"

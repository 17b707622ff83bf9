"""Files that somebody exported with gcloud: the same evidence as the live project gives, from a folder.

Decides: which of the folder's entries and resources are of the service, and what is missing: a file, or a part of one.
Reads `logs.json`, `service.json`, `revisions.json`, `builds.json`, `iam.json` as `gcloud … --format=json` writes them
(v1 or v2 form; an array, or one value a line; gzip too, under the same name or with `.gz`), and `handshakes.json` as
`incident probe --json` does. Cannot tell: entries that the export's own filter, `--freshness` or `--limit` left out;
when it was made, but by the time of the file. Source of the forms: `gcloud logging read`, `gcloud run` and
`gcloud builds` in cloud.google.com/sdk/gcloud/reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from google.cloud.devtools.cloudbuild_v1.types import Build
from google.cloud.run_v2.types import Revision, Service

from incident import frames
from incident.evidence import SETTLE_SECONDS, Evidence
from incident.findings import Gap
from incident.scope import RELATIVE, Parameters, Scope, rfc3339, scope
from incident.sources import admin, rest, run_v1
from incident.sources.cloud import Pulled
from incident.sources.export_entries import entry_frames
from incident.sources.export_files import FILES, file_of, folder_of
from incident.sources.export_reading import Reading
from incident.sources.export_scope import service_of
from incident.sources.handshake_rows import handshake_row
from incident.sources.recorded import ONE_NANOSECOND, cut
from incident.sources.rest import Identity
from incident.sources.serving import traffic_times

Row = dict[str, Any]

NEVER_EMPTY = ("logs", "audit", "revisions")
"""Frames whose emptiness may as well mean a wrong filter: a file that holds none of them vouches for nothing."""


@dataclass(frozen=True)
class Exported:
    """What a folder holds of one service, not yet redacted; `handshakes` are a probe's rows as they were printed."""

    scope: Scope
    pulled: Pulled
    handshakes: list[Row]
    notes: tuple[str, ...]


def checked(parameters: Parameters) -> Identity:
    """The service of an export, once nothing about the parameters can be wrong usage."""
    from_newest = not parameters.start or RELATIVE.fullmatch(parameters.start)
    if from_newest and parameters.end in ("", "now"):
        return service_of(parameters)[0]
    came = exported(parameters)  # only the entries say whether any other window lies within them
    cut(Evidence(came.scope, came.pulled.pulled, came.pulled.frames), parameters)
    return Identity(*came.scope.identity)


def exported(parameters: Parameters) -> Exported:
    """Everything that a folder holds of one service; its window is from the oldest entry to just after the newest."""
    where, notes = service_of(parameters)
    reading = Reading(folder_of(parameters.source), where)
    services = list(reading.read("service", reading.of_service(rest.service)))
    reading.url = next((service.uri for service in services if service.uri), reading.url)
    handshakes = [row for rows in reading.read("handshakes", _handshakes) for row in rows]
    found = entry_frames(reading, {row["trace_id"]: row["probe_id"] for row in handshakes})
    pulled = _time_of_export(reading.folder, found)
    found |= _of_service(reading, services[-1:], pulled) | _iam(reading)
    found |= _revisions(reading, found)
    for name in NEVER_EMPTY:
        if found[name].empty:
            reading.complete.discard(name)
    whole = _scope(parameters, where, found, pulled)
    reading.gaps += _unsettled(reading, whole, pulled) if len(found["logs"]) else []
    came = Pulled(pulled, found, tuple(reading.gaps), frozenset(reading.complete), tuple(reading.queries))
    return Exported(whole, came, handshakes, tuple(notes))


def _unsettled(reading: Reading, whole: Scope, pulled: pd.Timestamp) -> list[Gap]:
    """A gap where entries may still have arrived after the export: to run again would read the same file."""
    settled = whole.end + pd.Timedelta(seconds=SETTLE_SECONDS)
    if pulled >= settled or reading.gaps_on("logs"):
        return []
    reason = f"entries of its last moments may have arrived after the export: they settle at {rfc3339(settled)}"
    remedy = f"export again after {rfc3339(settled)}, and run with --end {rfc3339(whole.end)}"
    return [Gap("logs", reason, remedy, "unsettled")]


def _handshakes(document: Mapping[str, Any]) -> list[Row] | None:
    """The rows of one probe's document, None where it has none; one with a column of a wrong type is refused."""
    rows = [dict(row) for row in document["handshakes"]]
    for row in rows:
        frames.batch("handshakes", [handshake_row(row)])
        if not all(isinstance(row[name], str) for name in ("probe_id", "trace_id", "name", "kind", "status")):
            raise ValueError("it has a handshake without a name")
    return rows or None


def _of_service(reading: Reading, services: Sequence[Service], pulled: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """The frames `service` and `traffic`; statuses of a service that was being changed may have moved since."""
    if any(service.reconciling for service in services):
        reason = f"service {reading.where.service!r} was being changed: its traffic statuses may have moved since"
        remedy = f"once the deploy has ended: {reading.remedy('service')}"
        reading.gaps.append(Gap("traffic", reason, remedy, "unsettled"))
        reading.complete.discard("traffic")
    return {
        "service": frames.rows_frame("service", [admin.service_row(service) for service in services]),
        "traffic": frames.rows_frame("traffic", [row for each in services for row in admin.traffic_rows(each, pulled)]),
    }


def _iam(reading: Reading) -> dict[str, pd.DataFrame]:
    rows = [row for policy in reading.read("iam", rest.policy) for row in admin.iam_rows(policy)]
    return {"iam": frames.rows_frame("iam", rows)}


def _revisions(reading: Reading, found: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The frames `revisions` and `builds`: which builds are the service's follows from its revisions."""
    pairs = list(reading.read("revisions", reading.of_service(_revision)))
    revisions = list({admin.short(revision.name): revision for revision, _ in pairs}.values())
    digests = {admin.short(revision.name): digest for revision, digest in pairs if digest}
    builds = _builds(reading, revisions)
    rows = admin.joined_builds(
        [admin.revision_row(revision) for revision in revisions], builds, admin.event_digests(found["audit"]) | digests
    )
    ready = {admin.short(revision.name): since for revision in revisions if (since := admin.ready_time(revision))}
    data = frames.rows_frame("revisions", rows)
    timed = traffic_times(data, found["traffic"], found["logs"], found["audit"], ready)
    return {"revisions": timed, "builds": frames.rows_frame("builds", builds)}


def _revision(value: Any) -> tuple[Revision, str | None]:
    return rest.revision(value), run_v1.image_digest(value) if run_v1.is_v1(value) else None


def _builds(reading: Reading, revisions: Sequence[Revision]) -> list[Row]:
    builds: dict[str, Build] = {build.id: build for build in reading.read("builds", rest.build)}
    images = {admin.main_container(revision.containers).image for revision in revisions}
    if builds and not images:
        reason = "which builds are this service's cannot be told: no revision names an image"
        reading.gaps.append(Gap("builds", reason, "mend the gap on revisions first"))
        reading.complete.discard("builds")
    labels = [dict(revision.labels) for revision in revisions]
    return [admin.build_row(build) for build in admin.of_service(builds.values(), images, labels)]


def _time_of_export(folder: Path, found: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    """When the entries were asked for: the time of their file, and never before the last of them arrived."""
    files = [file for kind in ("logs", *FILES) if (file := file_of(folder, kind))]
    written = pd.Timestamp(files[0].stat().st_mtime_ns, tz="UTC")
    return max([written, *_latest(found["logs"]["receive_timestamp"]), *_times(found)[-1:]])


def _latest(times: pd.Series) -> list[pd.Timestamp]:
    return [times.max()] if times.notna().any() else []


def _times(found: Mapping[str, pd.DataFrame]) -> list[pd.Timestamp]:
    """The times of the oldest and of the newest entry."""
    times = pd.concat([found[name]["timestamp"] for name in ("logs", "audit")])
    return [times.min(), times.max()] if len(times) else []


def _scope(parameters: Parameters, where: Identity, found: Mapping[str, pd.DataFrame], pulled: pd.Timestamp) -> Scope:
    """The window that the entries span; without any, the one that is asked for, or the two hours before the export."""
    url, times = next(iter(found["service"]["url"].dropna()), ""), _times(found)
    asked = replace(parameters, **where._asdict(), endpoint=parameters.endpoint or url)
    if times or not (parameters.start and parameters.end):
        asked = replace(asked, start="", end="")
    whole = scope(asked, pulled)
    return replace(whole, start=times[0], end=times[1] + ONE_NANOSECOND) if times else whole

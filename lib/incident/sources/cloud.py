"""The live project: what Cloud Run, Cloud Logging and Cloud Build say of one service, and what they would not say.

Decides nothing about the incident. Each call that fails is a gap on its frame, and what came before it failed is
kept. Reads only: no call writes. Cannot tell: entries that arrive after the pull; requests that reached no log;
denials by VPC Service Controls that name the resource type `audited_resource`; builds of a third region.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from google.cloud.devtools.cloudbuild_v1.types import Build, ListBuildsRequest
from google.cloud.logging_v2.types import ListLogEntriesRequest
from google.cloud.run_v2.types import GetServiceRequest, ListRevisionsRequest, Revision, Service
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest
from google.protobuf.timestamp_pb2 import Timestamp

from incident import frames
from incident.evidence import Query
from incident.findings import Gap
from incident.scope import Scope, rfc3339
from incident.sources import admin, entries
from incident.sources.calls import FAILURES, Calls, failure, look_for
from incident.sources.clients import Clients
from incident.sources.serving import traffic_times

PAGE_SIZE = 1000
"""The most that `entries.list` and `builds.list` give in one call."""

BUILD_PAGES = 10
"""The most pages of builds that are read in one location; they come newest first."""

BUILD_LEAD = pd.Timedelta("1D")
"""A build older than the oldest revision by more than this made none of them."""


@dataclass(frozen=True)
class Pulled:
    """What came: frames by name, gaps, the frames a source vouches for, and the queries with their cost.

    `pulled` is the time when the last window was asked for.
    """

    pulled: pd.Timestamp
    frames: Mapping[str, pd.DataFrame]
    gaps: tuple[Gap, ...]
    complete: frozenset[str]
    queries: tuple[Query, ...]


@dataclass
class Asked:
    """One query under way: how many rows came, and the words for them if it fails now."""

    rows: int = 0
    came: str = ""


@dataclass
class Pull:
    """One pull of one scope, in two steps, since the service's own URL is needed before its window is known."""

    scope: Scope
    clients: Clients
    calls: Calls = field(default_factory=Calls)
    clock: Callable[[], float] = time.monotonic
    service: Service | None = None
    revisions: list[Revision] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)
    queries: list[Query] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The service's full name."""
        return f"projects/{self.scope.project}/locations/{self.scope.region}/services/{self.scope.service}"

    @contextmanager
    def asking(self, frame: str, query: str, window: bool = False) -> Iterator[Asked]:
        """Ask for one frame: whole when the block ends, a gap when a call in it fails, a `Query` either way."""
        asked, began, made = Asked(), self.clock(), self.calls.made
        try:
            yield asked
        except FAILURES as error:
            self.complete.discard(frame)
            self.gaps.append(failure(frame, self.scope, error, asked.came))
        else:
            if not self.gap(frame):
                self.complete.add(frame)
        start, end = (rfc3339(self.scope.start), rfc3339(self.scope.end)) if window else ("", "")
        took = round(self.clock() - began, 6)
        self.queries.append(Query(frame, query, start, end, asked.rows, self.calls.made - made, took))

    def gap(self, frame: str) -> Gap | None:
        """The first gap of a frame so far."""
        return next((gap for gap in self.gaps if gap.frame == frame), None)


def pull(
    scope: Scope,
    clients: Clients,
    *,
    pulled: pd.Timestamp,
    own: Mapping[str, str] | None = None,
    calls: Calls | None = None,
) -> Pulled:
    """Everything that the project says of a scope; `own` maps trace ids of this run's handshakes to their probe ids.

    `pulled` is the time now. No error of the other side is raised: each is a gap.
    """
    asked = Pull(scope, clients, calls or Calls())
    ask_service(asked)
    return ask_rest(asked, pulled, own or {})


def ask_service(pull: Pull) -> str:
    """Ask for the service itself; its own URL, or an empty text where it did not say."""
    with pull.asking("service", pull.name) as asked:
        pull.service = pull.calls.make(pull.clients.services.get_service, GetServiceRequest(name=pull.name))
        asked.rows = 1
    return pull.service.uri if pull.service else ""


def ask_rest(pull: Pull, pulled: pd.Timestamp, own: Mapping[str, str]) -> Pulled:
    """Ask for everything but the service, which has been asked for; see `pull`."""
    found = {"service": frames.rows_frame("service", [admin.service_row(pull.service)] if pull.service else [])}
    found["traffic"] = _traffic(pull, pulled)
    _ask_revisions(pull)
    found["iam"] = _ask_iam(pull)
    builds = _ask_builds(pull)
    found["builds"] = frames.rows_frame("builds", builds)
    found["audit"] = _ask_entries(pull, "audit", entries.audit_filter(pull.scope), entries.audit_row)
    logs = _ask_entries(pull, "logs", entries.logs_filter(pull.scope), entries.log_row)
    if logs.empty:
        pull.complete.discard("logs")  # no entry at all may as well mean a wrong name: nobody vouches for that
    found["logs"] = entries.probes_marked(logs, own)
    found["revisions"] = _revisions(pull, builds, found)
    return Pulled(pulled, found, tuple(dict.fromkeys(pull.gaps)), frozenset(pull.complete), tuple(pull.queries))


def _traffic(pull: Pull, pulled: pd.Timestamp) -> pd.DataFrame:
    gap = pull.gap("service")
    if pull.service is None:
        pull.gaps.extend([Gap("traffic", gap.reason, gap.remedy, gap.kind)] if gap else [])
        return frames.frame("traffic")
    if pull.service.reconciling:
        reason = f"service {pull.scope.service!r} is being changed: its traffic statuses may still move"
        pull.gaps.append(Gap("traffic", reason, "run again once the deploy has ended", "unsettled"))
    else:
        pull.complete.add("traffic")
    return frames.rows_frame("traffic", admin.traffic_rows(pull.service, pulled))


def _ask_revisions(pull: Pull) -> None:
    if _is_absent(pull, "revisions"):
        return
    request = ListRevisionsRequest(parent=pull.name, page_size=PAGE_SIZE)
    with pull.asking("revisions", f"{pull.name}/revisions") as asked:
        for page in pull.calls.pages(pull.clients.revisions.list_revisions, request):
            pull.revisions.extend(page.revisions)
            asked.rows = len(pull.revisions)
            asked.came = f"; {asked.rows} came before"


def _ask_iam(pull: Pull) -> pd.DataFrame:
    rows: list[admin.Row] = []
    if not _is_absent(pull, "iam"):
        with pull.asking("iam", f"{pull.name}:getIamPolicy") as asked:
            request = GetIamPolicyRequest(resource=pull.name)
            rows = admin.iam_rows(pull.calls.make(pull.clients.services.get_iam_policy, request))
            asked.rows = len(rows)
    return frames.rows_frame("iam", rows)


def _is_absent(pull: Pull, frame: str) -> bool:
    """Whether the service is not there, so that neither is `frame`; that is a gap of its own."""
    gap = pull.gap("service")
    if gap is None or gap.kind != "absent":
        return False
    pull.gaps.append(Gap(frame, gap.reason, look_for(pull.scope), "absent"))
    return True


def _ask_builds(pull: Pull) -> list[admin.Row]:
    """The service's builds, of its region and of `global`, which do not show each other's."""
    images = {admin.main_container(revision.containers).image for revision in pull.revisions}
    if not images:
        reason = "which builds are this service's cannot be told: its revisions name no image"
        pull.gaps.append(Gap("builds", reason, "mend the gap on revisions first"))
        return []
    parent = f"projects/{pull.scope.project}/locations/{pull.scope.region}"
    builds = _ask_builds_of(pull, parent) | _ask_builds_of(pull, "")
    labels = [dict(revision.labels) for revision in pull.revisions]
    return [admin.build_row(build) for build in admin.of_service(builds.values(), images, labels)]


def _ask_builds_of(pull: Pull, parent: str) -> dict[str, Build]:
    """The builds of one location by id, newest first, until they are too old to have made a revision."""
    found: dict[str, Build] = {}
    request = ListBuildsRequest(parent=parent, project_id=pull.scope.project, page_size=PAGE_SIZE)
    with pull.asking("builds", parent or f"projects/{pull.scope.project}") as asked:
        for number, page in enumerate(pull.calls.pages(pull.clients.builds.list_builds, request), 1):
            found |= {build.id: build for build in page.builds}
            asked.rows, asked.came = len(found), f"; {len(found)} came before"
            if page.next_page_token and (_is_too_old(pull, page.builds) or number == BUILD_PAGES):
                if not _is_too_old(pull, page.builds):
                    pull.gaps.append(_capped(asked))
                break
    return found


def _is_too_old(pull: Pull, builds: list[Build]) -> bool:
    oldest = min(_moment(Revision.pb(revision).create_time) for revision in pull.revisions)
    return any(_moment(Build.pb(build).create_time) < oldest - BUILD_LEAD for build in builds)


def _moment(time: Timestamp) -> pd.Timestamp:
    return pd.Timestamp(time.seconds * 1_000_000_000 + time.nanos, tz="UTC")


def _capped(asked: Asked) -> Gap:
    reason = f"stopped at {asked.rows} builds, the newest: older ones are missing"
    return Gap("builds", reason, "gcloud builds list shows the older ones", "capped")


def _ask_entries(pull: Pull, frame: str, query: str, row: Callable[[Any], admin.Row]) -> pd.DataFrame:
    """The entries of one query, oldest first, one Arrow batch a page; the ones that came where it fails."""
    batches = []
    request = ListLogEntriesRequest(
        resource_names=[f"projects/{pull.scope.project}"], filter=query, order_by="timestamp asc", page_size=PAGE_SIZE
    )
    with pull.asking(frame, query, window=True) as asked:
        for page in pull.calls.pages(pull.clients.logging.list_log_entries, request, paced=True):
            raw = type(page).pb(page).entries
            batches.append(frames.batch(frame, map(row, raw)))
            asked.rows += len(raw)
            if raw:
                last = rfc3339(_moment(raw[-1].timestamp))
                asked.came = f"; entries after {last} are missing"
    return entries.one_of_each(frames.frame(frame, batches), frame)


def _revisions(pull: Pull, builds: list[admin.Row], found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = [admin.revision_row(revision) for revision in pull.revisions]
    joined = admin.joined_builds(rows, builds, admin.event_digests(found["audit"]))
    ready = {admin.short(revision.name): since for revision in pull.revisions if (since := admin.ready_time(revision))}
    data = frames.rows_frame("revisions", joined)
    return traffic_times(data, found["traffic"], found["logs"], found["audit"], ready)

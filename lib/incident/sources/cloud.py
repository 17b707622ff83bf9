"""The live project: what Cloud Run, Cloud Logging and Cloud Build say of one service, and what they would not say.

Decides nothing about the incident. Each call that fails is a gap on its frame, and what came before it failed is
kept. Reads only: no call writes. Cannot tell: entries that arrive after the pull; requests that reached no log; builds
of a third region.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd
from google.cloud.devtools.cloudbuild_v1.types import Build, ListBuildsRequest
from google.cloud.run_v2.types import GetServiceRequest, ListRevisionsRequest, Revision, Service
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest

from incident import frames
from incident.evidence import Query
from incident.findings import Gap
from incident.scope import Parameters, Scope, rfc3339
from incident.sources import admin
from incident.sources.calls import FAILURES, Calls, failure, look_for
from incident.sources.clients import Clients
from incident.sources.entry_pages import PAGE_SIZE, ask_audit, ask_logs, moment_of
from incident.sources.limits import Allowance, Limits, Spent
from incident.sources.places import TagUrl
from incident.sources.serving import traffic_times
from incident.sources.volume import Cut, Volume

BUILD_PAGES = 10
"""The most pages of builds that are read in one location; they come newest first."""

BUILD_LEAD = pd.Timedelta("1D")
"""A build older than the oldest revision by more than this made none of them."""

RESOURCES = ("service", "revisions", "builds", "iam")
"""What is asked of the Admin API and of Cloud Build."""

Row = admin.Row


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
    """One query under way: how many rows came, the words for them if it fails now, and what is missing of it."""

    rows: int = 0
    came: str = ""
    gaps: list[str] = field(default_factory=list)


@dataclass
class Pull:
    """One pull of one scope, in two steps, since the service's own URL is needed before its window is known."""

    scope: Scope
    clients: Clients
    calls: Calls = field(default_factory=Calls)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    service: Service | None = None
    revisions: list[Revision] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)
    queries: list[Query] = field(default_factory=list)
    cuts: dict[int, Cut] = field(default_factory=dict)
    spent: Spent | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know nothing yet of how many entries there are."""
        self.volume = Volume((self.scope.start, self.scope.end))

    @property
    def name(self) -> str:
        """The service's full name."""
        return f"projects/{self.scope.project}/locations/{self.scope.region}/services/{self.scope.service}"

    @contextmanager
    def asking(self, frame: str, query: str, window: bool = False) -> Iterator[Asked]:
        """Ask for one frame: whole when the block ends, a gap when a call in it fails, a `Query` either way."""
        with self.counting(frame, query, window) as asked:
            try:
                yield asked
            except FAILURES as error:
                gap = failure(frame, self.scope, error, asked.came)
                asked.gaps.append(gap.reason)
                self.miss(gap)
            else:
                if not self.gap(frame):
                    self.complete.add(frame)

    @contextmanager
    def counting(self, frame: str, query: str, window: bool) -> Iterator[Asked]:
        """Book a `Query` when the block ends, however it ends."""
        asked, began, made = Asked(), self.clock() - self.volume.seconds, self.calls.made - self.volume.calls
        try:
            yield asked
        finally:
            start, end = (rfc3339(self.scope.start), rfc3339(self.scope.end)) if window else ("", "")
            took = round(self.clock() - self.volume.seconds - began, 6)
            made = self.calls.made - self.volume.calls - made  # sizing calls are counted apart
            self.queries.append(Query(frame, query, start, end, asked.rows, made, took, tuple(asked.gaps)))

    def miss(self, gap: Gap) -> None:
        """Take note of a gap."""
        self.gaps.append(gap)
        self.complete.discard(gap.frame)

    def gap(self, frame: str) -> Gap | None:
        """The first gap of a frame so far."""
        return next((gap for gap in self.gaps if gap.frame == frame), None)


def pull(
    scope: Scope,
    clients: Clients,
    *,
    pulled: pd.Timestamp,
    probes: Sequence[Row] = (),
    calls: Calls | None = None,
) -> Pulled:
    """Everything that the project says of a scope; `probes` are the rows of this run's handshakes.

    `pulled` is the time now. No error of the other side is raised: each is a gap.
    """
    asked = Pull(scope, clients, calls or Calls())
    ask_service(asked)
    return ask_rest(asked, pulled, probes)


def begin(parameters: Parameters, where: Scope, clients: Clients) -> Pull:
    """A pull with the limits that parameters set."""
    return Pull(where, clients, Calls(allowance=Allowance(Limits.of(parameters))))


def ask_service(pull: Pull) -> str:
    """Ask for the service itself; its own URL, or an empty text where it did not say."""
    with pull.asking("service", pull.name) as asked:
        pull.service = pull.calls.make(pull.clients.services.get_service, GetServiceRequest(name=pull.name))
        asked.rows = 1
    return pull.service.uri if pull.service else ""


def own_urls(pull: Pull) -> list[str]:
    """The URLs that Cloud Run gave the service, the one it goes by first; none where it did not say."""
    return list(dict.fromkeys([pull.service.uri, *pull.service.urls])) if pull.service else []


def custom_audiences(pull: Pull) -> list[str]:
    """The audiences that the service takes in an ID token beside its URLs."""
    return list(pull.service.custom_audiences) if pull.service else []


def tag_urls(pull: Pull) -> list[TagUrl]:
    """The tags that the service's traffic statuses name, each with its URL and revision."""
    rows = admin.traffic_rows(pull.service, pd.Timestamp(0)) if pull.service else []
    return [TagUrl(row["tag"], row["revision_name"] or "", row["url"]) for row in rows if row["tag"] and row["url"]]


def ask_rest(
    pull: Pull,
    pulled: pd.Timestamp,
    probes: Sequence[Row] = (),
    logs: Callable[[Pull, Sequence[Row], float], pd.DataFrame] = ask_logs,
) -> Pulled:
    """Ask for everything but the service, which has been asked for; see `pull`. `logs` asks for its entries."""
    probed_at = pull.clock()
    pull.volume = Volume((pull.scope.start, pull.scope.end))
    found, builds = ask_resources(pull, pulled)
    found["audit"] = ask_audit(pull)
    found["logs"] = logs(pull, probes, probed_at)
    revisions = joined_revisions(pull, builds, found["audit"])
    found["revisions"] = traffic_times(revisions, found["traffic"], found["logs"], found["audit"], ready_times(pull))
    return Pulled(pulled, found, tuple(dict.fromkeys(pull.gaps)), frozenset(pull.complete), tuple(pull.queries))


def ask_resources(
    pull: Pull, pulled: pd.Timestamp, what: Collection[str] = RESOURCES
) -> tuple[dict[str, pd.DataFrame], list[Row]]:
    """The frames of what is not the log, but for `revisions`, whose rows need the builds; and the rows of builds.

    The service has been asked for. Revisions are asked for where builds are, since they name the images.
    """
    found = {"service": frames.rows_frame("service", [admin.service_row(pull.service)] if pull.service else [])}
    found["traffic"] = _traffic(pull, pulled) if "service" in what else frames.frame("traffic")
    if {"revisions", "builds"} & set(what):
        _ask_revisions(pull)
    found["iam"] = _ask_iam(pull) if "iam" in what else frames.frame("iam")
    builds = _ask_builds(pull) if "builds" in what else []
    found["builds"] = frames.rows_frame("builds", builds)
    return found, builds


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
    oldest = min(moment_of(Revision.pb(revision).create_time) for revision in pull.revisions)
    return any(moment_of(Build.pb(build).create_time) < oldest - BUILD_LEAD for build in builds)


def _capped(asked: Asked) -> Gap:
    reason = f"stopped at {asked.rows} builds, the newest: older ones are missing"
    return Gap("builds", reason, "gcloud builds list shows the older ones", "capped")


def joined_revisions(pull: Pull, builds: list[admin.Row], audit: pd.DataFrame) -> pd.DataFrame:
    """The frame `revisions` but for its traffic times: each with its build, and its digest from the audit entries."""
    rows = [admin.revision_row(revision) for revision in pull.revisions]
    return frames.rows_frame("revisions", admin.joined_builds(rows, builds, admin.event_digests(audit)))


def ready_times(pull: Pull) -> dict[str, pd.Timestamp]:
    """Since when each revision has been ready, by the Admin API."""
    return {admin.short(revision.name): since for revision in pull.revisions if (since := admin.ready_time(revision))}

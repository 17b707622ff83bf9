"""The service as its control plane knows it: revisions, builds, who serves; and its forms in Cloud Run's two APIs.

Holds values only; `box` changes them, always by replacing a whole attribute, so that other threads read a state that
was once true. Builds the v2 messages that the Admin API returns (`run_v2`) and Cloud Build's `Build`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import run_v2
from google.cloud.devtools import cloudbuild_v1

from incident.drill.entries import Origin
from incident.drill.scenario import Scenario
from incident.drill.steps import Settings

DEFAULT_PROBE = {"timeout_seconds": 240, "period_seconds": 240, "failure_threshold": 1}
"""The probe that a revision gets when it names none: TCP, one attempt of 240 s (FAILED at the first refusal)."""

EVERYBODY = "allUsers"
"""The member that stands for anyone, without a token."""

INGRESS = {
    "all": run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL, "internal": run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
}  # fmt: skip
"""The ingress settings by their v1 names."""

LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
PINNED = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


@dataclass(frozen=True)
class BuildRecord:
    """One Cloud Build: which image, from which commit, and where its files were assembled."""

    build_id: str
    image: str
    commit: str
    tag: str
    digest: str
    folder: Path
    create_time: datetime
    finish_time: datetime | None = None


@dataclass(frozen=True)
class RevisionRecord:
    """One revision; `ready` is None while its first instance starts, `reason` is why it is not (CommonReason or
    RevisionReason of run_v2), `secrets` are its variables that name a secret's version.
    """

    name: str
    generation: int
    image: str
    folder: Path
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    creator: str
    create_time: datetime
    settings: Settings
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    secrets: Mapping[str, str] = field(default_factory=dict)
    ready: bool | None = None
    ready_time: datetime | None = None
    ready_message: str = ""
    reason: str = "HEALTH_CHECK_CONTAINER_ERROR"


@dataclass(frozen=True)
class Tag:
    """A name for one revision, and the URL that reaches it without any share of traffic."""

    name: str
    revision: str
    url: str


class Service:
    """The state of the one service of a scenario."""

    def __init__(self, scenario: Scenario, url: str = "") -> None:
        self.project, self.region, self.name = scenario.project, scenario.region, scenario.service
        self.settings = scenario.settings
        self.url = url
        self.uid = str(uuid.uuid4())
        self.create_time = datetime.now(UTC)
        self.service_account = f"{scenario.service}@{scenario.project}.iam.gserviceaccount.com"
        self.repository = f"{scenario.region}-docker.pkg.dev/{scenario.project}/containers/{scenario.service}"
        self.container = f"{scenario.service}-1"
        self.revisions: tuple[RevisionRecord, ...] = ()
        self.builds: tuple[BuildRecord, ...] = ()
        self.serving: RevisionRecord | None = None
        self.tags: tuple[Tag, ...] = ()
        self.invokers: tuple[str, ...] = (EVERYBODY,)
        self.ingress = "all"
        self.pinned = False
        self.modified: tuple[str, datetime] | None = None
        """Who changed the service last without a new revision, and when."""

    @property
    def full_name(self) -> str:
        """The v2 name of the service."""
        return f"projects/{self.project}/locations/{self.region}/services/{self.name}"

    @property
    def latest_ready(self) -> RevisionRecord | None:
        """The newest revision that was ready."""
        return next((revision for revision in reversed(self.revisions) if revision.ready), None)

    def last_modifier(self, revision: RevisionRecord) -> str:
        """Who changed the service last: the revision's creator, or whoever changed something else after it."""
        by, when = self.modified or (revision.creator, revision.create_time)
        return by if when >= revision.create_time else revision.creator

    def keep(self, revision: RevisionRecord) -> None:
        """Add a revision, or replace the one of its name."""
        others = tuple(other for other in self.revisions if other.name != revision.name)
        self.revisions = (*others, revision)

    def keep_build(self, build: BuildRecord) -> None:
        """Add a build, or replace the one of its id."""
        self.builds = (*(other for other in self.builds if other.build_id != build.build_id), build)

    def latest_build(self, image: str) -> BuildRecord:
        """The newest build of an image; KeyError where it was never built."""
        found = [build for build in self.builds if build.image == image]
        if not found:
            raise KeyError(image)
        return found[-1]

    def revision(self, name: str) -> RevisionRecord | None:
        """The revision of that name as it is now, or None."""
        return next((revision for revision in self.revisions if revision.name == name), None)

    def keep_tag(self, tag: Tag) -> None:
        """Add a tag, or move the one of its name."""
        self.tags = (*(other for other in self.tags if other.name != tag.name), tag)

    def origin(self, revision: RevisionRecord | None = None) -> Origin:
        """Where log entries about the service, or about one of its revisions, come from."""
        whole = Origin(self.project, self.region, self.name)
        if revision is None:
            return whole
        return whole.at(revision=revision.name, labels=revision.labels, container=self.container)


def condition(kind: str, ready: bool | None, message: str, time: datetime, why: str) -> run_v2.Condition:
    """A v2 condition; `why` is the reason of one that is not met, of either of two enumerations."""
    states = run_v2.Condition.State
    state = {True: states.CONDITION_SUCCEEDED, False: states.CONDITION_FAILED, None: states.CONDITION_RECONCILING}
    of_revision = why in run_v2.Condition.RevisionReason.__members__
    reason = {} if ready is not False else {"revision_reason" if of_revision else "reason": why}
    return run_v2.Condition(type_=kind, state=state[ready], message=message, last_transition_time=time, **reason)


def container_v2(service: Service, revision: RevisionRecord) -> run_v2.Container:
    """The one container of a revision."""
    settings = revision.settings
    return run_v2.Container(
        name=service.container,
        image=revision.image,
        command=["python", *settings.command] if settings.command else [],
        env=[
            *(run_v2.EnvVar(name=name, value=value) for name, value in revision.environment.items()),
            *(_secret_variable(name, secret) for name, secret in revision.secrets.items()),
        ],
        ports=[run_v2.ContainerPort(name=settings.protocol, container_port=settings.port)],
        resources=run_v2.ResourceRequirements(
            limits={"cpu": settings.cpu, "memory": settings.memory}, cpu_idle=True, startup_cpu_boost=True
        ),
        startup_probe=run_v2.Probe(**DEFAULT_PROBE, tcp_socket=run_v2.TCPSocketAction(port=settings.port)),
    )


def _secret_variable(name: str, secret: str) -> run_v2.EnvVar:
    reference = run_v2.SecretKeySelector(secret=secret, version="latest")
    return run_v2.EnvVar(name=name, value_source=run_v2.EnvVarSource(secret_key_ref=reference))


def revision_v2(service: Service, revision: RevisionRecord) -> run_v2.Revision:
    """A revision as `Revisions.ListRevisions` returns it."""
    time = revision.ready_time or revision.create_time
    return run_v2.Revision(
        name=f"{service.full_name}/revisions/{revision.name}",
        uid=revision.uid,
        generation=1,
        observed_generation=1,
        labels=dict(revision.labels),
        create_time=revision.create_time,
        update_time=time,
        service=service.name,
        scaling=run_v2.RevisionScaling(max_instance_count=revision.settings.max_instances),
        max_instance_request_concurrency=revision.settings.concurrency,
        timeout={"seconds": int(revision.settings.timeout)},
        service_account=service.service_account,
        containers=[container_v2(service, revision)],
        creator=revision.creator,
        reconciling=revision.ready is None,
        conditions=[
            condition(kind, revision.ready, revision.ready_message if kind == "Ready" else "", time, revision.reason)
            for kind in ("Ready", "ContainerHealthy", "ResourcesAvailable")
        ],
    )


def service_v2(service: Service) -> run_v2.Service:
    """The service as `Services.GetService` returns it."""
    newest, ready = service.revisions[-1], service.latest_ready
    time = newest.ready_time or newest.create_time
    modified = service.modified[1] if service.modified else newest.create_time
    return run_v2.Service(
        name=service.full_name,
        uid=service.uid,
        generation=newest.generation,
        observed_generation=newest.generation,
        create_time=service.create_time,
        update_time=max(modified, newest.create_time),
        creator=service.revisions[0].creator,
        last_modifier=service.last_modifier(newest),
        client="gcloud",
        ingress=INGRESS[service.ingress],
        template=template_v2(service, newest),
        traffic=[wanted_traffic(service)],
        traffic_statuses=traffic_v2(service),
        latest_created_revision=f"{service.full_name}/revisions/{newest.name}",
        latest_ready_revision=f"{service.full_name}/revisions/{ready.name}" if ready else "",
        uri=service.url,
        urls=[service.url],
        reconciling=newest.ready is None,
        terminal_condition=condition("Ready", newest.ready, "", time, newest.reason),
        conditions=[
            condition("RoutesReady", newest.ready, "", time, newest.reason),
            condition("ConfigurationsReady", newest.ready, "", time, newest.reason),
        ],
    )


def wanted_traffic(service: Service) -> run_v2.TrafficTarget:
    """What the service was told to do with its traffic: all to the latest revision, or to one by name."""
    if service.pinned and service.serving:
        return run_v2.TrafficTarget(type_=PINNED, revision=service.serving.name, percent=100)
    return run_v2.TrafficTarget(type_=LATEST, percent=100)


def traffic_v2(service: Service) -> list[run_v2.TrafficTargetStatus]:
    """Who has the traffic, and each tag with its URL; traffic is pinned where a newer revision was given none."""
    serving = service.serving
    kind = LATEST if serving == service.latest_ready and not service.pinned else PINNED
    shares = [run_v2.TrafficTargetStatus(type_=kind, revision=serving.name, percent=100)] if serving else []
    tags = [
        run_v2.TrafficTargetStatus(type_=PINNED, revision=tag.revision, tag=tag.name, uri=tag.url)
        for tag in service.tags
    ]
    return [*shares, *tags]


def template_v2(service: Service, revision: RevisionRecord) -> run_v2.RevisionTemplate:
    """What the next revision would be made from: the newest one's."""
    return run_v2.RevisionTemplate(
        revision=revision.name,
        labels=dict(revision.labels),
        scaling=run_v2.RevisionScaling(max_instance_count=revision.settings.max_instances),
        timeout={"seconds": int(revision.settings.timeout)},
        service_account=service.service_account,
        containers=[container_v2(service, revision)],
        max_instance_request_concurrency=revision.settings.concurrency,
    )


def build_v1(service: Service, build: BuildRecord) -> cloudbuild_v1.Build:
    """A build as `ListBuilds` returns it: WORKING without results, then SUCCESS with the image's digest."""
    name = f"{service.repository}:{build.tag}"
    status = cloudbuild_v1.Build.Status
    made = cloudbuild_v1.Build(
        name=f"projects/{service.project}/locations/{service.region}/builds/{build.build_id}",
        id=build.build_id,
        project_id=service.project,
        status=status.SUCCESS if build.finish_time else status.WORKING,
        create_time=build.create_time,
        start_time=build.create_time,
        images=[name],
        substitutions={"COMMIT_SHA": build.commit, "SHORT_SHA": build.commit[:7], "BRANCH_NAME": "main"},
        log_url=f"https://console.cloud.google.com/cloud-build/builds;region={service.region}/{build.build_id}",
        service_account=f"projects/{service.project}/serviceAccounts/build@{service.project}.iam.gserviceaccount.com",
        steps=[cloudbuild_v1.BuildStep(name="gcr.io/cloud-builders/docker", args=["build", "-t", name, "."])],
    )
    if build.finish_time:
        made.finish_time = build.finish_time
        made.results = cloudbuild_v1.Results(images=[cloudbuild_v1.BuiltImage(name=name, digest=build.digest)])
    return made

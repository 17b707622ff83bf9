"""Staging in a box: the service's processes, the front end and Google's APIs, together, and always taken down together.

`async with Box(scenario) as box` starts the servers; its methods do what the scenario's steps say, a method a kind of
step. Everything listens on loopback only. A deploy takes the traffic even from a revision that it was sent to by name,
as with `gcloud run deploy` and then `update-traffic --to-latest`: one step here for two calls there. A deploy's entries
are written in the order Cloud Run's were seen in: activity, new instance, probe, the revision's event, the service's
event.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import grpc

from incident import platform
from incident.drill import audit
from incident.drill.builds import image_digest, image_files, write_image
from incident.drill.dependency import DependencyServer
from incident.drill.entries import Entry, LogStore
from incident.drill.frontend import FrontEnd
from incident.drill.google_apis import GoogleApis
from incident.drill.instances import InstanceNotStarted, Instances
from incident.drill.permissions import NEEDED
from incident.drill.proxy import ProxyServer
from incident.drill.scenario import Scenario
from incident.drill.service import BuildRecord, RevisionRecord, Service, Tag
from incident.drill.steps import (
    Build,
    Dependency,
    Deploy,
    FinishBuild,
    Ingress,
    LogFault,
    Policy,
    Proxy,
    Traffic,
)
from incident.findings import UsageError

HELD_WAIT = 0.3
"""Seconds that requests have to end while sockets are held beside them."""


class Box:
    """One scenario's service, live. `address` is for INCIDENT_GCP_ENDPOINT, `url` is the service's own."""

    def __init__(self, scenario: Scenario, *, empty_pages: bool = True) -> None:
        self.scenario = scenario
        self.store = LogStore()
        self.service = Service(scenario)
        self.instances = Instances(self.store, self.service)
        self.frontend = FrontEnd(self.store, self.service, self.instances)
        self.apis = GoogleApis(self.store, self.service, empty_pages=empty_pages)
        self.tagged: dict[str, FrontEnd] = {}
        self.dependencies: dict[str, DependencyServer] = {}
        self.proxy: ProxyServer | None = None
        self._open = AsyncExitStack()
        self._left: set[asyncio.Future[Any]] = set()
        self._folder = Path()

    @property
    def address(self) -> str:
        """HOST:PORT of Google's APIs."""
        return self.apis.address

    @property
    def url(self) -> str:
        """The service's own URL, at the front end."""
        return self.service.url

    @property
    def endpoint(self) -> str:
        """The URL that everybody uses: the service's own, or that of the proxy in front of it."""
        return self.proxy.url if self.proxy else self.service.url

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            self._folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="incident-box-")))
            opening.enter_context(self.apis)
            opening.push_async_callback(self.instances.close)
            opening.push_async_callback(self.frontend.close)
            self.service.url = await self.frontend.start()
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def build(self, step: Build) -> BuildRecord:
        """Assemble an image's layers; the build is WORKING, and finished at once where the step says so."""
        files = image_files(self.scenario.images[step.image])
        build_id = str(uuid.uuid4())
        record = BuildRecord(
            build_id=build_id,
            image=step.image,
            commit=step.commit,
            tag=step.commit[:12],
            digest=image_digest(files),
            folder=self._folder / f"{step.image}-{build_id[:8]}",
            create_time=datetime.now(UTC),
        )
        write_image(files, record.folder)
        self.service.keep_build(record)
        return self.finish_build(FinishBuild(step.image)) if step.finish else record

    def finish_build(self, step: FinishBuild) -> BuildRecord:
        """The newest build of that image succeeds."""
        record = replace(self.service.latest_build(step.image), finish_time=datetime.now(UTC))
        self.service.keep_build(record)
        return record

    async def deploy(self, step: Deploy) -> RevisionRecord:
        """Deploy a revision: it takes all traffic when its port opens; where it does not, the old one keeps it.

        One without traffic is reached by its tag alone.
        """
        started, before = time.monotonic(), self.service.serving
        called = self.store.clock() // 1000 * 1000  # whole microseconds, so that no revision is older than its call
        revision = self._revision(step)
        self.service.keep(revision)
        self.store.add(audit.deployed(self.service, revision, called))
        revision = await self._become_ready(revision, started)
        takes_traffic = bool(revision.ready and step.traffic)
        if takes_traffic:
            self.service.pinned = False
            self.service.serving = revision
        if revision.ready and step.tag:
            await self._tag(step.tag, revision)
        self.store.add(audit.service_ready(self.service, revision, self.store.clock()))
        if takes_traffic and before:
            await self.instances.retire(before)
        return revision

    def set_policy(self, step: Policy) -> None:
        """Somebody sets who may invoke the service."""
        self.service.invokers = tuple(step.invokers)
        self._modified(step.by, audit.policy_set)

    def set_ingress(self, step: Ingress) -> None:
        """Somebody sets from where the service may be reached."""
        self.service.ingress = step.to
        self._modified(step.by, audit.updated)

    def send_traffic(self, step: Traffic) -> None:
        """Somebody sends all traffic to one revision, by its name; the others keep their instances."""
        revision = self.service.revision(step.revision)
        if revision is None or not revision.ready:
            raise UsageError(f"traffic cannot go to {step.revision!r}: it is no revision that is ready")
        self.service.serving, self.service.pinned = revision, True
        self._modified(step.by, audit.updated)

    def _modified(self, by: str, entry: Callable[[Service, str, int], Entry]) -> None:
        """Note who changed the service, and when, in the service itself and in its audit log."""
        called = self.store.clock()
        self.service.modified = (by, datetime.fromtimestamp(called / 1e9, UTC))
        self.store.add(entry(self.service, by, called))

    async def depend(self, step: Dependency) -> None:
        """Bring a dependency into a state; instances that start from now on know where it is."""
        if step.name not in self.dependencies:
            server = self.dependencies[step.name] = DependencyServer(step.name)
            self.instances.variables = {**self.instances.variables, **server.variables()}
            self._open.push_async_callback(server.close)
        await self.dependencies[step.name].become(step.state)

    async def put_in_front(self, step: Proxy) -> None:
        """Put a proxy in front of the service in place of one that is there, or take it away."""
        old, self.proxy = self.proxy, None
        if old:
            await old.close()
        if step.none:
            return
        port = urlsplit(self.service.url).port
        assert port is not None
        proxy = ProxyServer(step, port, self._folder)
        await proxy.start()
        self._open.push_async_callback(proxy.close)
        self.proxy = proxy

    def leave(self, task: asyncio.Future[Any]) -> None:
        """Let something go on beside the steps, until the box is closed."""

        self._left.add(task)
        task.add_done_callback(self._left.discard)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._open.push_async_callback(end)

    async def settle(self) -> None:
        """Wait for the entries of all requests that have ended; not for sockets that are held meanwhile."""
        await self.frontend.idle(limit=HELD_WAIT if self._left else None)

    def refuse(self, step: LogFault) -> None:
        """A method of Google's APIs refuses from here on, or none does any more."""
        if step.none:
            self.apis.faults.held.clear()
            return
        if step.method not in NEEDED:
            raise UsageError(f"log_fault: method {step.method!r} is not known: use one of {', '.join(NEEDED)}")
        words = {"PERMISSION_DENIED": "The caller does not have permission"}.get(step.code, step.code)
        self.apis.fault(step.method, grpc.StatusCode[step.code], f"{words} ({step.method})")

    async def _tag(self, name: str, revision: RevisionRecord) -> None:
        """Give the revision a tag, with a URL of its own on another port; a tag that is known moves and keeps its."""
        known = {tag.name: tag.url for tag in self.service.tags}
        if name not in known:
            self.tagged[name] = FrontEnd(self.store, self.service, self.instances, name)
            self._open.push_async_callback(self.tagged[name].close)
            known[name] = await self.tagged[name].start()
        self.service.keep_tag(Tag(name, revision.name, known[name]))

    async def _become_ready(self, revision: RevisionRecord, started: float) -> RevisionRecord:
        message, ready = revision.ready_message, False
        if not message:
            try:
                await self.instances.acquire(revision, platform.START_ROLLOUT)
                message, ready = platform.DEPLOY_SUCCEEDED.format(seconds=f"{time.monotonic() - started:.2f}"), True
            except InstanceNotStarted:
                message = platform.PORT_NOT_LISTENING.format(port=revision.settings.port)
        revision = replace(revision, ready=ready, ready_message=message, ready_time=datetime.now(UTC))
        self.service.keep(revision)
        self.store.add(audit.revision_ready(self.service, revision, self.store.clock()))
        return revision

    def _revision(self, step: Deploy) -> RevisionRecord:
        """What a deploy asks for: the new variables beside the old ones, the labels of the image's build."""
        build, newest = self.service.latest_build(step.image), self.service.revisions[-1:]
        before = dict(newest[0].environment) if newest else dict(self.scenario.environment)
        secrets = {name: str(secret["secret"]) for name, secret in step.secrets.items()}
        settings = newest[0].settings if newest else self.scenario.settings
        reason, message = self._obstacle(step)
        return RevisionRecord(
            name=step.revision,
            generation=_generation(step.revision, len(self.service.revisions) + 1),
            image=f"{self.service.repository}@{build.digest}",
            folder=build.folder,
            environment={**before, **step.environment},
            labels={"commit-sha": build.commit, "gcb-build-id": build.build_id, "managed-by": "gcp-cloud-build-deploy"},
            creator=step.by,
            create_time=datetime.now(UTC),
            settings=replace(settings, **step.settings),
            secrets={**(newest[0].secrets if newest else {}), **secrets},
            reason=reason,
            ready_message=message,
        )

    def _obstacle(self, step: Deploy) -> tuple[str, str]:
        """Why no instance of a deploy can be started at all: a reason and a message, the latter empty where it can."""
        image = f"{self.service.repository}:{step.revision}"
        if step.pull == "missing":
            return "REVISION_FAILED", platform.IMAGE_NOT_FOUND.format(image=image)
        if step.pull == "denied":
            return "CONTAINER_PERMISSION_DENIED", platform.IMAGE_DENIED.format(image=image)
        for secret in step.secrets.values():
            if not secret.get("readable", True):
                version, account = f"{secret['secret']}/versions/latest", self.service.service_account
                message = platform.SECRET_DENIED.format(secret=version, account=account)
                return "SECRETS_ACCESS_CHECK_FAILED", message
        return "HEALTH_CHECK_CONTAINER_ERROR", ""


def _generation(revision: str, otherwise: int) -> int:
    """The number in a revision's name, which Cloud Run takes from the configuration's generation.

    >>> _generation("chat-00139-rap", 1)
    139
    """
    parts = revision.split("-")
    return int(parts[-2]) if len(parts) > 2 and parts[-2].isdigit() else otherwise

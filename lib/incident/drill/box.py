"""Staging in a box: the service's processes, the front end and Google's APIs, together, and always taken down together.

`async with Box(scenario) as box` starts the servers; `build`, `finish_build` and `deploy` do what the scenario's steps
of those names say. Everything listens on loopback only. A deploy's entries are written in the order Cloud Run's were
seen in: activity, new instance, probe, the revision's event, the service's event.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from incident import platform
from incident.drill import audit
from incident.drill.builds import image_digest, image_files, write_image
from incident.drill.entries import LogStore
from incident.drill.frontend import FrontEnd
from incident.drill.google_apis import GoogleApis
from incident.drill.instances import InstanceNotStarted, Instances
from incident.drill.scenario import Build, Deploy, FinishBuild, Scenario
from incident.drill.service import BuildRecord, RevisionRecord, Service, Tag


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
        self._open = AsyncExitStack()
        self._folder = Path()

    @property
    def address(self) -> str:
        """HOST:PORT of Google's APIs."""
        return self.apis.address

    @property
    def url(self) -> str:
        """The service's URL, at the front end."""
        return self.service.url

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
            self.service.serving = revision
        if revision.ready and step.tag:
            await self._tag(step.tag, revision)
        self.store.add(audit.service_ready(self.service, revision, self.store.clock()))
        if takes_traffic and before:
            await self.instances.retire(before)
        return revision

    async def _tag(self, name: str, revision: RevisionRecord) -> None:
        """Give the revision a tag, with a URL of its own on another port; a tag that is known moves and keeps its."""
        known = {tag.name: tag.url for tag in self.service.tags}
        if name not in known:
            self.tagged[name] = FrontEnd(self.store, self.service, self.instances, name)
            self._open.push_async_callback(self.tagged[name].close)
            known[name] = await self.tagged[name].start()
        self.service.keep_tag(Tag(name, revision.name, known[name]))

    async def _become_ready(self, revision: RevisionRecord, started: float) -> RevisionRecord:
        try:
            await self.instances.acquire(revision, platform.START_ROLLOUT)
            message, ready = platform.DEPLOY_SUCCEEDED.format(seconds=f"{time.monotonic() - started:.2f}"), True
        except InstanceNotStarted:
            message, ready = platform.PORT_NOT_LISTENING.format(port=revision.settings.port), False
        revision = replace(revision, ready=ready, ready_message=message, ready_time=datetime.now(UTC))
        self.service.keep(revision)
        self.store.add(audit.revision_ready(self.service, revision, self.store.clock()))
        return revision

    def _revision(self, step: Deploy) -> RevisionRecord:
        """What a deploy asks for: the new variables beside the old ones, the labels of the image's build."""
        build, newest = self.service.latest_build(step.image), self.service.revisions[-1:]
        before = dict(newest[0].environment) if newest else dict(self.scenario.environment)
        return RevisionRecord(
            name=step.revision,
            generation=_generation(step.revision, len(self.service.revisions) + 1),
            image=f"{self.service.repository}@{build.digest}",
            folder=build.folder,
            environment={**before, **step.environment},
            labels={"commit-sha": build.commit, "gcb-build-id": build.build_id, "managed-by": "gcp-cloud-build-deploy"},
            creator=step.by,
            create_time=datetime.now(UTC),
            settings=self.scenario.settings,
        )


def _generation(revision: str, otherwise: int) -> int:
    """The number in a revision's name, which Cloud Run takes from the configuration's generation.

    >>> _generation("chat-00139-rap", 1)
    139
    """
    parts = revision.split("-")
    return int(parts[-2]) if len(parts) > 2 and parts[-2].isdigit() else otherwise

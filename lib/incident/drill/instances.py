"""Instances: real processes of a revision's image, started as Cloud Run starts them, whose output becomes log entries.

An instance is up when a TCP connection to its port succeeds, which is Cloud Run's default startup probe, and says
nothing of whether the application behind it can serve. Each process leads a group of its own, and ends when its
standard input does: whatever becomes of this process, SIGKILL included, its instances end. A request that finds every
instance full starts another, up to the revision's limit, and is refused at once beyond it: Cloud Run lets it wait a
little. Instances that have nothing to do are not taken away. A container's own file system is not imitated, so paths
of the image and of Python are written as a container would have them.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from incident import platform
from incident.drill import memory
from incident.drill.entries import ContainerLines, LogStore, Origin, container_entry, system_entry
from incident.drill.ports import free_port
from incident.drill.service import RevisionRecord, Service

COMMAND = ("-m", "serve", "chat.main")
"""What every image is started with, after the Python interpreter."""

PROBE_INTERVAL, STOP_GRACE = 0.005, 2.0

LINE_LIMIT = 1 << 20


class InstanceNotStarted(Exception):
    """The startup probe failed: the process ended, or its port did not open in time."""


class NoInstance(Exception):
    """Every instance of the revision is full, and no other may be started."""


class Instance:
    """One process. `ended` is set when it is gone and all it wrote is in the log."""

    def __init__(self, process: Process, revision: RevisionRecord, port: int, origin: Origin) -> None:
        self.process, self.revision, self.port, self.origin = process, revision, port, origin
        self.ended = asyncio.Event()
        self.stopping = False

    async def gone_within(self, seconds: float) -> bool:
        """True where it has ended, or ends in that time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)
        return self.ended.is_set()


@dataclass(eq=False)
class _Place:
    """Room for requests in one instance, from the moment that it is started for the first of them."""

    start: asyncio.Task[Instance]
    busy: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the instance did not start, or has ended."""
        if not self.start.done():
            return False
        return self.start.cancelled() or self.start.exception() is not None or self.start.result().ended.is_set()


class Instances:
    """The instances of a service: starts one where all that live are full, once for all who ask at the same time."""

    def __init__(self, store: LogStore, service: Service) -> None:
        self._store, self._service = store, service
        self.variables: Mapping[str, str] = {}
        """What every instance finds in its environment beside the revision's own variables."""
        self._places: dict[str, list[_Place]] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._alive: set[Instance] = set()

    async def acquire(
        self, revision: RevisionRecord, reason: platform.PlatformText = platform.START_AUTOSCALING
    ) -> Instance:
        """A live instance of the revision, whatever its load; `InstanceNotStarted` where it does not start."""
        async with self.serving(revision, reason) as instance:
            return instance

    @asynccontextmanager
    async def serving(
        self, revision: RevisionRecord, reason: platform.PlatformText = platform.START_AUTOSCALING
    ) -> AsyncIterator[Instance]:
        """An instance that has room for one request more, held until the request has ended.

        `InstanceNotStarted` where it does not start, `NoInstance` where all are full and no other may start.
        """
        place = self._place(revision, reason)
        place.busy += 1
        try:
            yield await asyncio.shield(place.start)
        finally:
            place.busy -= 1

    def _place(self, revision: RevisionRecord, reason: platform.PlatformText) -> _Place:
        places = [place for place in self._places.get(revision.name, []) if not place.is_over]
        self._places[revision.name] = places
        free = next((place for place in places if place.busy < revision.settings.concurrency), None)
        if free:
            return free
        if len(places) >= revision.settings.max_instances:
            raise NoInstance(revision.name)
        places.append(_Place(asyncio.create_task(self._start(revision, reason))))
        return places[-1]

    async def retire(self, revision: RevisionRecord) -> None:
        """Stop the revision's instance, as after a rollout; nothing where none is alive."""
        for instance in [item for item in self._alive if item.revision.name == revision.name]:
            self._say(instance.origin, platform.SHUTDOWN_DISABLED)
            await self._stop(instance)

    async def close(self) -> None:
        """Stop every instance and wait until all are gone."""
        starts = [place.start for places in self._places.values() for place in places]
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(self._stop(instance) for instance in self._alive.copy()))
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _start(self, revision: RevisionRecord, reason: platform.PlatformText) -> Instance:
        instance_id = "00" + secrets.token_hex(80)
        origin = self._service.origin(revision).at(instance_id=instance_id)
        self._say(origin, reason)
        instance = await self._spawn(revision, origin)
        probe = {"container": origin.container, "port": revision.settings.port}
        if await self._opens(instance):
            self._say(origin, platform.STARTUP_PROBE_SUCCEEDED, **probe)
            return instance
        reason_given = "CONNECTION_REFUSED" if instance.ended.is_set() else "DEADLINE_EXCEEDED"
        self._say(origin, platform.STARTUP_PROBE_FAILED, **probe, reason=reason_given)
        await self._stop(instance)
        raise InstanceNotStarted(revision.name)

    async def _spawn(self, revision: RevisionRecord, origin: Origin) -> Instance:
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(revision.settings.command or COMMAND),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT,
            cwd=revision.folder,
            env={**self.variables, **environment(revision, self._service.name, port)},
            start_new_session=True,
        )
        instance = Instance(process, revision, port, origin)
        self._alive.add(instance)
        watcher = asyncio.create_task(self._watch(instance))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return instance

    async def _opens(self, instance: Instance) -> bool:
        """The default startup probe: does a TCP connection succeed before the process ends?"""
        with suppress(TimeoutError):
            async with asyncio.timeout(instance.revision.settings.startup_deadline):
                while not instance.ended.is_set():
                    with suppress(OSError):
                        _, writer = await asyncio.open_connection("127.0.0.1", instance.port)
                        writer.close()
                        return True
                    await asyncio.sleep(PROBE_INTERVAL)
        return False

    async def _watch(self, instance: Instance) -> None:
        """Write what the process says, then how it ended."""
        process = instance.process
        readers = asyncio.gather(
            self._read(process.stdout, instance, platform.STDOUT), self._read(process.stderr, instance, platform.STDERR)
        )
        limit = memory.limit_bytes(instance.revision.settings.memory)
        watching = asyncio.create_task(memory.watch(process.pid, limit, partial(self._over_limit, instance, limit)))
        code = await process.wait()
        watching.cancel()
        kill_group(process.pid, signal.SIGKILL)
        await readers
        self._alive.discard(instance)
        if not instance.stopping:
            self._say_exit(instance.origin, code)
        instance.ended.set()

    async def _over_limit(self, instance: Instance, limit: int, held: int) -> None:
        """Say by how much an instance is over its memory limit, and kill it."""
        used = memory.mebibytes(held)
        self._say(instance.origin, platform.MEMORY_LIMIT, limit=memory.mebibytes(limit), used=used)
        kill_group(instance.process.pid, signal.SIGKILL)

    async def _read(self, stream: asyncio.StreamReader | None, instance: Instance, log: str) -> None:
        """Write an entry for each line, and one for each traceback, until the stream ends."""
        assert stream is not None
        lines, folder = ContainerLines(), str(instance.revision.folder)
        while line := await stream.readline():
            text = as_in_container(line.decode(errors="replace").rstrip("\r\n"), folder)
            self._write(instance, log, lines.feed(text))
        self._write(instance, log, lines.end())

    def _write(self, instance: Instance, log: str, told: tuple[str, str] | None) -> None:
        if told:
            self._store.add(container_entry(instance.origin, log, *told, self._store.clock()))

    async def _stop(self, instance: Instance) -> None:
        instance.stopping = True
        with suppress(ProcessLookupError):
            instance.process.terminate()  # the first process alone, as a container gets it: it tells its worker
        if not await instance.gone_within(STOP_GRACE):
            kill_group(instance.process.pid, signal.SIGKILL)
            await instance.ended.wait()

    def _say(self, origin: Origin, text: platform.PlatformText, **values: object) -> None:
        self._store.add(system_entry(origin, text, self._store.clock(), **values))

    def _say_exit(self, origin: Origin, code: int) -> None:
        if code < 0:
            self._say(origin, platform.CONTAINER_SIGNAL, signal=-code)
        else:
            self._say(origin, platform.CONTAINER_EXIT if code else platform.CONTAINER_EXIT_ZERO, code=code)


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a process and all that it started; nothing where they are gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def environment(revision: RevisionRecord, service: str, port: int) -> Mapping[str, str]:
    """A container's environment: Cloud Run's own variables and the revision's; nothing of ours but where Python is.

    PORT is the process's own free port: containers here share one loopback, where Cloud Run gives each its own.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    contract = {
        "PORT": str(port),
        "K_SERVICE": service,
        "K_REVISION": revision.name,
        "K_CONFIGURATION": service,
        "PYTHONUNBUFFERED": "1",
    }
    return {**inherited, **revision.environment, **contract}


def as_in_container(text: str, folder: str) -> str:
    """A line of output with the image's folder as `/app` and Python's as `/usr/local`.

    >>> as_in_container('File "/image/chat/main.py", line 9', "/image")
    'File "/app/chat/main.py", line 9'
    """
    places = {folder: "/app", sys.prefix: "/usr/local", sys.base_prefix: "/usr/local"}
    return re.sub("|".join(map(re.escape, places)), lambda match: places[match[0]], text)

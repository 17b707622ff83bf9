"""Log entries as Cloud Run writes them, and the store that holds them.

Builds `LogEntry` messages of the official client's own class: container lines, the platform's own lines, request
entries. Times are integers of nanoseconds since the epoch, UTC. It cannot delay an entry as Google's ingestion does:
an entry can be read as soon as it is added.
"""

from __future__ import annotations

import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from google.cloud.logging_v2.types import LogEntry

from incident import platform

Entry = Any
"""A `google.logging.v2.LogEntry` message, plain protobuf (the clients' class without its proto-plus wrapper)."""

ENTRY_CLASS: Callable[..., Entry] = LogEntry.pb()

Clock = Callable[[], int]
"""Nanoseconds since the epoch."""


class LogStore:
    """Every entry of the project, ordered by (timestamp, insert id). Safe to add to and to read from any thread."""

    def __init__(self, clock: Clock = time.time_ns) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._entries: list[tuple[int, str, Entry]] = []

    def add(self, entry: Entry) -> None:
        """Keep an entry: it gets an insert id that no other has, and the time of its arrival."""
        with self._lock:
            entry.insert_id = f"{next(self._numbers):012x}"
            set_time(entry.receive_timestamp, self.clock())
            insort(self._entries, (nanoseconds(entry.timestamp), entry.insert_id, entry), key=lambda item: item[:2])

    def __iter__(self) -> Iterator[Entry]:
        """The entries at this moment, oldest first."""
        with self._lock:
            return iter([entry for _, _, entry in self._entries])


def nanoseconds(timestamp: Any) -> int:
    """A protobuf Timestamp as nanoseconds since the epoch; its own conversion is to datetime, which cuts them."""
    return int(timestamp.seconds) * 1_000_000_000 + int(timestamp.nanos)


def set_time(timestamp: Any, time_ns: int) -> None:
    """Set a protobuf Timestamp."""
    timestamp.seconds, timestamp.nanos = divmod(time_ns, 1_000_000_000)


@dataclass(frozen=True)
class Origin:
    """Where an entry comes from: the service, and where it is known the revision, its labels, the instance.

    `revision` is the empty string on entries about the service as a whole, as Cloud Run has it.
    """

    project: str
    region: str
    service: str
    revision: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    instance_id: str = ""
    container: str = ""

    def at(self, **changes: Any) -> Origin:
        """The same origin, more closely."""
        return replace(self, **changes)


def new_entry(origin: Origin, log: str, severity: str, time_ns: int) -> Entry:
    """An entry without a payload, with its resource and labels."""
    entry = ENTRY_CLASS(log_name=platform.log_name(origin.project, log), severity=platform.SEVERITIES[severity])
    entry.resource.type = "cloud_run_revision"
    entry.resource.labels.update(
        project_id=origin.project,
        location=origin.region,
        service_name=origin.service,
        revision_name=origin.revision,
        configuration_name=origin.service if origin.revision else "",
    )
    entry.labels.update(origin.labels)
    if origin.instance_id:
        entry.labels["instanceId"] = origin.instance_id
    set_time(entry.timestamp, time_ns)
    return entry


def container_entry(origin: Origin, log: str, text: str, severity: str, time_ns: int) -> Entry:
    """What a container wrote on standard output or standard error."""
    entry = new_entry(origin, log, severity, time_ns)
    entry.text_payload = text
    return entry


def system_entry(origin: Origin, text: platform.PlatformText, time_ns: int, **values: object) -> Entry:
    """What the platform says of an instance, in `varlog/system`."""
    entry = new_entry(origin, text.log, text.severity, time_ns)
    entry.text_payload = text.format(**values)
    entry.labels["container_name"] = origin.container
    return entry


@dataclass
class Served:
    """One request as the front end saw it; `time_ns` is its start and `latency_ns` the whole of its life."""

    method: str
    url: str
    protocol: str
    time_ns: int
    trace_id: str
    span_id: str
    sampled: bool
    user_agent: str = ""
    referer: str = ""
    remote_ip: str = ""
    status: int = 0
    request_size: int = 0
    response_size: int = 0
    latency_ns: int = 0
    text: str = ""


def request_entry(origin: Origin, served: Served) -> Entry:
    """A request's entry, to be written when the request has ended; its timestamp is the request's start."""
    entry = new_entry(origin, platform.REQUESTS, platform.request_severity(served.status), served.time_ns)
    request = entry.http_request
    request.request_method, request.request_url, request.status = served.method, served.url, served.status
    request.request_size, request.response_size = served.request_size, served.response_size
    request.user_agent, request.remote_ip, request.referer = served.user_agent, served.remote_ip, served.referer
    request.server_ip, request.protocol = "127.0.0.1", served.protocol
    request.latency.seconds, request.latency.nanos = divmod(served.latency_ns, 1_000_000_000)
    entry.trace = f"projects/{origin.project}/traces/{served.trace_id}"
    entry.span_id, entry.trace_sampled = served.span_id, served.sampled
    if served.text:
        entry.text_payload = served.text
    return entry


class ContainerLines:
    """Turns the lines of one stream into entries' texts: a traceback is one text, of severity ERROR.

    A traceback ends with the first line that is not indented, which names the exception.

    >>> lines = ContainerLines()
    >>> [lines.feed(line) for line in ("up", "Traceback (most recent call last):", "  File 'a'", "KeyError: 1")]
    [('up', 'DEFAULT'), None, None, ("Traceback (most recent call last):\\n  File 'a'\\nKeyError: 1", 'ERROR')]
    """

    def __init__(self) -> None:
        self._traceback: list[str] = []

    def feed(self, line: str) -> tuple[str, str] | None:
        """The text that this line completes, with its severity; None inside a traceback and for an empty line."""
        if line.startswith("Traceback (most recent call last):"):
            self._traceback = [line]
            return None
        if not self._traceback:
            return (line, "DEFAULT") if line.strip() else None
        self._traceback.append(line)
        return self.end() if line.strip() and not line[0].isspace() else None

    def end(self) -> tuple[str, str] | None:
        """What is left when the stream ends: a traceback that was cut short."""
        text, self._traceback = "\n".join(self._traceback), []
        return (text, "ERROR") if text else None

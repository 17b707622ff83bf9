"""A Google on loopback whose every answer a test can set, for what the drill's own stand-in never does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import grpc
import pandas as pd
import pytest
from google.api import monitored_resource_pb2
from google.cloud import run_v2
from google.cloud.devtools import cloudbuild_v1
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry
from google.iam.v1 import iam_policy_pb2, policy_pb2

from incident.drill import lql
from incident.scope import Scope

NAME = "projects/my-project/locations/us-central1/services/chat"
START = pd.Timestamp("2025-09-07T10:00:00.000000001Z")
END = pd.Timestamp("2025-09-07T11:00:00Z")
SCOPE = Scope("my-project", "us-central1", "chat", "", START, END)
DIGEST = "sha256:" + "ab" * 32
IMAGE = "us-docker.pkg.dev/my-project/chat/server"


def entry(log: str, at: str, insert_id: str = "", **fields: Any) -> Any:
    """A raw LogEntry of revision `chat-00001-abc`, at a time given to the nanosecond."""
    labels = {"service_name": "chat", "revision_name": "chat-00001-abc", "location": "us-central1"}
    made = LogEntry.pb()(
        log_name=f"projects/my-project/logs/{log.replace('/', '%2F')}",
        resource=monitored_resource_pb2.MonitoredResource(type="cloud_run_revision", labels=labels),
        insert_id=insert_id or at,
        **fields,
    )
    made.timestamp.FromJsonString(at)
    return made


def request_entry(at: str, **fields: Any) -> Any:
    """A raw request entry; fields are those of `httpRequest`, and `trace`."""
    trace = fields.pop("trace", "")
    made = entry("run.googleapis.com/requests", at, trace=trace)
    for name, value in ({"request_method": "GET", "status": 200} | fields).items():
        setattr(made.http_request, name, value)
    return made


def revision(name: str = "chat-00001-abc", created: str = "2025-09-07T09:00:00Z", **fields: Any) -> run_v2.Revision:
    """A revision that is ready since a second after its creation."""
    since = pd.Timestamp(created) + pd.Timedelta("1s")
    ready = {"type_": "Ready", "state": "CONDITION_SUCCEEDED", "last_transition_time": since.isoformat()}
    plain = {"containers": [{"image": f"{IMAGE}@{DIGEST}", "ports": [{"container_port": 8080}]}], "conditions": [ready]}
    return run_v2.Revision(name=f"{NAME}/revisions/{name}", create_time=created, **(plain | fields))


wanted = cache(lql.parse)


@dataclass
class Google:
    """What the stand-in holds; `faults` maps a method to a code, or to codes used up one a call, None for an answer.

    `others` are other services by their full names, each with what it holds and refuses of its own.
    """

    entries: list[Any] = field(default_factory=list)
    service: run_v2.Service = field(default_factory=lambda: run_v2.Service(name=NAME, uri="https://chat-x.a.run.app"))
    revisions: list[run_v2.Revision] = field(default_factory=lambda: [revision()])
    builds: dict[str, list[cloudbuild_v1.Build]] = field(default_factory=dict)
    policy: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    faults: dict[str, Any] = field(default_factory=dict)
    others: dict[str, "Google"] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    empty_pages: bool = False
    filters: bool = False
    page: int = 2
    on_entries: Any = None
    address: str = ""

    def of(self, asked: Any) -> "Google":
        """Who answers a request: the service that it names."""
        names = (getattr(asked, name, "") for name in ("name", "resource", "parent"))
        return next((self.others[name] for name in names if name in self.others), self)

    def requests(self, method: str) -> list[Any]:
        """The requests of one method, in order."""
        return [request for name, request in self.asked if name == method]

    def fault(self, method: str) -> grpc.StatusCode | None:
        """The code that this call fails with."""
        fault = self.faults.get(method)
        return fault.pop(0) if isinstance(fault, list) and fault else fault if fault else None

    def list_log_entries(self, request: Any) -> Any:
        """A page of the entries whose log the filter names; with `empty_pages` each is preceded by an empty one.

        With `filters` all of the filter counts.
        """
        if self.on_entries:
            self.on_entries(request)
        held = [made for made in self.entries if f'"{made.log_name}"' in request.filter]
        held = [made for made in held if wanted(request.filter)(made)] if self.filters else held
        held = held if request.order_by.endswith("asc") else held[::-1]
        at, _, filled = request.page_token.partition(":")
        start = int(at or 0)
        if self.empty_pages and not filled:
            return ListLogEntriesResponse(next_page_token=f"{start}:filled")
        end = start + min(request.page_size, self.page)
        return ListLogEntriesResponse(entries=held[start:end], next_page_token=f"{end}" if end < len(held) else "")

    def list_builds(self, request: Any) -> Any:
        """The builds of a location, `""` being the global one."""
        return cloudbuild_v1.ListBuildsResponse(builds=self.builds.get(request.parent, []))

    def handler(self, method: str, answer: Any, request: Any, response: Any) -> Any:
        """One method, on the official client's own message classes."""

        def handle(asked: Any, context: Any) -> Any:
            self.asked.append((method, asked))
            if code := self.of(asked).fault(method):
                context.abort(code, f"{method} was told to fail")
            return answer(asked)

        read = getattr(request, "deserialize", None) or request.FromString
        write = getattr(response, "serialize", None) or response.SerializeToString
        return grpc.unary_unary_rpc_method_handler(handle, request_deserializer=read, response_serializer=write)


def services(google: Google) -> dict[str, dict[str, tuple[Any, Any, Any]]]:
    """The methods that our sources call, by gRPC service."""
    run = run_v2
    return {
        "google.logging.v2.LoggingServiceV2": {
            "ListLogEntries": (google.list_log_entries, ListLogEntriesRequest, ListLogEntriesResponse)
        },
        "google.cloud.run.v2.Services": {
            "GetService": (lambda asked: google.of(asked).service, run.GetServiceRequest, run.Service),
            "GetIamPolicy": (
                lambda asked: google.of(asked).policy,
                iam_policy_pb2.GetIamPolicyRequest,
                policy_pb2.Policy,
            ),
        },
        "google.cloud.run.v2.Revisions": {
            "ListRevisions": (
                lambda asked: run.ListRevisionsResponse(revisions=google.of(asked).revisions),
                run.ListRevisionsRequest,
                run.ListRevisionsResponse,
            )
        },
        "google.devtools.cloudbuild.v1.CloudBuild": {
            "ListBuilds": (google.list_builds, cloudbuild_v1.ListBuildsRequest, cloudbuild_v1.ListBuildsResponse)
        },
    }


@pytest.fixture
def google() -> Iterator[Google]:
    """A running stand-in."""
    held = Google()
    server = grpc.server(ThreadPoolExecutor(4))
    for service, methods in services(held).items():
        handlers = {method: held.handler(method, *parts) for method, parts in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    held.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield held
    server.stop(None)


@pytest.fixture
def make() -> Any:
    """The builders of this file, by name: fixtures are how a file under importlib mode shares them."""
    from types import SimpleNamespace

    shared = (entry, request_entry, revision, SCOPE, START, END, DIGEST, IMAGE, NAME)
    names = ("entry", "request_entry", "revision", "SCOPE", "START", "END", "DIGEST", "IMAGE", "NAME")
    return SimpleNamespace(**dict(zip(names, shared, strict=True)))

"""Google's APIs on loopback: the methods that our sources call, on the official clients' own message classes.

Serves Cloud Logging `ListLogEntries`, Cloud Run v2 `GetService`, `ListServices`, `GetIamPolicy`, `ListRevisions` and
`TestIamPermissions`, Cloud Build v1 `ListBuilds`, Resource Manager v3 `TestIamPermissions`.
Pages, page tokens, limits and refusals are as documented; a page without entries that carries a token comes regularly,
since a real one may. It cannot check credentials or quota: a refusal is made with `permissions` or with `fault`.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Any, Self

import grpc
from google.cloud import run_v2
from google.cloud.devtools import cloudbuild_v1
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse
from google.iam.v1 import iam_policy_pb2, policy_pb2

from incident.drill import lql
from incident.drill.entries import LogStore, nanoseconds
from incident.drill.faults import Faults
from incident.drill.page_tokens import ForeignToken, PageTokens, Position
from incident.drill.permissions import NEEDED, ApiError, Permissions
from incident.drill.service import Service, build_v1, revision_v2, service_v2

DEFAULT_PAGE, MAX_PAGE = 50, 1000
"""Entries a page when none is asked for, and the most that may be (logging_v2 ListLogEntriesRequest.page_size)."""

MAX_RESOURCE_NAMES = 100
ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
"""What `order_by` may be, and whether the newest entry comes first."""

BUILD_FIELDS: Mapping[str, lql.Field] = {
    "create_time": lql.Field(lambda build: nanoseconds(build._pb.create_time), lql.parse_time, ordered=True),
    "finish_time": lql.Field(lambda build: nanoseconds(build._pb.finish_time), lql.parse_time, ordered=True),
    "status": lql.Field(lambda build: build.status.name.casefold()),
}
"""What a filter of builds may name."""


def invalid(message: str) -> ApiError:
    """A request that Google refuses for its form."""
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, message)


def list_log_entries(
    store: LogStore, tokens: PageTokens, request: Any, empty_pages: bool, classes: Callable[..., Any]
) -> Any:
    """One page of the entries that a filter takes. With `empty_pages`, a query's first page has only a token."""
    size = _page_size(request)
    if request.order_by not in ORDERS:
        raise invalid(f"order_by must be 'timestamp asc' or 'timestamp desc', not {request.order_by!r}")
    try:
        wanted = lql.parse(request.filter)
    except lql.FilterError as error:
        raise invalid(f"Unparseable filter: {error}") from error
    projects = _projects(request.resource_names)
    query = "\0".join([*request.resource_names, request.filter, request.order_by])
    if not request.page_token and empty_pages:
        return classes(next_page_token=tokens.write(query, Position()))
    after = _position(tokens, query, request.page_token)
    entries = _ordered(store, ORDERS[request.order_by], after)
    page = list(islice((entry for entry in entries if _in(entry, projects) and wanted(entry)), size + 1))
    token = ""
    if len(page) > size:
        page.pop()
        token = tokens.write(query, Position(nanoseconds(page[-1].timestamp), page[-1].insert_id))
    return classes(entries=page, next_page_token=token)


def _position(tokens: PageTokens, query: str, token: str) -> Position:
    try:
        return tokens.read(query, token) if token else Position()
    except ForeignToken as error:
        raise invalid("page_token doesn't match arguments from the request") from error


def _page_size(request: Any) -> int:
    if request.page_size < 0 or request.page_size > MAX_PAGE:
        raise invalid(f"page_size must be between 0 and {MAX_PAGE}, not {request.page_size}")
    return request.page_size or DEFAULT_PAGE


def _projects(names: Iterable[str]) -> set[str]:
    """The log names' beginnings that `resource_names` asks for."""
    asked = list(names)
    if not 1 <= len(asked) <= MAX_RESOURCE_NAMES:
        raise invalid(f"resource_names must have 1 to {MAX_RESOURCE_NAMES} names, not {len(asked)}")
    for name in asked:
        if not re.fullmatch(r"(projects|organizations|billingAccounts|folders)/[^/]+(/locations/.+)?", name):
            raise invalid(f"resource name {name!r} is not valid: give projects/PROJECT")
    return {f"{name}/logs/" for name in asked}


def _in(entry: Any, projects: set[str]) -> bool:
    return any(entry.log_name.startswith(project) for project in projects)


def _ordered(store: LogStore, newest_first: bool, after: Position) -> Iterable[Any]:
    entries = list(store)
    if newest_first:
        entries.sort(key=lambda entry: (-nanoseconds(entry.timestamp), entry.insert_id))
    if after.time_ns is None:
        return entries
    sign = -1 if newest_first else 1
    last = (sign * after.time_ns, after.insert_id)
    return (entry for entry in entries if (sign * nanoseconds(entry.timestamp), entry.insert_id) > last)


def get_service(service: Service, request: Any) -> run_v2.Service:
    """The service, or NOT_FOUND in Google's words."""
    if request.name != service.full_name or not service.revisions:
        raise _not_found(request.name)
    return service_v2(service)


def list_services(service: Service, request: Any) -> run_v2.ListServicesResponse:
    """The services of one region; `locations/-` is refused, as the proto of ListServicesRequest says."""
    if not re.fullmatch(r"projects/[^/]+/locations/[a-z0-9-]*[a-z0-9]", request.parent):
        raise invalid(f"parent {request.parent!r} is not valid: give projects/P/locations/L, and no '-' for L")
    there = service.full_name == f"{request.parent}/services/{service.name}" and service.revisions
    return run_v2.ListServicesResponse(services=[service_v2(service)] if there else [])


def get_iam_policy(service: Service, request: Any) -> Any:
    """Who may invoke the service, by a binding; the other roles are the project's."""
    if request.resource != service.full_name or not service.revisions:
        raise _not_found(request.resource)
    bindings = [policy_pb2.Binding(role="roles/run.invoker", members=service.invokers)] if service.invokers else []
    return policy_pb2.Policy(version=1, bindings=bindings)


def list_revisions(service: Service, request: Any) -> run_v2.ListRevisionsResponse:
    """The service's revisions, newest first, in one page; `services/-` asks for those of every service."""
    parent, _, name = request.parent.rpartition("/")
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+/services", parent):
        raise invalid(f"parent {request.parent!r} is not valid: give projects/P/locations/L/services/S")
    if f"{parent}/" != service.full_name.removesuffix(service.name):
        return run_v2.ListRevisionsResponse()
    if name not in (service.name, "-"):
        raise _not_found(request.parent)
    return run_v2.ListRevisionsResponse(
        revisions=[revision_v2(service, revision) for revision in reversed(service.revisions)]
    )


def _not_found(name: str) -> ApiError:
    """Worded as in `GoogleCloudPlatform/generative-ai` issue 1795."""
    match = re.fullmatch(r"projects/([^/]+)/locations/([^/]+)/services/([^/]+)", name)
    if not match:
        return invalid(f"name {name!r} is not valid: give projects/P/locations/L/services/S")
    project, region, service = match.groups()
    words = f"Resource '{service}' of kind 'SERVICE' in region '{region}' in project '{project}' does not exist."
    return ApiError(grpc.StatusCode.NOT_FOUND, words)


def list_builds(service: Service, request: Any) -> cloudbuild_v1.ListBuildsResponse:
    """The builds of a location, newest first. Without `parent` the location is `global`, where none of ours are."""
    parent = request.parent or f"projects/{request.project_id}/locations/global"
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+", parent):
        raise invalid(f"parent {parent!r} is not valid: give projects/P/locations/L")
    try:
        wanted = lql.parse(request.filter, BUILD_FIELDS)
    except lql.FilterError as error:
        raise invalid(f"invalid filter: {error}") from error
    if parent != f"projects/{service.project}/locations/{service.region}":
        return cloudbuild_v1.ListBuildsResponse()
    builds = [build_v1(service, build) for build in reversed(service.builds)]
    return cloudbuild_v1.ListBuildsResponse(builds=[build for build in builds if wanted(build)])


class GoogleApis:
    """The server. `fault(method, …)` makes a method refuse; `calls` counts what was asked, by method.

    `permissions` holds what the caller may not do. Methods that two services have are named with theirs:
    `Projects.TestIamPermissions`.
    """

    def __init__(self, store: LogStore, service: Service, *, empty_pages: bool = True, key: bytes = b"") -> None:
        self.store, self.service, self.empty_pages = store, service, empty_pages
        self.permissions, self.calls = Permissions(), dict[str, int]()
        self._tokens, self.faults = PageTokens(key or os.urandom(32)), Faults()
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4, thread_name_prefix="google-apis"))
        self._server.add_generic_rpc_handlers(self._handlers())
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        """HOST:PORT, as INCIDENT_GCP_ENDPOINT wants it."""
        return f"127.0.0.1:{self.port}"

    def fault(self, method: str, code: grpc.StatusCode, message: str, times: int | None = None, **more: Any) -> None:
        """From now on `method` answers with `code`, for `times` calls; `more` is as in `faults.Faults.fault`."""
        self.faults.fault(method, code, message, times, **more)

    def mend(self, method: str) -> None:
        """Take a fault back."""
        self.faults.mend(method)

    def expire_tokens(self) -> None:
        """No page token that was given is valid any more, as after 24 hours."""
        self._tokens = PageTokens(os.urandom(32))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop(grace=None).wait(timeout=2)

    def _handlers(self) -> tuple[Any, ...]:
        entries, answers = ListLogEntriesRequest.pb(), ListLogEntriesResponse.pb()
        return (
            self._service(
                "google.logging.v2.LoggingServiceV2",
                ListLogEntries=(self._list_log_entries, entries.FromString, answers.SerializeToString),
            ),
            self._service(
                "google.cloud.run.v2.Services",
                GetService=_proto(get_service, run_v2.GetServiceRequest, run_v2.Service, self),
                ListServices=_proto(list_services, run_v2.ListServicesRequest, run_v2.ListServicesResponse, self),
                TestIamPermissions=self._held(),
                GetIamPolicy=(
                    lambda request: get_iam_policy(self.service, request),
                    iam_policy_pb2.GetIamPolicyRequest.FromString,
                    policy_pb2.Policy.SerializeToString,
                ),
            ),
            self._service(
                "google.cloud.run.v2.Revisions",
                ListRevisions=_proto(list_revisions, run_v2.ListRevisionsRequest, run_v2.ListRevisionsResponse, self),
            ),
            self._service("google.cloud.resourcemanager.v3.Projects", TestIamPermissions=self._held()),
            self._service(
                "google.devtools.cloudbuild.v1.CloudBuild",
                ListBuilds=_proto(list_builds, cloudbuild_v1.ListBuildsRequest, cloudbuild_v1.ListBuildsResponse, self),
            ),
        )

    def _list_log_entries(self, request: Any) -> Any:
        return list_log_entries(self.store, self._tokens, request, self.empty_pages, ListLogEntriesResponse.pb())

    def _held(self) -> tuple[Callable[[Any], Any], Any, Any]:
        read = iam_policy_pb2.TestIamPermissionsRequest.FromString
        write = iam_policy_pb2.TestIamPermissionsResponse.SerializeToString
        return lambda request: self.permissions.held(self.service, request), read, write

    def _service(self, name: str, **methods: tuple[Callable[[Any], Any], Any, Any]) -> Any:
        handlers, service = {}, name.rpartition(".")[2]
        for method, (answer, read, write) in methods.items():
            answering = self._answering(method if method in NEEDED else f"{service}.{method}", answer)
            handlers[method] = grpc.unary_unary_rpc_method_handler(answering, read, write)
        return grpc.method_handlers_generic_handler(name, handlers)

    def _answering(self, method: str, answer: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
        """The handler of a method: counts the call, fails where a fault is set, and turns ApiError into a status."""

        def handle(request: Any, context: Any) -> Any:
            try:
                with self._lock:
                    self.calls[method] = self.calls.get(method, 0) + 1
                    self.faults.check(method)
                self.permissions.check(method, self.service.project)
                return answer(request)
            except ApiError as error:
                context.set_trailing_metadata(error.details())
                context.abort(error.code, error.message)

        return handle


def _proto(answer: Callable[[Service, Any], Any], asked: Any, answered: Any, apis: GoogleApis) -> tuple[Any, Any, Any]:
    return lambda request: answer(apis.service, request), asked.deserialize, answered.serialize

"""Google's APIs on loopback, asked by the official clients over real gRPC."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.cloud.audit import audit_log_pb2
from google.cloud.devtools import cloudbuild_v1
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

from incident import platform
from incident.drill import audit
from incident.drill.entries import LogStore, container_entry
from incident.drill.google_apis import GoogleApis
from incident.drill.service import BuildRecord, RevisionRecord, Service

NOW = datetime(2025, 9, 7, 1, 2, 3, 456789, UTC)
START = 1_757_206_923_000_000_001


def revision(staging, number, **changes):
    name = f"{staging.service}-{number:05}-abc"
    record = RevisionRecord(
        name=name, generation=number, image="r-docker.pkg.dev/p/c/s@sha256:ab", folder=Path(), environment={"A": "1"},
        labels={"commit-sha": "c0ffee"}, creator="ada@example.com", create_time=NOW, settings=staging.settings,
        ready=True, ready_time=NOW, ready_message="Deploying revision succeeded in 1.00s.",
    )  # fmt: skip
    return replace(record, **changes)


@pytest.fixture
def service(staging):
    service = Service(staging, "http://127.0.0.1:1")
    for number in (1, 2):
        service.keep(revision(staging, number))
    service.serving = service.revisions[-1]
    return service


@pytest.fixture
def apis(service):
    store = LogStore()
    for number in range(7):
        origin = service.origin(service.revisions[0])
        store.add(container_entry(origin, platform.STDERR, f"line {number}", "DEFAULT", START + number // 2))
    with GoogleApis(store, service) as apis:
        yield apis


@pytest.fixture
def logs(apis, api_client):
    return api_client(LoggingServiceV2Client, apis.address)


def ask(**changes):
    return {"resource_names": ["projects/drill-project"], "filter": "", "order_by": "timestamp asc", **changes}


def texts(pages):
    return [[entry.text_payload[-1] for entry in page.entries] for page in pages]


def test_pages_and_an_empty_one_with_a_token(logs):
    """A reader that stops at a page without entries loses all that follows, so the first one is empty."""
    pages = list(logs.list_log_entries(ask(page_size=3)).pages)
    assert texts(pages) == [[], ["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [bool(page.next_page_token) for page in pages] == [True, True, True, False]


def test_newest_first_with_ties_by_insert_id(logs, apis):
    """Only the time is turned round: entries of one time keep the order of their ids, across pages too."""
    apis.empty_pages = False
    assert texts(logs.list_log_entries(ask(page_size=2, order_by="timestamp desc")).pages) == [
        ["6", "4"], ["5", "2"], ["3", "0"], ["1"],
    ]  # fmt: skip


def test_nanoseconds_survive(logs):
    """Two entries a nanosecond apart must not become one."""
    entries = list(logs.list_log_entries(ask(filter='timestamp>"2025-09-07T01:02:03.000000001Z"')))
    ends = [entry.timestamp.rfc3339()[-11:] for entry in entries]
    assert ends == [".000000002Z", ".000000002Z", ".000000003Z", ".000000003Z", ".000000004Z"]


def test_default_page_is_fifty(logs, apis, service):
    """A reader that asks for no size must not get everything at once."""
    apis.empty_pages = False
    for number in range(60):
        apis.store.add(container_entry(service.origin(), platform.STDOUT, str(number), "DEFAULT", START + 100))
    assert len(next(iter(logs.list_log_entries(ask()).pages)).entries) == 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"page_size": 1001}, "page_size must be between 0 and 1000, not 1001"),
        ({"order_by": "severity"}, "order_by must be 'timestamp asc' or 'timestamp desc', not 'severity'"),
        ({"resource_names": []}, "resource_names must have 1 to 100 names, not 0"),
        ({"resource_names": ["drill-project"]}, "resource name 'drill-project' is not valid: give projects/PROJECT"),
        ({"filter": 'textPayload:"x"'}, "Unparseable filter: unexpected ':\"x\"' at position 11"),
        ({"page_token": "bm90IG9uZSBvZiBvdXJz"}, "page_token doesn't match arguments from the request"),
        ({"page_token": "%"}, "page_token doesn't match arguments from the request"),
    ],
)
def test_what_is_not_valid_is_refused(logs, changes, message):
    """A stand-in more lenient than Google would let a mistake of ours through to production."""
    with pytest.raises(exceptions.InvalidArgument) as told:
        logs.list_log_entries(ask(**changes))
    assert told.value.message == message


def test_a_token_is_bound_to_its_query(logs):
    """A token used with another filter would skip entries without a word."""
    token = next(iter(logs.list_log_entries(ask(page_size=3)).pages)).next_page_token
    with pytest.raises(exceptions.InvalidArgument, match="page_token"):
        logs.list_log_entries(ask(page_size=3, page_token=token, order_by="timestamp desc"))


def test_another_project_has_nothing(logs):
    """As with Google, a project that is not ours gives an empty answer and no error."""
    assert not list(logs.list_log_entries(ask(resource_names=["projects/other"])))


def test_service_and_revisions(apis, api_client, service, staging):
    """Who serves, and since when: the fields that the sources read."""
    got = api_client(run_v2.ServicesClient, apis.address).get_service(name=service.full_name)
    assert got.latest_ready_revision == f"{service.full_name}/revisions/{staging.service}-00002-abc"
    assert [(status.revision, status.percent) for status in got.traffic_statuses] == [
        (f"{staging.service}-00002-abc", 100)
    ]
    assert (got.uri, got.generation, got.reconciling, got.terminal_condition.state.name) == (
        "http://127.0.0.1:1", 2, False, "CONDITION_SUCCEEDED",
    )  # fmt: skip
    revisions = list(api_client(run_v2.RevisionsClient, apis.address).list_revisions(parent=service.full_name))
    assert [item.name.rpartition("/")[2][-9:] for item in revisions] == ["00002-abc", "00001-abc"]
    newest = revisions[0]
    assert [(env.name, env.value) for env in newest.containers[0].env] == [("A", "1")]
    assert (newest.create_time.microsecond, newest.timeout.seconds, newest.max_instance_request_concurrency) == (
        456789, 300, 80,
    )  # fmt: skip
    assert newest.conditions[0].type_ == "Ready"


def test_a_revision_that_did_not_start_says_so(service, staging, apis, api_client):
    """The reason is in another member of the oneof, which a reader of `reason` alone misses."""
    service.keep(revision(staging, 3, ready=False, ready_message="no port"))
    newest = next(iter(api_client(run_v2.RevisionsClient, apis.address).list_revisions(parent=service.full_name)))
    ready = newest.conditions[0]
    assert (ready.state.name, ready.revision_reason.name, ready.message) == (
        "CONDITION_FAILED", "HEALTH_CHECK_CONTAINER_ERROR", "no port",
    )  # fmt: skip


def test_an_unknown_service_is_not_found(apis, api_client):
    """An absent service and a refused one must stay apart, so the words are Google's."""
    name = "projects/drill-project/locations/us-central1/services/nosuch"
    message = "Resource 'nosuch' of kind 'SERVICE' in region 'us-central1' in project 'drill-project' does not exist."
    with pytest.raises(exceptions.NotFound) as told:
        api_client(run_v2.ServicesClient, apis.address).get_service(name=name)
    assert told.value.message == message
    with pytest.raises(exceptions.NotFound):
        api_client(run_v2.RevisionsClient, apis.address).list_revisions(parent=name)


def test_everybody_may_invoke(apis, api_client, service):
    """A 403 of this service is its application's own, and the policy must say so."""
    policy = api_client(run_v2.ServicesClient, apis.address).get_iam_policy(request={"resource": service.full_name})
    assert [(binding.role, list(binding.members)) for binding in policy.bindings] == [
        ("roles/run.invoker", ["allUsers"])
    ]


def test_builds_are_regional(apis, api_client, service):
    """Builds of a region do not show in `global`, which is what a call with the project alone asks for."""
    build = BuildRecord("b1", "a", "c0ffee" * 6, "c0ffee", "sha256:ab", Path(), NOW)
    service.keep_build(build)
    client = api_client(cloudbuild_v1.CloudBuildClient, apis.address)
    parent = f"projects/{service.project}/locations/{service.region}"

    def builds(**fields):
        return list(client.list_builds(cloudbuild_v1.ListBuildsRequest(**fields)))

    assert builds(project_id=service.project) == []
    assert [item.status.name for item in builds(parent=parent)] == ["WORKING"]
    service.keep_build(replace(build, finish_time=NOW))
    (done,) = builds(parent=parent, project_id=service.project, filter='create_time>="2025-01-01T00:00:00Z"')
    assert (done.status.name, done.results.images[0].digest) == ("SUCCESS", "sha256:ab")
    assert builds(parent=parent, filter='status="FAILURE"') == []
    with pytest.raises(exceptions.InvalidArgument, match="invalid filter: field 'tags' is not known"):
        builds(parent=parent, filter='tags="x"')


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, exceptions.PermissionDenied),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, exceptions.ResourceExhausted),
        (grpc.StatusCode.NOT_FOUND, exceptions.NotFound),
    ],
)
def test_a_fault_is_answered_as_many_times_as_it_says(logs, apis, code, error):
    """Refusals, quotas and outages are tested by setting them, and recovery by their end."""
    apis.fault("ListLogEntries", code, "set by a test", times=1)
    with pytest.raises(error, match="set by a test"):
        logs.list_log_entries(ask(), retry=None)
    assert list(logs.list_log_entries(ask(), retry=None))


def test_a_fault_without_end_is_mended(logs, apis):
    """An access that was refused may be granted while a run watches."""
    apis.fault("ListLogEntries", grpc.StatusCode.UNAVAILABLE, "down")
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable):
            logs.list_log_entries(ask(), retry=None)
    apis.mend("ListLogEntries")
    assert list(logs.list_log_entries(ask(), retry=None))
    assert apis.calls["ListLogEntries"] == 4


def test_a_method_that_is_not_served(apis, api_client):
    """Nothing in the package may write to Google; a call that tries finds no such method."""
    with pytest.raises(exceptions.MethodNotImplemented):
        api_client(run_v2.ServicesClient, apis.address).delete_service(name="projects/p/locations/l/services/s")


def test_audit_entries_over_the_wire(logs, apis, service, staging):
    """A deploy's activity entry has no revision label, and carries the principal and the v1 Service."""
    new = revision(
        staging, 3, environment={"A": "2"}, creator="grace@example.com", ready=False, ready_message="no port"
    )
    apis.store.add(audit.deployed(service, new, START + 10))
    service.keep(new)
    apis.store.add(audit.revision_ready(service, new, START + 11))
    names = " OR ".join(
        f'"{platform.log_name(staging.project, log)}"' for log in (platform.ACTIVITY, platform.SYSTEM_EVENT)
    )
    activity, event = logs.list_log_entries(ask(filter=f"logName=({names})"))
    log = audit_log_pb2.AuditLog.FromString(activity.proto_payload.value)
    assert (activity.resource.labels["revision_name"], activity.severity) == ("", 300)
    assert (log.method_name, log.authentication_info.principal_email) == (
        "google.cloud.run.v1.Services.ReplaceService", "grace@example.com",
    )  # fmt: skip
    container = log.request["service"]["spec"]["template"]["spec"]["containers"][0]
    assert container["env"][0]["value"] == "2"
    assert log.response["status"]["latestCreatedRevisionName"] == f"{staging.service}-00002-abc"
    told = audit_log_pb2.AuditLog.FromString(event.proto_payload.value)
    assert (event.resource.labels["revision_name"], event.severity, told.status.code) == (new.name, 500, 9)
    assert told.status.message == (
        f"Ready condition status changed to False for Revision {new.name} with message: no port"
    )
    assert told.response["status"]["conditions"][0]["reason"] == "HealthCheckContainerError"

"""The live project, over real gRPC with the official clients."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import grpc
import pandas as pd
import pytest
from google.cloud.audit import audit_log_pb2
from google.cloud.devtools.cloudbuild_v1.types import Build
from google.iam.v1 import policy_pb2

from incident.drill.entries import LogStore, Origin, container_entry
from incident.drill.google_apis import GoogleApis
from incident.drill.scenario import load_scenario
from incident.drill.service import Service
from incident.sources import cloud
from incident.sources.calls import Calls, Pace
from incident.sources.clients import Clients
from incident.sources.limits import Allowance, Limits

PULLED = pd.Timestamp("2025-09-07T11:05:00Z")
STDERR, SYSTEM_EVENT = "run.googleapis.com/stderr", "cloudaudit.googleapis.com/system_event"


def pull(google: Any, scope: Any, probes: Sequence[dict[str, Any]] = (), **calls: Any) -> cloud.Pulled:
    """A pull from the stand-in whose retries take milliseconds."""
    quick = Calls(**({"first_pause": 0.001, "longest_pause": 0.01} | calls))
    return cloud.pull(scope, Clients(google.address), pulled=PULLED, probes=probes, calls=quick)


def gaps(pulled: cloud.Pulled) -> dict[str, str]:
    """The kinds of the gaps by frame."""
    return {gap.frame: gap.kind for gap in pulled.gaps}


def test_filters(google: Any, make: Any) -> None:
    """A filter that lost a part or its parentheses would read other services, or nothing, in silence."""
    pull(google, make.SCOPE)
    audit, denials, logs = google.requests("ListLogEntries")
    beginning = (
        '(resource.type="cloud_run_revision") AND (resource.labels.service_name="chat") AND '
        '(resource.labels.location="us-central1") AND (logName=('
    )
    end = ')) AND (timestamp>="2025-09-07T10:00:00.000000001Z") AND (timestamp<"2025-09-07T11:00:00Z")'
    names = (
        '"projects/my-project/logs/run.googleapis.com%2Frequests" OR '
        '"projects/my-project/logs/run.googleapis.com%2Fstdout" OR '
        '"projects/my-project/logs/run.googleapis.com%2Fstderr" OR '
        '"projects/my-project/logs/run.googleapis.com%2Fvarlog%2Fsystem"'
    )
    assert logs.filter == beginning + names + end
    assert audit.filter == beginning + (
        '"projects/my-project/logs/cloudaudit.googleapis.com%2Factivity" OR '
        '"projects/my-project/logs/cloudaudit.googleapis.com%2Fsystem_event" OR '
        '"projects/my-project/logs/cloudaudit.googleapis.com%2Fpolicy"'
    ) + end  # fmt: skip
    assert denials.filter == (
        '(resource.type="audited_resource") AND (resource.labels.method="run.googleapis.com/HttpIngress") AND '
        '(logName="projects/my-project/logs/cloudaudit.googleapis.com%2Fpolicy")'
    ) + end.removeprefix("))")
    assert (logs.page_size, logs.order_by) == (1000, "timestamp asc")
    assert list(logs.resource_names) == ["projects/my-project"]


def test_pages_and_empty_ones(google: Any, make: Any) -> None:
    """An empty page with a token means "go on": stopping there would lose all that follows without a word."""
    google.empty_pages = True
    google.entries = [make.entry(STDERR, f"2025-09-07T10:00:0{n}Z", text_payload=str(n)) for n in range(5)]
    pulled = pull(google, make.SCOPE)
    assert list(pulled.frames["logs"]["text"]) == ["0", "1", "2", "3", "4"]
    query = next(query for query in pulled.queries if query.frame == "logs")
    assert (query.entries, query.calls, query.start) == (5, 6, "2025-09-07T10:00:00.000000001Z")
    assert {"logs", "audit"} <= pulled.complete


def test_nanoseconds(google: Any, make: Any) -> None:
    """Entries of one request lie nanoseconds apart: their order is evidence, and a datetime would cut it."""
    google.entries = [
        make.entry(STDERR, "2025-09-07T10:00:00.123456789Z", text_payload="second"),
        make.entry(STDERR, "2025-09-07T10:00:00.123456788Z", text_payload="first"),
    ]
    logs = pull(google, make.SCOPE).frames["logs"]
    assert list(logs["text"]) == ["first", "second"]
    assert list(logs["timestamp"].map(lambda time: time.nanosecond)) == [788, 789]


def test_one_of_each_entry(google: Any, make: Any) -> None:
    """The same entry on two pages is one entry; the same id in another log or at another time is another."""
    twice = make.entry(STDERR, "2025-09-07T10:00:00Z", "a", text_payload="twice")
    google.entries = [
        twice,
        make.entry("run.googleapis.com/stdout", "2025-09-07T10:00:00Z", "a", text_payload="other log"),
        twice,
        make.entry(STDERR, "2025-09-07T10:00:01Z", "a", text_payload="other time"),
    ]
    assert sorted(pull(google, make.SCOPE).frames["logs"]["text"]) == ["other log", "other time", "twice"]


def test_columns_of_entries(google: Any, make: Any) -> None:
    """Each kind of payload has its text where rules look for it, and a socket keeps its life as latency."""
    request = make.request_entry("2025-09-07T10:00:00Z", request_url="https://c/ws?token=x", status=101)
    request.http_request.latency.FromJsonString("46.086s")
    structured = make.entry(STDERR, "2025-09-07T10:00:01Z", labels={"instanceId": "00ab", "commit-sha": "c0ffee"})
    structured.json_payload.update({"message": "refused", "n": 3})
    google.entries = [request, structured]
    socket, line = pull(google, make.SCOPE).frames["logs"].to_dict("records")
    assert (socket["http_request_status"], socket["severity"]) == (101, "DEFAULT")
    assert socket["http_request_latency"] == 46.086
    assert (line["text"], json.loads(line["json_payload"])) == ("refused", {"message": "refused", "n": 3})
    assert (line["instance_id"], line["revision_name"]) == ("00ab", "chat-00001-abc")
    assert line["labels"] == '{"commit-sha": "c0ffee", "instanceId": "00ab"}'
    assert pd.isna(line["http_request_status"])


def system_event(make: Any, at: str, message: str, revision: str = "chat-00001-abc", response: Any = None) -> Any:
    """What Cloud Run writes when a revision's readiness changes."""
    audit = audit_log_pb2.AuditLog(
        method_name="/Services.ReplaceService", resource_name=f"namespaces/my-project/revisions/{revision}"
    )
    audit.status.code, audit.status.message = 9, message
    audit.response.update(response or {})
    made = make.entry(SYSTEM_EVENT, at)
    made.resource.labels["revision_name"] = ""
    made.proto_payload.Pack(audit)
    return made


def test_audit_entries(google: Any, make: Any) -> None:
    """A failed deploy is only in the audit log, packed twice: its reason, its revision and its image are in there."""
    message = "Ready condition status changed to False for Revision chat-00001-abc with message: no port."
    response = {"status": {"imageDigest": f"{make.IMAGE}@{make.DIGEST}"}}
    google.revisions = [make.revision(containers=[{"image": f"{make.IMAGE}:v1"}])]
    google.entries = [system_event(make, "2025-09-07T10:00:00Z", message, response=response)]
    pulled = pull(google, make.SCOPE)
    row = pulled.frames["audit"].iloc[0]
    assert (row["method_name"], row["status_code"], row["status_message"]) == ("/Services.ReplaceService", 9, message)
    assert row["revision_name"] == "chat-00001-abc"
    assert json.loads(row["response"]) == response
    assert pulled.frames["revisions"]["image_digest"][0] == make.DIGEST


def test_our_own_entries(google: Any, make: Any) -> None:
    """Our probes are never evidence against the service: their requests, and what their traces carry, are marked."""
    trace = "projects/my-project/traces/"
    google.entries = [
        make.request_entry("2025-09-07T10:00:00Z", user_agent="incident/0.1.0 (probe 1f)", trace=trace + "a" * 32),
        make.entry(STDERR, "2025-09-07T10:00:01Z", trace=trace + "a" * 32, text_payload="of the probe"),
        make.request_entry("2025-09-07T10:00:02Z", user_agent="proxied", trace=trace + "b" * 32),
        make.request_entry("2025-09-07T10:00:03Z", user_agent="incident/0.1.0 (probe 1f) browser"),
        make.entry(STDERR, "2025-09-07T10:00:04Z", text_payload="of nobody's trace"),
    ]
    pulled = pull(google, make.SCOPE, probes=[{"trace_id": "b" * 32, "probe_id": "2e"}])
    assert list(pulled.frames["logs"]["probe_id"].fillna("-")) == ["1f", "1f", "2e", "-", "-"]
    start = pulled.frames["revisions"]["traffic_start_time"][0]
    assert start == pd.Timestamp("2025-09-07T10:00:03Z")


def test_revisions(google: Any, make: Any) -> None:
    """What changed between revisions is read from these columns, whatever form the API gives them."""
    google.revisions = [
        make.revision(
            labels={"commit-sha": "c0ffee"},
            timeout="300s",
            max_instance_request_concurrency=80,
            containers=[
                {
                    "image": f"{make.IMAGE}@{make.DIGEST}",
                    "ports": [{"name": "h2c", "container_port": 8080}],
                    "resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}},
                    "env": [
                        {"name": "MODE", "value": "e2e"},
                        {"name": "KEY", "value_source": {"secret_key_ref": {"secret": "key", "version": "3"}}},
                    ],
                },
                {"name": "proxy", "image": "envoy:1", "env": [{"name": "MODE", "value": "edge"}]},
            ],
            conditions=[
                {"type_": "Active", "state": "CONDITION_SUCCEEDED"},
                {"type_": "Ready", "state": "CONDITION_FAILED", "revision_reason": "HEALTH_CHECK_CONTAINER_ERROR"},
            ],
        )
    ]
    row = pull(google, make.SCOPE).frames["revisions"].iloc[0]
    secret = {"secret": "key", "version": "3"}
    assert json.loads(row["environment"]) == {"MODE": "e2e", "KEY": secret, "proxy/MODE": "edge"}
    settings = json.loads(row["settings"])
    assert (settings["timeout_s"], settings["concurrency"], settings["cpu"]) == (300, 80, "1")
    assert settings["ports"] == [{"name": "h2c", "container_port": 8080}]
    assert settings["sidecars"] == {"proxy": "envoy:1"}
    assert (row["image_digest"], row["commit"]) == (make.DIGEST, "c0ffee")
    assert (bool(row["ready"]), row["ready_reason"]) == (False, "HEALTH_CHECK_CONTAINER_ERROR")


def test_service_and_traffic(google: Any, make: Any) -> None:
    """Who serves is what the traffic statuses say; a target without a name is the latest ready revision."""
    google.service.latest_ready_revision = f"{make.NAME}/revisions/chat-00001-abc"
    google.service.traffic_statuses = [
        {"percent": 100},
        {"revision": "chat-00000-old", "tag": "old", "uri": "https://t"},
    ]
    pulled = pull(google, make.SCOPE)
    traffic = pulled.frames["traffic"].to_dict("records")
    assert [row["revision_name"] for row in traffic] == ["chat-00001-abc", "chat-00000-old"]
    assert [row["percent"] for row in traffic] == [100, 0]
    assert traffic[1]["tag"] == "old"
    assert traffic[0]["time"] == PULLED
    assert pulled.frames["service"]["url"][0] == "https://chat-x.a.run.app"
    assert {"service", "traffic"} <= pulled.complete


def test_a_service_being_changed(google: Any, make: Any) -> None:
    """While a deploy is under way the traffic statuses are transient, so nobody vouches for them."""
    google.service.reconciling = True
    pulled = pull(google, make.SCOPE)
    assert gaps(pulled) == {"traffic": "unsettled"}
    assert "traffic" not in pulled.complete


def test_builds(google: Any, make: Any) -> None:
    """A project builds many images: kept are the service's own, from its region and from global, each once."""
    parent = "projects/my-project/locations/us-central1"
    pushed = {"images": [{"name": f"{make.IMAGE}:v2", "digest": make.DIGEST}]}
    mine = Build(id="mine", status="SUCCESS", results=pushed, substitutions={"COMMIT_SHA": "c0ffee"})
    working = Build(id="working", status="WORKING", images=[f"{make.IMAGE}:v3"], create_time="2025-09-07T10:30:00Z")
    google.builds = {
        parent: [working, mine, Build(id="other", images=["us-docker.pkg.dev/my-project/chat/server-two:v1"])],
        "": [mine, Build(id="failed", status="FAILURE", images=[make.IMAGE], failure_info={"type_": "PUSH_FAILED"})],
    }
    pulled = pull(google, make.SCOPE)
    builds = pulled.frames["builds"].set_index("build_id")
    assert sorted(builds.index) == ["failed", "mine", "working"]
    assert (builds["status"]["working"], builds["failure"]["failed"]) == ("WORKING", "PUSH_FAILED")
    row = pulled.frames["revisions"].iloc[0]
    assert (row["build_id"], row["commit"]) == ("mine", "c0ffee")


@pytest.mark.parametrize(
    "codes", [[grpc.StatusCode.PERMISSION_DENIED, None], [None, grpc.StatusCode.PERMISSION_DENIED]]
)
def test_builds_of_one_location_alone(google: Any, make: Any, codes: list[Any]) -> None:
    """Half the places where builds may be are not all of them, whichever half was refused."""
    google.faults["ListBuilds"] = codes
    pulled = pull(google, make.SCOPE)
    assert gaps(pulled) == {"builds": "refused"}
    assert "builds" not in pulled.complete


def test_iam(google: Any, make: Any) -> None:
    """Who may call is one row a role and member."""
    google.policy = policy_pb2.Policy(bindings=[{"role": "roles/run.invoker", "members": ["allUsers", "user:a@b.c"]}])
    pulled = pull(google, make.SCOPE)
    assert list(pulled.frames["iam"]["member"]) == ["allUsers", "user:a@b.c"]


def test_nothing_at_all(google: Any, make: Any) -> None:
    """No entry at all may as well mean a wrong name: of all frames only the logs are then not vouched for."""
    pulled = pull(google, make.SCOPE)
    assert pulled.gaps == ()
    assert pulled.complete == {"audit", "service", "traffic", "revisions", "builds", "iam"}


DENIED, ABSENT = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND


def grant(role: str) -> str:
    """The remedy that grants a role, to whoever asks."""
    command = f"gcloud projects add-iam-policy-binding my-project --member=MEMBER --role={role} --condition=None"
    return f"grant {role} to MEMBER, which is user:EMAIL or serviceAccount:EMAIL: {command}"


@pytest.mark.parametrize(
    ("method", "frames", "reason", "remedy"),
    [
        (
            "ListLogEntries",
            ("audit", "logs"),
            "reading logs of project 'my-project' was refused (403): logging.logEntries.list is needed",
            grant("roles/logging.viewer"),
        ),
        (
            "GetService",
            ("traffic", "service"),
            "reading service 'chat' in us-central1, project 'my-project' was refused (403): run.services.get is needed",
            grant("roles/run.viewer"),
        ),
        (
            "ListRevisions",
            ("builds", "revisions"),
            "reading revisions of service 'chat' in us-central1, project 'my-project' was refused (403): "
            "run.revisions.list is needed",
            grant("roles/run.viewer"),
        ),
        (
            "ListBuilds",
            ("builds",),
            "reading builds of project 'my-project' was refused (403): cloudbuild.builds.list is needed",
            grant("roles/cloudbuild.builds.viewer"),
        ),
        (
            "GetIamPolicy",
            ("iam",),
            "reading iam of service 'chat' in us-central1, project 'my-project' was refused (403): "
            "run.services.getIamPolicy is needed",
            grant("roles/run.viewer"),
        ),
    ],
)
def test_refused(google: Any, make: Any, method: str, frames: tuple[str, ...], reason: str, remedy: str) -> None:
    """A refused call names its permission and the grant that mends it, and stops no other frame."""
    google.faults[method] = DENIED
    pulled = pull(google, make.SCOPE)
    assert set(gaps(pulled)) == set(frames)
    gap = next(gap for gap in pulled.gaps if gap.frame == frames[-1])
    assert (gap.reason, gap.remedy, gap.kind) == (reason, remedy, "refused")
    assert not pulled.complete & set(frames)


def test_absent(google: Any, make: Any) -> None:
    """404 is not 403: the service is not there under this name, nor is anything of it, and no grant will help."""
    google.faults["GetService"] = ABSENT
    pulled = pull(google, make.SCOPE)
    assert gaps(pulled) == dict.fromkeys(("service", "traffic", "revisions", "iam"), "absent") | {"builds": "partial"}
    reason = "reading service 'chat' in us-central1, project 'my-project': it was not found (404)"
    assert pulled.gaps[0].reason == reason
    look = "check --project, --region and --service: gcloud run services list --project=my-project"
    assert pulled.gaps[0].remedy == look
    assert not google.requests("ListRevisions")


def test_what_came_before_a_failure_is_kept(google: Any, make: Any) -> None:
    """Half the logs are half the logs, and a gap: not nothing, and not all."""
    google.entries = [make.entry(STDERR, f"2025-09-07T10:00:0{n}Z", text_payload=str(n)) for n in range(5)]
    google.faults["ListLogEntries"] = [None, None, None, grpc.StatusCode.OUT_OF_RANGE]
    pulled = pull(google, make.SCOPE)
    assert list(pulled.frames["logs"]["text"]) == ["0", "1"]
    assert [gap.reason for gap in pulled.gaps] == [
        "reading logs of project 'my-project' failed: OUT_OF_RANGE, ListLogEntries was told to fail; "
        "entries after 2025-09-07T10:00:01Z are missing"
    ]
    assert "logs" not in pulled.complete


def test_passing_failures_are_retried(google: Any, make: Any) -> None:
    """An outage of a moment, or of the quota, costs a pause and no entry."""
    google.entries = [make.entry(STDERR, f"2025-09-07T10:00:0{n}Z", text_payload=str(n)) for n in range(5)]
    codes = grpc.StatusCode
    google.faults["ListLogEntries"] = [
        None, None, codes.UNAVAILABLE, codes.RESOURCE_EXHAUSTED, None, codes.INTERNAL, None,
    ]  # fmt: skip
    pulled = pull(google, make.SCOPE)
    assert list(pulled.frames["logs"]["text"]) == ["0", "1", "2", "3", "4"]
    assert pulled.gaps == ()
    assert next(query.calls for query in pulled.queries if query.frame == "logs") == 6


def test_a_limit_takes_the_best(google: Any, make: Any) -> None:
    """A run that may not read everything reads errors first; each query says what it lacks, in the manifest too."""
    google.filters, google.page = True, 1000
    for n in range(20):
        google.entries += [
            make.request_entry(f"2025-09-07T10:{n:02d}:01Z"),
            make.entry(STDERR, f"2025-09-07T10:{n:02d}:02Z"),
        ]
    google.entries.append(make.request_entry("2025-09-07T10:30:00Z", status=503))
    google.entries[-1].severity = 500
    pulled = pull(google, make.SCOPE, allowance=Allowance(Limits(entries=26)))
    logs = pulled.frames["logs"]
    assert len(logs) == 26
    assert (logs["severity"] == "ERROR").sum() == 1
    assert logs.loc[logs["http_request_status"] == 200, "timestamp"].min() == pd.Timestamp("2025-09-07T10:15:01Z")
    [gap] = pulled.gaps
    assert (gap.frame, gap.kind) == ("logs", "capped")
    assert gap.reason == (
        "--max-entries 26 was reached: other request entries before 2025-09-07T10:15:01Z are missing, "
        "how many is not known"
    )
    assert [query.gaps for query in pulled.queries if query.frame == "logs"] == [(), (), (), (gap.reason,)]
    assert "logs" not in pulled.complete


def test_no_limit_is_one_query_of_the_log(google: Any, make: Any) -> None:
    """Where everything may be read, queries of their own for each kind would cost a call each."""
    pull(google, make.SCOPE)
    assert len(google.requests("ListLogEntries")) == 3


def test_denials(google: Any, make: Any) -> None:
    """A denial by VPC Service Controls names another resource: the query by the service's own would never find it."""
    google.filters = True
    denial = make.entry("cloudaudit.googleapis.com/policy", "2025-09-07T10:00:01Z", severity=500)
    denial.resource.type = "audited_resource"
    denial.resource.labels.clear()
    denial.resource.labels["method"] = "run.googleapis.com/HttpIngress"
    denial.proto_payload.Pack(audit_log_pb2.AuditLog(method_name="run.googleapis.com/HttpIngress"))
    google.entries = [denial]
    audit = pull(google, make.SCOPE).frames["audit"]
    assert list(audit["method_name"]) == ["run.googleapis.com/HttpIngress"]


def test_a_split_entry(google: Any, make: Any) -> None:
    """A traceback that was too large comes in parts: one text again, and a gap where a part did not come."""
    parts = [make.entry(STDERR, "2025-09-07T10:00:01Z", f"p{n}", text_payload=f"part {n} ") for n in range(3)]
    for n, part in enumerate(parts):
        part.split.uid, part.split.index, part.split.total_splits = "u", n, 3
    google.entries = parts
    pulled = pull(google, make.SCOPE)
    assert list(pulled.frames["logs"]["text"]) == ["part 0 part 1 part 2 "]
    assert pulled.gaps == ()
    google.entries = parts[:2]
    pulled = pull(google, make.SCOPE)
    assert gaps(pulled) == {"logs": "partial"}
    assert "logs" not in pulled.complete


def test_the_budget_for_failures_is_one_for_all(google: Any, make: Any) -> None:
    """An API that is down must not hold an incident's answer back for as long as every other one may take too."""
    google.faults = dict.fromkeys(("ListLogEntries", "GetService", "ListRevisions"), grpc.StatusCode.UNAVAILABLE)
    calls = Calls(first_pause=0.02, longest_pause=0.02, budget=0.1)
    pulled = cloud.pull(make.SCOPE, Clients(google.address), pulled=PULLED, calls=calls)
    assert {"logs", "audit", "service", "revisions"} <= set(gaps(pulled))
    assert set(gaps(pulled).values()) == {"partial"}
    assert calls.budget <= 0.02, "the first call spent all but one pause of it"


def test_pace() -> None:
    """The read quota is 60 calls a minute: a burst may use it up, and no minute may hold more."""
    now = 0.0
    pauses = []

    def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    pace = Pace(most=3, per=60.0, clock=lambda: now, sleep=sleep)
    for _ in range(3):
        pace.wait()
        now += 1
    assert pauses == []
    pace.wait()
    assert pauses == [57.0]
    pace.wait()
    assert pauses == [57.0, 1.0]


def test_a_name_cannot_break_out_of_a_filter(google: Any, make: Any) -> None:
    """A service's name comes from a parameter: nothing in it may widen what is read."""
    pull(google, replace(make.SCOPE, service='chat" OR "'))
    assert '(resource.labels.service_name="chat\\" OR \\"")' in google.requests("ListLogEntries")[0].filter


def test_the_drill_understands_every_query(make: Any) -> None:
    """The drill's stand-in refuses what it does not know, as Google does; no query of ours may be among that."""
    store, service = LogStore(), Service(load_scenario("staging"))
    where = replace(make.SCOPE, project=service.project, region=service.region, service=service.name)
    origin = Origin(service.project, service.region, service.name, "chat-00001-abc")
    store.add(container_entry(origin, STDERR, "early", "DEFAULT", make.START.value - 1))
    store.add(container_entry(origin, STDERR, "first", "DEFAULT", make.START.value))
    store.add(container_entry(origin, STDERR, "last", "DEFAULT", make.END.value - 1))
    store.add(container_entry(origin, STDERR, "late", "DEFAULT", make.END.value))
    with GoogleApis(store, service) as apis:
        pulled = cloud.pull(where, Clients(apis.address), pulled=PULLED)
    assert list(pulled.frames["logs"]["text"]) == ["first", "last"]
    assert {"logs", "audit"} <= pulled.complete
    assert pulled.gaps[0].kind == "absent", "no revision was deployed, so there is no service"

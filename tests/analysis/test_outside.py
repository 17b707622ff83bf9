"""Changes that made no revision, and what they did."""

import json

import pytest

from incident.analysis.case import Case

ACTIVITY = "projects/my-project/logs/cloudaudit.googleapis.com%2Factivity"
OPEN = {
    "log": "requests",
    "url": "https://chat/ws",
    "status": 101,
    "revision": "chat-00001-aaa",
    "instance": "one",
    "agent": "web/1",
}
SHUT = OPEN | {"status": 403, "instance": None}


def call(at, method, request=None, by="ada@example.com", **more):
    """An activity entry of a call."""
    text = json.dumps(request) if request is not None else None
    return {
        "log_name": ACTIVITY,
        "timestamp": at,
        "insert_id": at,
        "method_name": method,
        "principal_email": by,
        "request": text,
    } | more


def policy(*members):
    return {"policy": {"bindings": [{"role": "roles/run.invoker", "members": list(members)}]}}


def v1(ingress="all", traffic=None, **annotations):
    return {
        "service": {
            "metadata": {"annotations": {"run.googleapis.com/ingress": ingress, **annotations}},
            "spec": {"traffic": [traffic or {"latestRevision": True, "percent": 100}]},
        }
    }


def v2(ingress, **traffic):
    return {"service": {"ingress": ingress, "traffic": [{"percent": 100, **traffic}]}}


V1, V2 = "google.cloud.run.v1.Services.", "google.cloud.run.v2.Services."


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:05:00", V1 + "SetIamPolicy", policy("user:b@x.de"))],
         [(["iam"], ["iam roles/run.invoker set to allUsers"]), (["iam"], ["iam user:b@x.de added", "iam allUsers removed"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:05:00", V1 + "SetIamPolicy", policy("allUsers"))],
         [(["iam"], ["iam roles/run.invoker set to allUsers"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V1 + "ReplaceService", v1("internal"))],
         [(["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V2 + "UpdateService", v2("INGRESS_TRAFFIC_ALL"))], []),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V2 + "UpdateService", v2(2))],
         [(["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()),
          call("10:05:00", V1 + "ReplaceService", v1(traffic={"revisionName": "chat-00001-aaa", "percent": 100}))],
         [(["traffic"], ["traffic latest 100 → chat-00001-aaa 100"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()),
          call("10:05:00", V1 + "ReplaceService", v1(**{"run.googleapis.com/invoker-iam-disabled": "true"}))],
         [(["settings"], ["invoker_iam_disabled unset → true"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1("internal"), status_code=10, status_message="conflict")],
         [([], ["ReplaceService was refused: conflict"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", None)], [(["iam"], ["what changed is not in the entry"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(1)), call("10:01:00", V2 + "UpdateService", v2(2)),
          call("10:02:00", V2 + "UpdateService", None)], [(["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V1 + "DeleteService", {})], [(["settings"], ["service deleted"])]),
        ([call("10:00:00", V1 + "GetService", {})], []),
        ([call("10:00:00", V1 + "SetIamPolicy", "no object")], [(["iam"], ["what changed is not in the entry"])]),
    ],
    ids=["members", "the same policy", "ingress", "v1 and v2 alike", "a number", "traffic", "a setting", "refused", "no request",
         "two entries of one operation", "deleted", "a read", "hostile"],
)  # fmt: skip
def test_what_was_changed(evidence, calls, expected):
    """Each is said with its fields, whichever API it was called by; what is unknown is said to be."""
    case = Case(evidence({"frames": {"audit": calls}}))
    found = case.outside_changes
    assert list(zip(found["kinds"], found["fields"], strict=True)) == expected


def test_a_call_that_makes_a_revision_is_the_revisions(evidence):
    """A deploy moves the traffic to what it deploys: one change, not two."""
    calls = [call("10:00:00", V1 + "ReplaceService", v1(traffic={"revisionName": "chat-00001-aaa", "percent": 100})),
             call("10:05:00", V1 + "ReplaceService", v1())]  # fmt: skip
    revisions = [{"revision_name": "chat-00002-bbb", "create_time": "10:05:01"}]
    assert Case(evidence({"frames": {"audit": calls, "revisions": revisions}})).outside_changes.empty


CLOSED = [call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:10:00", V1 + "SetIamPolicy", policy())]
REVISIONS = [
    {"revision_name": "chat-00001-aaa", "create_time": "10:00:01", "image_digest": "sha256:a"},
    {"revision_name": "chat-00002-bbb", "create_time": "10:05:00", "image_digest": "sha256:b"},
]


def test_the_effect_is_that_of_the_requests_around_it(evidence):
    """A policy that shuts everybody out broke it, and the revision that served then is innocent."""
    logs = [
        OPEN | {"at": "10:01:00", "repeat": 60},
        OPEN | {"at": "10:06:00", "repeat": 60, "revision": "chat-00002-bbb"},
        SHUT | {"at": "10:11:00", "repeat": 40, "revision": "chat-00002-bbb"},
    ]
    case = Case(evidence({"frames": {"audit": CLOSED, "revisions": REVISIONS, "logs": logs}}))
    changes = case.all_changes
    named = changes["revision_name"].fillna("outside").to_list()
    assert dict(zip(named[1:], changes["effect"][1:], strict=True)) == {"chat-00002-bbb": "none", "outside": "broke"}
    assert changes["time"].is_monotonic_increasing


def test_few_requests_between_two_changes_are_confounded(evidence):
    """Two changes within three requests cannot be told apart, and no effect is claimed."""
    logs = [OPEN | {"at": "10:06:00", "repeat": 3}, SHUT | {"at": "10:11:00", "repeat": 40}]
    case = Case(evidence({"frames": {"audit": CLOSED, "revisions": REVISIONS, "logs": logs}}))
    last = case.outside_changes.iloc[-1]
    assert (last["effect"], bool(last["confounded"])) == ("unknown", True)

"""Changes that made no revision, and what they did."""

import json

import pytest

from incident.analysis.case import Case

ACTIVITY = "projects/my-project/logs/cloudaudit.googleapis.com%2Factivity"


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
FIRST = (["settings"], ["what changed cannot be told: it is the first call in the window"])
STATUS = json.dumps(
    {"status": {"traffic": [{"revisionName": "chat-00002-bbb", "latestRevision": True, "percent": 100}]}}
)
OLD = {"revision_name": "chat-00001-aaa", "create_time": "08:00:00", "image_digest": "sha256:a"}


def changes_of(evidence, calls, *revisions):
    """The changes outside revisions that some calls are, of a service with one old revision and some others."""
    return Case(evidence({"frames": {"audit": calls, "revisions": [OLD, *revisions]}})).outside_changes


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:05:00", V1 + "SetIamPolicy", policy("user:b@x.de"))],
         [(["iam"], ["iam roles/run.invoker set to allUsers"]), (["iam"], ["iam user:b@x.de added", "iam allUsers removed"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:05:00", V1 + "SetIamPolicy", policy("allUsers"))],
         [(["iam"], ["iam roles/run.invoker set to allUsers"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V1 + "ReplaceService", v1("internal"))],
         [FIRST, (["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1(**{"run.googleapis.com/ingress-status": "internal"}))],
         [(["ingress"], ["ingress internal → all"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1(traffic={"revisionName": "chat-00001-aaa", "percent": 100}), response=STATUS)],
         [(["traffic"], ["traffic latest 100 → chat-00001-aaa 100"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1(traffic={"revisionName": "chat-00001-aaa", "percent": 100}))],
         [(["traffic"], ["traffic set to chat-00001-aaa 100"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V2 + "UpdateService", v2("INGRESS_TRAFFIC_ALL"))], [FIRST]),
        ([call("10:00:00", V1 + "ReplaceService", v1()), call("10:05:00", V2 + "UpdateService", v2(2))],
         [FIRST, (["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()),
          call("10:05:00", V1 + "ReplaceService", v1(traffic={"revisionName": "chat-00001-aaa", "percent": 100}))],
         [FIRST, (["traffic"], ["traffic latest 100 → chat-00001-aaa 100"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1()),
          call("10:05:00", V1 + "ReplaceService", v1(**{"run.googleapis.com/invoker-iam-disabled": "true"}))],
         [FIRST, (["settings"], ["invoker_iam_disabled unset → true"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1(**{"run.googleapis.com/invoker-iam-disabled": "true"})),
          call("10:05:00", V1 + "ReplaceService", v1())],
         [(["settings"], ["invoker_iam_disabled set to true"]), (["settings"], ["invoker_iam_disabled true → unset"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(1)),
          call("10:05:00", V2 + "UpdateService", {"service": {"ingress": 1, "scaling": {"minInstanceCount": 2.0, "maxInstanceCount": 0}}})],
         [FIRST, (["settings"], ["min_instance_count unset → 2"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(2)),
          call("10:05:00", V2 + "UpdateService", {"service": {"defaultUriDisabled": True}, "updateMask": "defaultUriDisabled,labels"})],
         [(["ingress"], ["ingress set to internal"]), (["settings"], ["default_uri_disabled unset → true"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1("internal"), status_code=10, status_message="conflict")],
         [([], ["ReplaceService was refused: conflict"])]),
        ([call("10:00:00", V1 + "ReplaceService", v1("internal"), status_code=7)], [([], ["ReplaceService was refused: code 7"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(2)),
          call("10:01:00", V2 + "UpdateService", None, status_code=3, status_message="no\x1b[2J such cpu")],
         [([], ["UpdateService was refused: no\ufffd[2J such cpu"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", None)], [(["iam"], ["what changed is not in the entry"])]),
        ([call("10:00:00", V1 + "ReplaceService", None)], [(["settings"], ["what changed is not in the entry"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", policy("allUsers")), call("10:01:00", V1 + "SetIamPolicy", None),
          call("10:02:00", V1 + "SetIamPolicy", policy())],
         [(["iam"], ["iam roles/run.invoker set to allUsers"]), (["iam"], ["what changed is not in the entry"]),
          (["iam"], ["iam roles/run.invoker set to nobody"])]),
        ([call("10:00:00", V1 + "SetIamPolicy", policy()), call("10:01:00", V1 + "SetIamPolicy", {"policy": {"bindings": [
            {"role": "roles/run.admin", "members": ["user:b@x.de"]},
            {"role": "roles/run.invoker", "members": ["user:c@x.de"], "condition": {"title": "a day"}}]}})],
         [(["iam"], ["iam roles/run.invoker set to nobody"]),
          (["iam"], ["iam roles/run.admin user:b@x.de added", "iam roles/run.invoker on a condition user:c@x.de added"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(1)), call("10:01:00", V2 + "UpdateService", v2(2)),
          call("10:02:00", V2 + "UpdateService", None)], [FIRST, (["ingress"], ["ingress all → internal"])]),
        ([call("10:00:00", V2 + "UpdateService", v2(1)), call("10:01:00", V2 + "UpdateService", v2(2)),
          call("10:01:30", V2 + "UpdateService", None, by="eve@example.com")],
         [FIRST, (["ingress"], ["ingress all → internal"]), (["settings"], ["what changed is not in the entry"])]),
        ([call("10:00:00", V1 + "DeleteService", {})], [(["settings"], ["service deleted"])]),
        ([call("10:00:00", V1 + "GetService", {})], []),
        ([call("10:00:00", V1 + "SetIamPolicy", "no object")], [(["iam"], ["what changed is not in the entry"])]),
    ],
)  # fmt: skip
def test_what_was_changed(evidence, calls, expected):
    """Each is said with its fields, whichever API it was called by; what is unknown is said to be."""
    found = changes_of(evidence, calls)
    assert list(zip(found["kinds"], found["fields"], strict=True)) == expected


PINNED = {"revisionName": "chat-00001-aaa", "percent": 100}
DEPLOYED = {"revision_name": "chat-00002-bbb", "create_time": "10:05:01"}


def test_a_call_that_makes_a_revision_is_the_revisions(evidence):
    """A deploy moves the traffic to what it deploys: one change, not two; what else it asks for is said."""
    calls = [call("10:00:00", V1 + "ReplaceService", v1(traffic=PINNED)), call("10:05:00", V1 + "ReplaceService", v1())]
    found = changes_of(evidence, calls, DEPLOYED)
    assert found["fields"].to_list() == [["traffic set to chat-00001-aaa 100"]]
    calls[1] = call("10:05:00", V1 + "ReplaceService", v1("internal"))
    assert changes_of(evidence, calls, DEPLOYED)["fields"].to_list()[1:] == [["ingress all → internal"]]


def test_a_call_just_before_a_deploy_is_a_change_of_its_own(evidence):
    """Traffic that was sent back half a minute before the next deploy is no part of that deploy."""
    calls = [
        call("10:00:00", V1 + "ReplaceService", v1()),
        call("10:04:30", V1 + "ReplaceService", v1(traffic=PINNED), by="bob@example.com"),
        call("10:05:00", V1 + "ReplaceService", v1()),
    ]
    found = changes_of(evidence, calls, DEPLOYED)
    assert found[["by", "fields"]].to_numpy().tolist()[1:] == [
        ["bob@example.com", ["traffic latest 100 → chat-00001-aaa 100"]]
    ]


def test_a_policy_set_while_a_deploy_runs_did_not_deploy(evidence):
    """Who let everybody in ten seconds before a revision came to be is not who deployed it."""
    calls = [
        call("10:04:40", V1 + "ReplaceService", v1()),
        call("10:04:50", V1 + "SetIamPolicy", policy("allUsers"), by="bob@example.com"),
    ]
    case = Case(evidence({"frames": {"audit": calls, "revisions": [OLD, DEPLOYED]}}))
    assert case.changes["by"].to_list() == ["ada@example.com"]


def test_an_operation_that_failed_at_its_end_may_have_made_a_revision(evidence):
    """A revision that never got ready is a change of its own, and its call is not told a second time."""
    calls = [
        call("10:05:00", V2 + "UpdateService", v2(1)),
        call("10:09:00", V2 + "UpdateService", None, status_code=9, status_message="Revision is not ready"),
    ]
    case = Case(evidence({"frames": {"audit": calls, "revisions": [OLD, DEPLOYED]}}))
    assert case.outside_changes.empty
    assert case.changes["by"].to_list() == ["ada@example.com"]


def test_without_revisions_the_first_call_is_no_change(evidence):
    """Whether a call made a revision cannot be told where no revision came: then it is not said to have made none."""
    case = Case(evidence({"frames": {"audit": [call("10:05:00", V1 + "ReplaceService", v1("internal"))]}}))
    assert case.outside_changes.empty


@pytest.mark.parametrize("request_text", ["[" * 3000, '{"policy": 7}', '{"service": {"spec": [], "metadata": 1, "traffic": {}}}',
    '{"policy": {"bindings": {"role": "x"}}}', '{"service": {"scaling": [1], "ingress": {"a": 1}}, "updateMask": {"paths": 5}}'])  # fmt: skip
@pytest.mark.parametrize("method", ["SetIamPolicy", "ReplaceService", "UpdateService"])
def test_a_request_of_another_shape_stops_nothing(evidence, request_text, method):
    """An entry is somebody else's text: whatever its shape, the call is said, and the rest is read."""
    row = call("10:05:00", V1 + method) | {"request": request_text}
    assert len(changes_of(evidence, [row])) == 1


def test_many_members_are_counted(evidence):
    """A thousand members that lose access do not fill the page: the first are named, the rest counted."""
    members = [f"user:{n:04d}@x.de" for n in range(1000)]
    calls = [call("10:00:00", V1 + "SetIamPolicy", policy(*members)), call("10:01:00", V1 + "SetIamPolicy", policy())]
    fields = changes_of(evidence, calls)["fields"].to_list()
    assert [len(fields[1]), fields[1][0], fields[1][-1]] == [21, "iam user:0000@x.de removed", "980 more"]
    assert len(fields[0][0]) == 400

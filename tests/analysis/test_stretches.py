"""What a change outside revisions did, and where one lies between the requests that a revision is judged by."""

import json

import pytest

from incident.analysis.case import Case

ACTIVITY = "projects/my-project/logs/cloudaudit.googleapis.com%2Factivity"
OPEN = {"log": "requests", "url": "https://chat/ws", "status": 101, "revision": "chat-00001-aaa", "agent": "web/1"}
SHUT = OPEN | {"status": 403, "instance": None}
NEW = {"revision": "chat-00002-bbb"}
REVISIONS = [
    {"revision_name": "chat-00001-aaa", "create_time": "09:00:00", "image_digest": "sha256:a"},
    {"revision_name": "chat-00002-bbb", "create_time": "10:05:00", "image_digest": "sha256:b"},
]


def policy(at, *members, **more):
    """The activity entry of a policy that lets some members call the service."""
    asked = {"policy": {"bindings": [{"role": "roles/run.invoker", "members": list(members)}]}}
    named = {"method_name": "google.cloud.run.v1.Services.SetIamPolicy", "principal_email": "ada@example.com"}
    return {"log_name": ACTIVITY, "timestamp": at, "insert_id": at, "request": json.dumps(asked)} | named | more


def traffic(at, revision):
    """The activity entry of a call that sends all traffic to a revision."""
    asked = {"service": {"spec": {"traffic": [{"revisionName": revision, "percent": 100}]}}}
    method = {"method_name": "google.cloud.run.v1.Services.ReplaceService"}
    return policy(at) | {"request": json.dumps(asked)} | method


def requests(at, count, row, **more):
    """Some requests, a second apart."""
    return row | {"at": at, "repeat": count} | more


def changes(evidence, audit, logs, revisions=REVISIONS):
    """All changes of a case, by what they are called."""
    case = Case(evidence({"frames": {"audit": audit, "revisions": revisions, "logs": logs}}))
    columns = ["effect", "confounded"]
    return {row.title: tuple(getattr(row, name) for name in columns) for row in case.all_changes.itertuples()}


SHUT_OUT, LET_IN = policy("10:10:00"), policy("10:20:00", "allUsers")


def test_a_policy_that_shuts_everybody_out_and_the_grant_that_mends_it(evidence):
    """The platform refuses before any instance: by time it counts, and the revision that served then is innocent."""
    logs = [
        requests("10:01:00", 60, OPEN), requests("10:06:00", 60, OPEN, **NEW),
        requests("10:11:00", 40, SHUT, **NEW), requests("10:21:00", 60, OPEN, **NEW),
    ]  # fmt: skip
    audit = [policy("09:30:00", "allUsers"), SHUT_OUT, LET_IN]
    assert changes(evidence, audit, logs) == {
        "iam roles/run.invoker set to allUsers": ("unknown", False),
        "00002": ("none", False),
        "iam allUsers removed": ("broke", False),
        "iam allUsers added": ("fixed", False),
    }


def test_few_requests_between_two_changes_are_confounded(evidence):
    """Two changes within three requests cannot be told apart, and no effect is claimed."""
    logs = [requests("10:01:00", 60, OPEN), requests("10:06:00", 3, OPEN, **NEW), requests("10:11:00", 40, SHUT, **NEW)]
    found = changes(evidence, [policy("09:30:00", "allUsers"), SHUT_OUT], logs)
    assert found["iam allUsers removed"] == ("unknown", True)


def test_few_requests_at_the_window_s_end_are_no_second_change(evidence):
    """That the window ends is no other cause: more requests will tell, and nothing is confounded."""
    logs = [requests("10:06:00", 60, OPEN, **NEW), requests("10:11:00", 3, SHUT, **NEW)]
    found = changes(evidence, [policy("09:30:00", "allUsers"), SHUT_OUT], logs)
    assert found["iam allUsers removed"] == ("unknown", False)


@pytest.mark.parametrize(
    ("at", "confounded"),
    [("10:04:00", True), ("09:30:00", False), ("10:30:00", False)],
    ids=["between", "before", "after"],
)
def test_a_change_outside_confounds_a_revision_only_between_its_requests(evidence, at, confounded):
    """Two things that changed between the last good request and the first bad one are both suspects; else neither is."""
    logs = [requests("10:00:00", 60, OPEN), requests("10:06:00", 60, SHUT, **NEW)]
    assert changes(evidence, [policy(at, "user:b@x.de")], logs)["00002"] == ("broke", confounded)


def test_traffic_that_is_sent_to_a_revision_is_no_second_cause_of_its_effect(evidence):
    """A revision that was deployed without traffic is judged from when it gets some: that is its own effect."""
    logs = [requests("10:00:00", 60, OPEN), requests("10:11:00", 60, SHUT, **NEW)]
    found = changes(evidence, [traffic("10:10:00", "chat-00002-bbb")], logs)
    assert found == {"00002": ("broke", False), "traffic set to chat-00002-bbb 100": ("unknown", True)}


def test_a_refused_call_neither_does_anything_nor_bounds_anything(evidence):
    """A change that never came to be has no effect, and the one beside it is judged as if it were not there."""
    logs = [requests("10:06:00", 60, OPEN, **NEW), requests("10:11:00", 40, SHUT, **NEW)]
    refused = policy("10:10:30", status_code=7, status_message="no permission")
    found = changes(evidence, [policy("09:30:00", "allUsers"), SHUT_OUT, refused], logs)
    assert found["iam allUsers removed"] == ("broke", False)
    assert found["SetIamPolicy was refused: no permission"] == ("none", False)


def test_requests_out_of_order_and_rows_that_stand_for_many(evidence):
    """A request counts by when it began, whatever the order of the rows, and as often as its row says."""
    logs = [requests("10:11:00", 1, SHUT, **NEW), requests("10:06:00", 60, OPEN, **NEW)]
    case = Case(
        evidence(
            {"frames": {"audit": [policy("09:30:00", "allUsers"), SHUT_OUT], "revisions": REVISIONS, "logs": logs}}
        )
    )
    shuffled = case.requests.iloc[::-1].reset_index(drop=True)
    shuffled["weight"] = shuffled["failed"].map({True: 40, False: 1})
    case.__dict__["requests"] = shuffled
    assert case.outside_changes["effect"].to_list() == ["unknown", "broke"]


def test_what_changed_names_every_change(evidence):
    """The table of notebook 2 holds both sorts, by time."""
    from incident import what_changed

    logs = [
        requests("10:01:00", 60, OPEN),
        requests("10:06:00", 60, OPEN, **NEW),
        requests("10:11:00", 40, SHUT, **NEW),
    ]
    frames = {"audit": [policy("09:30:00", "allUsers"), SHUT_OUT], "revisions": REVISIONS, "logs": logs}
    table = what_changed(Case(evidence({"frames": frames})))
    assert table[["revision", "effect"]].to_numpy().tolist() == [
        ["00001", "before"], ["", "unknown"], ["00002", "none"], ["", "broke"],
    ]  # fmt: skip

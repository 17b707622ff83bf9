"""What differs from another service: settings, variables by name, image, access."""

import json

import pytest

from incident import sentences
from incident.analysis.case import Case
from incident.analysis.compare import compared
from incident.evidence import Query

OTHER = "other-project/us-central1/chat"
SETTINGS = {"cpu": "1", "memory": "512Mi", "timeout_s": 300}
HERE = {
    "revision_name": "chat-00139-aaa", "create_time": "09:00:00", "commit": "aaa1111",
    "image": "us-docker.pkg.dev/my-project/apps/chat@sha256:1", "image_digest": "sha256:1",
    "environment": json.dumps({"MODE": "tag1", "OLD": "tag2"}), "settings": json.dumps(SETTINGS),
}  # fmt: skip
THERE = {
    "service_name": OTHER, "revision_name": "chat-00007-xyz", "create_time": "08:00:00", "commit": "bbb2222",
    "image": "us-docker.pkg.dev/other-project/apps/chat@sha256:2", "image_digest": "sha256:2",
    "environment": json.dumps({"MODE": "tag3", "KEY": {"secret": "jwt", "version": "3"}}),
    "settings": json.dumps(SETTINGS | {"cpu": "1000m", "timeout_s": "3600s"}),
    "ingress": "INGRESS_TRAFFIC_ALL", "members": json.dumps({"roles/run.invoker": ["allUsers"]}),
}  # fmt: skip


@pytest.fixture
def case(evidence):
    """A case with one serving revision, and another service beside it."""

    def make(*others, asked=True, iam=(), gaps=()):
        frames = {
            "revisions": [HERE], "compared": list(others), "iam": list(iam),
            "traffic": [{"time": "10:30:00", "revision_name": "chat-00139-aaa", "percent": 100}],
            "service": [{"service_name": "chat", "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}],
        }  # fmt: skip
        read = evidence({"frames": frames, "gaps": list(gaps)})
        if asked:
            query = Query("compared", "x", "", "", len(others), 0, 0.1, ())
            object.__setattr__(read, "queries", (query,))
        return Case(read)

    return make


def test_what_differs(case):
    """Staging is down and production is not: each difference is a suspect, and what v1 and v2 write apart is none."""
    rows = compared(case(THERE, iam=[{"role": "roles/run.invoker", "member": "user:ada@example.com"}]))
    assert [tuple(row) for row in rows.itertuples(index=False)] == [
        ("code", "commit", "aaa1111", "bbb2222"),
        ("environment", "MODE", "one value", "another value"),
        ("environment", "OLD", "set", "not set"),
        ("iam", "roles/run.invoker allUsers", "not granted", "granted"),
        ("iam", "roles/run.invoker user:ada@example.com", "granted", "not granted"),
        ("image", "digest", "sha256:1", "sha256:2"),
        ("ingress", "ingress", "internal", "all"),
        ("secret", "KEY", "not set", "secret jwt, version 3"),
        ("settings", "timeout_s", "300", "3600"),
    ]


def test_the_same_service_has_no_difference(case):
    """A project's own id is the same word on both sides."""
    same = {
        **THERE, **{name: HERE[name] for name in ("commit", "image_digest", "environment", "settings")},
        "image": HERE["image"].replace("my-project", "other-project"), "ingress": "internal", "members": "{}",
    }  # fmt: skip
    made = case(same)
    assert compared(made).empty
    assert str(sentences.compared(made)) == f"Nothing differs from {OTHER}."


def test_in_words(case):
    """How many, of which kind, and what could not be read."""
    told = str(sentences.compared(case(THERE | {"members": None})))
    assert (
        told
        == f"7 differences from {OTHER}: 1 of code, 2 of environment, 1 of image, 1 of ingress, 1 of secret, 1 of settings."
    )
    gap = {"frame": "compared", "reason": "denied", "remedy": "grant it", "kind": "refused"}
    assert str(sentences.compared(case(gaps=[gap]))) == "Gap in compared: denied. Remedy: grant it."
    words = "No other service was named: --compare-to PROJECT/REGION/SERVICE says what differs from it."
    assert str(sentences.compared(case(asked=False))) == words

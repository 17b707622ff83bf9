"""The same value is the same, whichever API wrote it."""

import json

import pandas as pd
import pytest
from google.cloud.run_v2.types import Revision

from incident.analysis import normal
from incident.analysis.changes import revision_changes
from incident.frames import frame, rows_frame
from incident.sources.admin import revision_row
from incident.sources.run_v1 import revision_v2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cpu": "1"}, {"cpu": "1000m"}),
        ({"cpu": "0.5"}, {"cpu": "500m"}),
        ({"memory": "512Mi"}, {"memory": "536870912"}),
        ({"memory": "1Gi"}, {"memory": "1024Mi"}),
        ({"timeout_s": 300}, {"timeout_s": "300s"}),
        ({"concurrency": 80}, {"concurrency": "80"}),
        ({"session_affinity": False}, {}),
        ({"min_instance_count": 0}, {}),
        ({"execution_environment": "EXECUTION_ENVIRONMENT_GEN2"}, {"execution_environment": "gen2"}),
        ({"execution_environment": "EXECUTION_ENVIRONMENT_UNSPECIFIED"}, {}),
        ({"ports": [{"name": "http1", "container_port": 8080}]}, {"ports": [{"containerPort": 8080}]}),
        (
            {"startup_probe": {"timeout_seconds": 1, "period_seconds": 10, "failure_threshold": 3, "tcp_socket": {"port": 80}}},
            {"startupProbe": {"tcpSocket": {"port": 80}}},
        ),
        (
            {"vpc_access": {"connector": "projects/p/locations/r/connectors/c", "egress": "PRIVATE_RANGES_ONLY"}},
            {"vpc_access": {"connector": "c", "egress": "private-ranges-only"}},
        ),
    ],
)  # fmt: skip
def test_two_forms_of_one_value(one, other):
    """A difference of form, said as a change at night, sends people to the wrong place."""
    assert normal.settings(json.dumps(one)) == normal.settings(json.dumps(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cpu": "1"}, {"cpu": "2"}),
        ({"memory": "512Mi"}, {"memory": "512M"}),
        ({"timeout_s": 300}, {"timeout_s": 3600}),
        ({"timeout_s": 300}, {}),
        ({"ports": [{"name": "h2c", "container_port": 8080}]}, {"ports": [{"container_port": 8080}]}),
        ({"startup_probe": {"tcp_socket": {}}}, {"startup_probe": {"grpc": {}}}),
        ({"startup_probe": {"timeout_seconds": 240}}, {}),
        ({"memory": "much"}, {"memory": "512Mi"}),
        ({"args": ["--workers", "1"]}, {"args": ["--workers", "2"]}),
        ({"cpu_idle": True}, {}),
    ],
)
def test_two_values(one, other):
    """One form must not make two values one: that would hide the change that did it."""
    assert normal.settings(json.dumps(one)) != normal.settings(json.dumps(other))


@pytest.mark.parametrize(
    "text",
    [None, "", "no JSON", "[1]", "[" * 3000, '{"cpu": {"a": 1}, "ports": 7, "vpc_access": [1], "timeout_s": []}'],
)
def test_no_object(text):
    """Evidence of another shape is compared as far as it can be, and stops nothing."""
    assert isinstance(normal.settings(text), dict)


V1 = {
    "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
    "metadata": {
        "name": "chat-00001-abc", "creationTimestamp": "2025-09-07T10:00:00Z",
        "annotations": {
            "autoscaling.knative.dev/maxScale": "4", "run.googleapis.com/execution-environment": "gen2",
            "run.googleapis.com/vpc-access-egress": "private-ranges-only",
            "run.googleapis.com/vpc-access-connector": "c", "run.googleapis.com/sessionAffinity": "true",
        },
    },
    "spec": {
        "containerConcurrency": 80, "timeoutSeconds": 300, "serviceAccountName": "sa@x.iam.gserviceaccount.com",
        "containers": [{
            "name": "chat-1", "image": "r/chat@sha256:" + "a" * 64, "ports": [{"name": "http1", "containerPort": 8080}],
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "3"}}}],
            "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
            "startupProbe": {"tcpSocket": {"port": 8080}, "timeoutSeconds": 240, "periodSeconds": 240, "failureThreshold": 1},
        }],
    },
}  # fmt: skip
V2 = {
    "name": "projects/p/locations/r/services/chat/revisions/chat-00002-abc", "createTime": "2025-09-07T10:05:00Z",
    "maxInstanceRequestConcurrency": 80, "timeout": "300s", "serviceAccount": "sa@x.iam.gserviceaccount.com",
    "scaling": {"minInstanceCount": 0, "maxInstanceCount": 4}, "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
    "sessionAffinity": True,
    "vpcAccess": {"connector": "projects/p/locations/r/connectors/c", "egress": "PRIVATE_RANGES_ONLY"},
    "containers": [{
        "name": "chat-1", "image": "r/chat@sha256:" + "a" * 64, "ports": [{"containerPort": 8080}],
        "env": [{"name": "KEY", "valueSource": {"secretKeyRef": {"secret": "projects/p/secrets/key", "version": "3"}}}],
        "resources": {"limits": {"cpu": "1000m", "memory": "536870912"}, "cpuIdle": True},
        "startupProbe": {
            "initialDelaySeconds": 0, "tcpSocket": {"port": 8080}, "timeoutSeconds": 240, "periodSeconds": 240,
            "failureThreshold": 1,
        },
    }],
}  # fmt: skip


def revisions(*forms):
    """Some revisions as a frame, a minute apart."""
    times = {"create_time": pd.Timestamp("2025-09-07T10:00:00Z")}
    named = [{"revision_name": f"chat-{n:05d}-abc"} | times | form for n, form in enumerate(forms)]
    return rows_frame("revisions", named)


def test_a_revision_in_v1_and_in_v2_is_the_same():
    """Two pulls of one service, by two tools, must show no change at all."""
    rows = [revision_row(Revision.from_json(json.dumps(form))) for form in (revision_v2(V1), V2)]
    assert revision_changes(rows_frame("revisions", rows), frame("audit"))["fields"].to_list() == [[]]


DIGEST = {"image": "r/chat@sha256:a", "image_digest": "sha256:a"}


@pytest.mark.parametrize(
    ("before", "after", "kinds", "fields"),
    [
        (DIGEST, DIGEST, [], []),
        ({"image": "r/chat:v1", "image_digest": "sha256:a"}, DIGEST, [], []),
        (DIGEST, {"image": "r/chat:v1"}, ["image"], ["image not-comparable"]),
        (DIGEST | {"build_id": "b"}, {"image": "r/chat:v1", "build_id": "b"}, [], ["image not-comparable"]),
        (DIGEST | {"commit": "c"}, {"image": "r/chat:v1", "commit": "c"}, [], ["image not-comparable"]),
        (DIGEST | {"commit": "c"}, {"image": "r/chat:v1", "commit": "d"}, ["image", "code"], ["image", "commit"]),
        (DIGEST, {"image": "r/other:v1"}, ["image"], ["image"]),
        ({"image": "r/chat:v1"}, {"image": "r/chat:v1"}, [], []),
        ({"image": "r/chat:v1", "build_id": "b"}, {"image": "r/chat:v1", "build_id": "c"}, ["image"], ["image"]),
        ({"image": "r/chat:v1"}, {"image": "r/chat:v2"}, ["image"], ["image"]),
        ({"image": "host:443/chat:v1"}, {"image": "host:444/chat:v1"}, ["image"], ["image"]),
    ],
)
def test_images(before, after, kinds, fields):
    """A tag moves: a digest proves that it is the same image, a build or a commit that it is another."""
    made = revision_changes(revisions(before, after), frame("audit")).iloc[0]
    assert (made["kinds"], made["fields"]) == (kinds, fields)


def test_a_secret_s_version_is_a_change():
    """The same secret in another version is another value; by its full name it is the same secret."""
    one = normal.environment('{"K": {"secret": "projects/p/secrets/key", "version": "1"}}')
    assert one == normal.environment('{"K": {"secret": "key", "version": "1"}}')
    assert one != normal.environment('{"K": {"secret": "key", "version": "2"}}')

"""The v1 form of Cloud Run's resources comes to the same rows as the v2 form."""

import json
from typing import Any

import pytest

from incident.sources import admin, rest, run_v1

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2025-09-07T09:00:09.5Z"}


def revision(spec: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    """A v1 Revision as gcloud prints one; annotations by their last part, `minScale` and `maxScale` too."""
    notes = {"serving.knative.dev/creator": "ada@example.com"}
    for name, text in annotations.items():
        space = "autoscaling.knative.dev" if name.endswith("Scale") else "run.googleapis.com"
        notes[f"{space}/{name.replace('_', '-')}"] = text
    container = {"image": "r/chat:v1", "ports": [{"name": "http1", "containerPort": 8080}]}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": "chat-00001-abc",
            "namespace": "100000000001",
            "creationTimestamp": "2025-09-07T09:00:00.123456Z",
            "labels": {"serving.knative.dev/service": "chat", "commit-sha": "c0ffee"},
            "annotations": notes,
        },
        "spec": {"containers": [container]} | (spec or {}),
        "status": {"conditions": [READY], "imageDigest": f"r/chat@sha256:{'ab' * 32}"},
    }


def settings(resource: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(admin.revision_row(rest.revision(resource))["settings"]))


def test_a_revision() -> None:
    """Name, times, people, image, labels and readiness, each in the column that v2 fills."""
    row = admin.revision_row(rest.revision(revision()))
    wanted = {
        "revision_name": "chat-00001-abc", "create_time": 1757235600123456000, "creator": "ada@example.com",
        "image": "r/chat:v1", "image_digest": None, "commit": "c0ffee", "ready": True, "ready_reason": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert run_v1.image_digest(revision()) == f"sha256:{'ab' * 32}"
    assert str(admin.ready_time(rest.revision(revision()))) == "2025-09-07 09:00:09.500000+00:00"


@pytest.mark.parametrize(
    ("resource", "wanted"),
    [
        (revision({"timeoutSeconds": 300}), {"timeout_s": 300.0}),
        (revision({"containerConcurrency": 80}), {"concurrency": 80}),
        (revision({"serviceAccountName": "a@p.iam"}), {"service_account": "a@p.iam"}),
        (revision(minScale="1", maxScale="10"), {"min_instance_count": 1, "max_instance_count": 10}),
        (revision(sessionAffinity="true"), {"session_affinity": True}),
        (revision(execution_environment="gen2"), {"execution_environment": "EXECUTION_ENVIRONMENT_GEN2"}),
        (revision({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, cpu_throttling="false"), {"cpu_idle": False}),
        (revision(), {"cpu_idle": True}),
        (revision(startup_cpu_boost="true"), {"startup_cpu_boost": True}),
        (revision({"containers": [{"resources": {"limits": {"cpu": "1000m", "memory": "512Mi"}}}]}),
         {"cpu": "1", "memory": "512Mi"}),
        (revision({"containers": [{"command": ["serve"], "args": ["--port", "8080"]}]}),
         {"command": ["serve"], "args": ["--port", "8080"]}),
        (revision({"containers": [{"startupProbe": {"timeoutSeconds": 240, "tcpSocket": {"port": 8080}}}]}),
         {"startup_probe": {"timeout_seconds": 240, "tcp_socket": {"port": 8080}}}),
        (revision({"containers": [{"image": "a", "ports": [{"containerPort": 1}]}, {"name": "otel", "image": "b"}]}),
         {"sidecars": {"otel": "b"}}),
        (revision(vpc_access_connector="c", vpc_access_egress="all-traffic"),
         {"vpc_access": {"connector": "c", "egress": "ALL_TRAFFIC"}}),
        (revision(network_interfaces='[{"network":"default","subnetwork":"s"}]'),
         {"vpc_access": {"network_interfaces": [{"network": "default", "subnetwork": "s"}]}}),
    ],
)  # fmt: skip
def test_settings(resource: dict[str, Any], wanted: dict[str, Any]) -> None:
    """v1 says in annotations and in other units what v2 says in fields: a change must not be seen where none is."""
    found = settings(resource)
    assert {name: found.get(name) for name in wanted} == wanted


def test_environment_and_secrets() -> None:
    """A secret is named, never held; one of another project goes by an alias."""
    variables = [
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "latest"}}},
        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "alias", "key": "3"}}},
        {"name": "EMPTY"},
    ]
    made = rest.revision(revision({"containers": [{"env": variables}]}, secrets="alias:projects/1/secrets/far-key"))
    assert admin.environment(made) == {
        "LOG_LEVEL": "info", "KEY": {"secret": "api-key", "version": "latest"},
        "OTHER": {"secret": "far-key", "version": "3"}, "EMPTY": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "ready", "reason"),
    [
        ({"status": "False", "reason": "HealthCheckContainerError"}, False, "HEALTH_CHECK_CONTAINER_ERROR"),
        ({"status": "False", "reason": "ContainerPermissionDenied"}, False, "CONTAINER_PERMISSION_DENIED"),
        ({"status": "True", "reason": "Retired"}, True, "RETIRED"),
        ({"status": "Unknown", "reason": "Deploying"}, None, None),
        ({}, None, None),
    ],
)
def test_readiness(condition: dict[str, str], ready: bool | None, reason: str | None) -> None:
    """Each reason lies in one of two enumerations; a retired revision is no failure, nor is one that nobody knows."""
    resource = revision()
    resource["status"]["conditions"] = [{"type": "Active", "status": "False"}, {"type": "Ready"} | condition]
    row = admin.revision_row(rest.revision(resource))
    assert (row["ready"], row["ready_reason"]) == (ready, reason)


def service(**changes: Any) -> dict[str, Any]:
    """A v1 Service with a tagged revision beside the one that serves."""
    notes = {"run.googleapis.com/ingress": changes.pop("ingress", "all"), "serving.knative.dev/lastModifier": "ada"}
    traffic = [{"revisionName": "chat-2", "percent": 100, "latestRevision": True},
               {"revisionName": "chat-1", "tag": "old", "url": "https://old---chat.a.run.app"}]  # fmt: skip
    status = {
        "conditions": [READY], "observedGeneration": 2, "url": "https://chat.a.run.app", "traffic": traffic,
        "latestCreatedRevisionName": "chat-2", "latestReadyRevisionName": "chat-2",
    }  # fmt: skip
    labels = {"cloud.googleapis.com/location": "us-central1", "env": "production"}
    meta = {"name": "chat", "namespace": "1", "generation": 2, "labels": labels, "annotations": notes}
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": meta, "status": status | changes}


def test_a_service() -> None:
    """Who serves, who changed it last, and the labels that people set."""
    made = rest.service(service())
    row = admin.service_row(made)
    wanted = {
        "service_name": "chat", "url": "https://chat.a.run.app", "last_modifier": "ada", "ready": True,
        "latest_created_revision": "chat-2", "latest_ready_revision": "chat-2", "labels": '{"env": "production"}',
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert [target.revision for target in made.traffic_statuses] == ["chat-2", "chat-1"]
    assert [(target.percent, target.tag) for target in made.traffic_statuses] == [(100, ""), (0, "old")]
    assert not made.reconciling
    assert rest.service(service(observedGeneration=1)).reconciling
    assert rest.identity(service()) == ("", "us-central1", "chat")


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("all", "INGRESS_TRAFFIC_ALL"),
        ("internal", "INGRESS_TRAFFIC_INTERNAL_ONLY"),
        ("internal-and-cloud-load-balancing", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"),
        ("some-later-word", "INGRESS_TRAFFIC_UNSPECIFIED"),
    ],
)
def test_ingress(word: str, wanted: str) -> None:
    """One field, two languages; a word that nobody knows is not taken for `all`."""
    assert admin.service_row(rest.service(service(ingress=word)))["ingress"] == wanted

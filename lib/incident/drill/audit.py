"""Audit entries of a deploy, and the v1 resources that they carry, in Google's form.

One deploy leaves, in this order: an activity entry of the principal's call (request and response are v1 Services), and
after the revision's first start a system event for the revision (its response is the v1 Revision) and one for the
service. The activity entry's `revision_name` label is empty, and its response still shows the old revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.cloud.audit import audit_log_pb2
from google.protobuf import json_format

from incident import platform
from incident.drill.entries import Entry, Origin, new_entry
from incident.drill.service import RevisionRecord, Service

PROJECT_NUMBER = "100000000001"
"""v1 resources have the project's number as their namespace."""


def deployed(service: Service, revision: RevisionRecord, time_ns: int) -> Entry:
    """The activity entry of a deploy: who called ReplaceService, with which Service."""
    name = f"namespaces/{service.project}/services/{service.name}"
    log = _called("ReplaceService", name, revision.creator, "run.services.update")
    return _replaced(service, revision, log, time_ns)


def updated(service: Service, by: str, time_ns: int) -> Entry:
    """The activity entry of a call that changes the service and makes no revision: its traffic, or its ingress."""
    name = f"namespaces/{service.project}/services/{service.name}"
    log = _called("ReplaceService", name, by, "run.services.update")
    return _replaced(service, service.revisions[-1], log, time_ns)


def policy_set(service: Service, by: str, time_ns: int) -> Entry:
    """The activity entry of SetIamPolicy: who called it, with which policy."""
    log = _called("SetIamPolicy", service.full_name, by, "run.services.setIamPolicy")
    bindings = [{"role": "roles/run.invoker", "members": list(service.invokers)}] if service.invokers else []
    policy = {"bindings": bindings, "etag": "BwYAAAAAAAA="}
    asked = {"@type": "type.googleapis.com/google.iam.v1.SetIamPolicyRequest", "resource": service.full_name}
    json_format.ParseDict({**asked, "policy": policy}, log.request)
    json_format.ParseDict({"@type": "type.googleapis.com/google.iam.v1.Policy", **policy}, log.response)
    return _entry(service.origin(), platform.ACTIVITY, "NOTICE", log, time_ns)


def _called(method: str, name: str, by: str, permission: str) -> Any:
    """The audit log of somebody's call of a v1 method, from gcloud."""
    log = _audit_log(f"google.cloud.run.v1.Services.{method}", name)
    log.authentication_info.principal_email = by
    log.authorization_info.add(resource=name, permission=permission, granted=True)
    log.request_metadata.caller_supplied_user_agent = "google-cloud-sdk gcloud/548.0.0"
    return log


def _replaced(service: Service, revision: RevisionRecord, log: Any, time_ns: int) -> Entry:
    """The entry of a ReplaceService whose request asks for `revision`, and whose response shows the old status."""
    asked = service_v1(service, revision)
    json_format.ParseDict(
        {"@type": _type("ReplaceServiceRequest"), "name": log.resource_name, "service": asked}, log.request
    )
    json_format.ParseDict({**asked, "status": status_v1(service), "@type": _type("Service")}, log.response)
    return _entry(service.origin(), platform.ACTIVITY, "NOTICE", log, time_ns)


def revision_ready(service: Service, revision: RevisionRecord, time_ns: int) -> Entry:
    """The system event that says whether a revision is ready; its response is the whole revision."""
    text = platform.READY_TRUE if revision.ready else platform.READY_FALSE
    log = _audit_log("/Services.ReplaceService", f"namespaces/{service.project}/revisions/{revision.name}")
    log.status.code = 0 if revision.ready else 9
    log.status.message = text.format(kind="Revision", name=revision.name, message=revision.ready_message)
    json_format.ParseDict({**revision_v1(service, revision), "@type": _type("Revision")}, log.response)
    return _entry(service.origin(revision).at(container=""), text.log, text.severity, log, time_ns)


def service_ready(service: Service, revision: RevisionRecord, time_ns: int) -> Entry:
    """The system event that says whether the service is ready with its newest revision."""
    text = platform.READY_TRUE_SERVICE if revision.ready else platform.READY_FALSE
    log = _audit_log("/Services.ReplaceService", f"namespaces/{service.project}/services/{service.name}")
    log.status.code = 0 if revision.ready else 9
    message = f"Revision '{revision.name}' is not ready and cannot serve traffic. {revision.ready_message}"
    log.status.message = text.format(kind="Service", name=service.name, message=message)
    now = {**service_v1(service, revision), "status": status_v1(service), "@type": _type("Service")}
    json_format.ParseDict(now, log.response)
    return _entry(service.origin(), text.log, text.severity, log, time_ns)


def _audit_log(method: str, resource: str) -> Any:
    return audit_log_pb2.AuditLog(service_name="run.googleapis.com", method_name=method, resource_name=resource)


def _entry(origin: Origin, log_id: str, severity: str, log: Any, time_ns: int) -> Entry:
    entry = new_entry(origin, log_id, severity, time_ns)
    entry.proto_payload.Pack(log)
    return entry


def _type(name: str) -> str:
    return f"type.googleapis.com/google.cloud.run.v1.{name}"


def rfc3339(time: datetime) -> str:
    """A time as v1 resources have it.

    >>> from datetime import UTC
    >>> rfc3339(datetime(2025, 9, 7, 1, 2, 3, 4, UTC))
    '2025-09-07T01:02:03.000004Z'
    """
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def spec_v1(service: Service, revision: RevisionRecord) -> dict[str, Any]:
    """A revision's spec: timeout in seconds, variables as a list of name and value."""
    settings = revision.settings
    return {
        "containerConcurrency": settings.concurrency,
        "timeoutSeconds": int(settings.timeout),
        "serviceAccountName": service.service_account,
        "containers": [
            {
                "name": service.container,
                "image": revision.image,
                **({"command": ["python", *settings.command]} if settings.command else {}),
                "ports": [{"name": settings.protocol, "containerPort": settings.port}],
                "env": [
                    *({"name": name, "value": value} for name, value in revision.environment.items()),
                    *(
                        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": "latest"}}}
                        for name, secret in revision.secrets.items()
                    ),
                ],
                "resources": {"limits": {"cpu": settings.cpu, "memory": settings.memory}},
                "startupProbe": {
                    "timeoutSeconds": 240,
                    "periodSeconds": 240,
                    "failureThreshold": 1,
                    "tcpSocket": {"port": settings.port},
                },
            }
        ],
    }


def service_v1(service: Service, revision: RevisionRecord) -> dict[str, Any]:
    """The v1 Service that asks for `revision` and sends all traffic to the latest."""
    annotations = {"run.googleapis.com/client-name": "gcloud", "run.googleapis.com/ingress": service.ingress}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "namespace": PROJECT_NUMBER,
            "generation": revision.generation,
            "uid": service.uid,
            "creationTimestamp": rfc3339(service.create_time),
            "labels": {"cloud.googleapis.com/location": service.region},
            "annotations": {**annotations, "serving.knative.dev/lastModifier": service.last_modifier(revision)},
        },
        "spec": {
            "template": {
                "metadata": {
                    "name": revision.name,
                    "labels": dict(revision.labels),
                    "annotations": _template_annotations(revision),
                },
                "spec": spec_v1(service, revision),
            },
            "traffic": [wanted_traffic_v1(service)],
        },
    }


def wanted_traffic_v1(service: Service) -> dict[str, Any]:
    """What the service was told to do with its traffic, in v1's form."""
    if service.pinned and service.serving:
        return {"revisionName": service.serving.name, "percent": 100}
    return {"latestRevision": True, "percent": 100}


def status_v1(service: Service) -> dict[str, Any]:
    """The service's status: what was created and ready last, and who has the traffic."""
    ready = service.latest_ready
    created = next((item for item in reversed(service.revisions) if item.ready is not None), None)
    return {
        "observedGeneration": created.generation if created else 0,
        "latestCreatedRevisionName": created.name if created else "",
        "latestReadyRevisionName": ready.name if ready else "",
        "traffic": _traffic_v1(service),
        "url": service.url,
    }


def _traffic_v1(service: Service) -> list[dict[str, Any]]:
    serving = service.serving
    latest = {"latestRevision": True} if serving == service.latest_ready and not service.pinned else {}
    shares = [{"revisionName": serving.name, **latest, "percent": 100}] if serving else []
    return [*shares, *({"revisionName": tag.revision, "tag": tag.name, "url": tag.url} for tag in service.tags)]


def revision_v1(service: Service, revision: RevisionRecord) -> dict[str, Any]:
    """The v1 Revision with its conditions and its image's digest."""
    time = rfc3339(revision.ready_time or revision.create_time)
    why = revision.reason.title().replace("_", "")
    reason = {} if revision.ready else {"reason": why, "message": revision.ready_message}
    status = "True" if revision.ready else "False"
    conditions = [
        {"type": kind, "status": status, "lastTransitionTime": time, **(reason if kind == "Ready" else {})}
        for kind in ("Ready", "Active", "ContainerHealthy", "ResourcesAvailable")
    ]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": revision.name,
            "namespace": PROJECT_NUMBER,
            "uid": revision.uid,
            "generation": 1,
            "creationTimestamp": rfc3339(revision.create_time),
            "labels": _revision_labels(service, revision),
            "annotations": {**_template_annotations(revision), "serving.knative.dev/creator": revision.creator},
        },
        "spec": spec_v1(service, revision),
        "status": {"observedGeneration": 1, "conditions": conditions, "imageDigest": revision.image},
    }


def _template_annotations(revision: RevisionRecord) -> Mapping[str, str]:
    return {"autoscaling.knative.dev/maxScale": str(revision.settings.max_instances)}


def _revision_labels(service: Service, revision: RevisionRecord) -> dict[str, str]:
    return {
        **revision.labels,
        "serving.knative.dev/service": service.name,
        "serving.knative.dev/configuration": service.name,
        "serving.knative.dev/configurationGeneration": str(revision.generation),
        "run.googleapis.com/startupProbeType": "Default",
    }

"""Cloud Run's v1 resources (`serving.knative.dev/v1`, what `gcloud run … --format=json` prints) in the form of v2.

Decides: which v2 field each v1 field, annotation and label is, so that one set of functions makes rows of both. Reads
JSON only. Cannot tell: the project's id (a v1 resource has the project's number), and when a service was last changed.
Source of the names: cloud.google.com/run/docs/reference/rest, v1/namespaces.services, v2/projects.locations.services.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from google.cloud.run_v2.types import Condition

from incident.sources.admin import digest_of

Json = Mapping[str, Any]

SYSTEM_LABEL = re.compile(r"(?:\w+\.)*(?:googleapis\.com|knative\.dev)/")
"""Labels of these namespaces are v1's own: v2 has a field for each, and refuses them as labels."""

STATES = {"True": "CONDITION_SUCCEEDED", "False": "CONDITION_FAILED", "Unknown": "CONDITION_RECONCILING"}
INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    "none": "INGRESS_TRAFFIC_NONE",
}
ALLOCATION = "TRAFFIC_TARGET_ALLOCATION_TYPE_"
SERVICE_LABEL, LOCATION_LABEL = "serving.knative.dev/service", "cloud.googleapis.com/location"
RUN, KNATIVE, SCALE = "run.googleapis.com/", "serving.knative.dev/", "autoscaling.knative.dev/"


def is_v1(resource: Json) -> bool:
    """Whether a resource is in the v1 form.

    >>> is_v1({"apiVersion": "serving.knative.dev/v1"}), is_v1({"name": "projects/p/locations/r/services/s"})
    (True, False)
    """
    return str(resource.get("apiVersion", "")).startswith("serving.knative.dev/")


def service_v2(resource: Json) -> dict[str, Any]:
    """A v1 Service as v2 JSON; its name is the short one."""
    meta, status = resource["metadata"], resource.get("status", {})
    notes = meta.get("annotations", {})
    conditions = [condition_v2(condition) for condition in status.get("conditions", ())]
    ready = next((condition for condition in conditions if condition["type"] == "Ready"), None)
    seen, state = status.get("observedGeneration"), (ready or {}).get("state")
    return _set({
        "name": meta["name"],
        "labels": own_labels(meta),
        "createTime": meta.get("creationTimestamp"),
        "creator": notes.get(KNATIVE + "creator"),
        "lastModifier": notes.get(KNATIVE + "lastModifier"),
        "ingress": INGRESS.get(notes.get(RUN + "ingress", "all")),
        "invokerIamDisabled": notes.get(RUN + "invoker-iam-disabled") == "true",
        "uri": status.get("url"),
        "latestCreatedRevision": status.get("latestCreatedRevisionName"),
        "latestReadyRevision": status.get("latestReadyRevisionName"),
        "terminalCondition": ready,
        "conditions": conditions,
        "trafficStatuses": [_traffic(target) for target in status.get("traffic", ())],
        "reconciling": state == STATES["Unknown"] or (seen is not None and seen != meta.get("generation", seen)),
    })  # fmt: skip


def revision_v2(resource: Json) -> dict[str, Any]:
    """A v1 Revision as v2 JSON; its name is the short one, and its image's digest, a field of v1 alone, is left out."""
    meta, spec = resource["metadata"], resource.get("spec", {})
    notes, timeout = meta.get("annotations", {}), spec.get("timeoutSeconds")
    environment = notes.get(RUN + "execution-environment")
    return _set({
        "name": meta["name"],
        "service": meta.get("labels", {}).get(SERVICE_LABEL),
        "labels": own_labels(meta),
        "createTime": meta.get("creationTimestamp"),
        "creator": notes.get(KNATIVE + "creator"),
        "scaling": _set({f"{end}InstanceCount": notes.get(f"{SCALE}{end}Scale") for end in ("min", "max")}),
        "maxInstanceRequestConcurrency": spec.get("containerConcurrency"),
        "timeout": f"{timeout}s" if timeout is not None else None,
        "serviceAccount": spec.get("serviceAccountName"),
        "executionEnvironment": f"EXECUTION_ENVIRONMENT_{environment.upper()}" if environment else None,
        "sessionAffinity": notes.get(RUN + "sessionAffinity") == "true",
        "vpcAccess": _vpc_access(notes),
        "containers": [_container(container, notes) for container in spec.get("containers", ())],
        "conditions": [condition_v2(condition) for condition in resource.get("status", {}).get("conditions", ())],
    })  # fmt: skip


def image_digest(resource: Json) -> str | None:
    """The digest that a v1 Revision's status says, or None."""
    return digest_of(resource.get("status", {}).get("imageDigest") or "")


def own_labels(meta: Json) -> dict[str, str]:
    """The labels that people set, without v1's own.

    >>> own_labels({"labels": {"serving.knative.dev/service": "chat", "commit-sha": "c0ffee"}})
    {'commit-sha': 'c0ffee'}
    """
    return {name: text for name, text in meta.get("labels", {}).items() if not SYSTEM_LABEL.match(name)}


def condition_v2(condition: Json) -> dict[str, Any]:
    """A v1 condition as v2 JSON: its reason goes to the one field whose enumeration has it, or nowhere.

    >>> condition_v2({"type": "Ready", "status": "False", "reason": "HealthCheckContainerError"})
    {'type': 'Ready', 'state': 'CONDITION_FAILED', 'revisionReason': 'HEALTH_CHECK_CONTAINER_ERROR'}
    """
    reason = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", condition.get("reason") or "").upper()
    return _set({
        "type": condition["type"],
        "state": STATES.get(condition.get("status", "")),
        "message": condition.get("message"),
        "lastTransitionTime": condition.get("lastTransitionTime"),
        "revisionReason": reason if reason in Condition.RevisionReason.__members__ else None,
        "reason": reason if reason in Condition.CommonReason.__members__ else None,
    })  # fmt: skip


def _traffic(target: Json) -> dict[str, Any]:
    kind = "LATEST" if target.get("latestRevision") else "REVISION"
    return _set({
        "type": ALLOCATION + kind,
        "revision": target.get("revisionName"),
        "percent": target.get("percent"),
        "tag": target.get("tag"),
        "uri": target.get("url"),
    })  # fmt: skip


def _container(container: Json, notes: Json) -> dict[str, Any]:
    """A container with what v1 says in the revision's annotations; the processor idles unless one says otherwise."""
    kept = ("name", "image", "command", "args", "ports", "startupProbe", "livenessProbe")
    resources = {
        "limits": container.get("resources", {}).get("limits", {}),
        "cpuIdle": notes.get(RUN + "cpu-throttling", "true") == "true",
        "startupCpuBoost": notes.get(RUN + "startup-cpu-boost") == "true",
    }
    aliases = dict(part.split(":", 1) for part in notes.get(RUN + "secrets", "").split(",") if ":" in part)
    variables = [_variable(variable, aliases) for variable in container.get("env", ())]
    return {name: container[name] for name in kept if name in container} | {"resources": resources, "env": variables}


def _variable(variable: Json, aliases: Mapping[str, str]) -> dict[str, Any]:
    """A variable, or the secret and its version that it refers to; another project's secret goes by an alias."""
    reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
    if not reference:
        return _set({"name": variable["name"], "value": variable.get("value")})
    secret = {"secret": aliases.get(reference["name"], reference["name"]), "version": reference.get("key")}
    return {"name": variable["name"], "valueSource": {"secretKeyRef": _set(secret)}}


def _vpc_access(notes: Json) -> dict[str, Any] | None:
    egress = notes.get(RUN + "vpc-access-egress")
    found = _set({
        "connector": notes.get(RUN + "vpc-access-connector"),
        "egress": egress.replace("-", "_").upper() if egress else None,
        "networkInterfaces": json.loads(notes.get(RUN + "network-interfaces", "null")),
    })  # fmt: skip
    return found or None


def _set(fields: Json) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "")}

"""Cloud Run's services and revisions, their IAM policy and Cloud Build's builds, as rows of our frames.

Decides: which image, digest, commit and build a revision is made of, and which builds made an image of the service.
Reads the Admin API's v2 messages and Cloud Build's v1 messages. Cannot tell: a digest that neither the image's name,
nor a system event, nor a build says; the API's revision has no such field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from google.cloud.devtools.cloudbuild_v1.types import Build
from google.cloud.run_v2.types import Condition, Container, IngressTraffic, Revision, Service
from google.protobuf import json_format

from incident.sources.entries import nanoseconds

DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")
TAG = re.compile(r":[^:/@]+$")
COMMIT_LABEL, BUILD_LABEL, TRIGGER_LABEL = "commit-sha", "gcb-build-id", "gcb-trigger-id"
"""Labels that a deploy by Cloud Build leaves on a revision."""

Row = dict[str, Any]


def short(name: str) -> str:
    """The last part of a full resource name.

    >>> short("projects/p/locations/us-central1/services/chat/revisions/chat-00001-abc")
    'chat-00001-abc'
    """
    return name.rsplit("/", 1)[-1]


def digest_of(image: str) -> str | None:
    """The digest that an image's name ends with, or None where it ends with a tag."""
    found = DIGEST.search(image)
    return found[1] if found else None


def repository(image: str) -> str:
    """An image's name without its tag and digest, which is what its builds share.

    >>> repository("us-docker.pkg.dev:443/p/chat/server:v1")
    'us-docker.pkg.dev:443/p/chat/server'
    """
    return TAG.sub("", image.split("@", 1)[0])


def service_row(service: Service) -> Row:
    """One row of `service`."""
    message, ready = Service.pb(service), service.terminal_condition
    return {
        "service_name": short(service.name),
        "url": service.uri or None,
        "ingress": IngressTraffic(service.ingress).name,
        "create_time": nanoseconds(message, "create_time"),
        "update_time": nanoseconds(message, "update_time"),
        "last_modifier": service.last_modifier or service.creator or None,
        "latest_created_revision": short(service.latest_created_revision) or None,
        "latest_ready_revision": short(service.latest_ready_revision) or None,
        **ready_columns(ready),
        "invoker_iam_disabled": service.invoker_iam_disabled,
        "labels": json.dumps(dict(service.labels), sort_keys=True),
    }


def traffic_rows(service: Service, time: pd.Timestamp) -> list[Row]:
    """The rows of `traffic`: who serves at `time`, by the traffic statuses, which hold where a deploy failed too."""
    latest = short(service.latest_ready_revision)
    return [
        {
            "time": time.value,
            "revision_name": short(target.revision) or latest or None,
            "percent": target.percent,
            "tag": target.tag or None,
            "url": target.uri or None,
        }
        for target in service.traffic_statuses
    ]


def revision_row(revision: Revision) -> Row:
    """One row of `revisions`, as far as the revision itself says; `joined_builds` adds what builds and events say."""
    main = main_container(revision.containers)
    labels = dict(revision.labels)
    ready = next((condition for condition in revision.conditions if condition.type_ == "Ready"), Condition())
    return {
        "revision_name": short(revision.name),
        "create_time": nanoseconds(Revision.pb(revision), "create_time"),
        "creator": revision.creator or None,
        "image": main.image or None,
        "image_digest": digest_of(main.image),
        "commit": labels.get(COMMIT_LABEL),
        "build_id": labels.get(BUILD_LABEL),
        "environment": json.dumps(environment(revision), sort_keys=True),
        "settings": json.dumps(settings(revision), sort_keys=True),
        **ready_columns(ready),
    }


def ready_time(revision: Revision) -> pd.Timestamp | None:
    """Since when a revision has been ready, by its Ready condition; None where it is not."""
    for condition in revision.conditions:
        if condition.type_ == "Ready" and condition.state == Condition.State.CONDITION_SUCCEEDED:
            since = nanoseconds(Condition.pb(condition), "last_transition_time")
            return pd.Timestamp(since, tz="UTC") if since is not None else None
    return None


def ready_columns(condition: Condition) -> Row:
    """The three columns of readiness; the reason is in one of three fields, whichever is set."""
    State = Condition.State
    reason = Condition.pb(condition).WhichOneof("reasons")
    return {
        "ready": {State.CONDITION_SUCCEEDED: True, State.CONDITION_FAILED: False}.get(condition.state),
        "ready_reason": getattr(condition, reason).name if reason else None,
        "ready_message": condition.message or None,
    }


def main_container(containers: Sequence[Container]) -> Container:
    """The container that takes the requests: the one with a port, or the only one."""
    return next((part for part in containers if part.ports), containers[0] if containers else Container())


def environment(revision: Revision) -> dict[str, Any]:
    """Each variable's value, or the secret that it refers to; a sidecar's names begin with `CONTAINER/`.

    Values are as they came: `gather` replaces each before anyone sees it.
    """
    main = main_container(revision.containers)
    found: dict[str, Any] = {}
    for container in revision.containers:
        prefix = "" if container == main else f"{container.name}/"
        found |= {prefix + variable.name: _value(variable) for variable in container.env}
    return found


def _value(variable: Any) -> Any:
    reference = variable.value_source.secret_key_ref
    return {"secret": short(reference.secret), "version": reference.version} if reference.secret else variable.value


def settings(revision: Revision) -> Row:
    """What a revision is apart from image and environment, by the field's name; what is not set is not there."""
    main, scaling = main_container(revision.containers), revision.scaling
    limits = dict(main.resources.limits)
    found = {
        "timeout_s": revision.timeout.total_seconds() if revision.timeout else None,
        "concurrency": revision.max_instance_request_concurrency,
        "cpu": cores(limits.get("cpu", "")),
        "memory": limits.get("memory"),
        "cpu_idle": main.resources.cpu_idle if main.resources else None,
        "startup_cpu_boost": main.resources.startup_cpu_boost,
        "min_instance_count": scaling.min_instance_count,
        "max_instance_count": scaling.max_instance_count,
        "service_account": revision.service_account,
        "execution_environment": revision.execution_environment.name if revision.execution_environment else None,
        "session_affinity": revision.session_affinity,
        "command": list(main.command),
        "args": list(main.args),
        "ports": [_plain(port) for port in main.ports],
        "startup_probe": _plain(main.startup_probe),
        "liveness_probe": _plain(main.liveness_probe),
        "vpc_access": _plain(revision.vpc_access),
        "sidecars": {part.name: part.image for part in revision.containers if part != main},
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {}, 0) or value is False}


def cores(cpu: str) -> str:
    """A CPU limit in whole cores where it is one: the platform writes the same limit in two ways.

    >>> cores("1000m"), cores("2"), cores("500m")
    ('1', '2', '500m')
    """
    return str(int(cpu[:-1]) // 1000) if re.fullmatch(r"\d+000m", cpu) else cpu


def _plain(message: Any) -> Any:
    return json_format.MessageToDict(type(message).pb(message), preserving_proto_field_name=True)


def build_row(build: Build) -> Row:
    """One row of `builds`; the image is the one that was pushed, or that is to be."""
    message = Build.pb(build)
    pushed = build.results.images[0] if build.results.images else None
    return {
        "build_id": build.id,
        "status": Build.Status(build.status).name,
        "create_time": nanoseconds(message, "create_time"),
        "start_time": nanoseconds(message, "start_time"),
        "finish_time": nanoseconds(message, "finish_time"),
        "image": pushed.name if pushed else next(iter(build.images), None),
        "digest": pushed.digest or None if pushed else None,
        "commit": build.substitutions.get("COMMIT_SHA") or _resolved_commit(build),
        "log_url": build.log_url or None,
        "failure": _failure(build),
    }


def _resolved_commit(build: Build) -> str | None:
    return build.source_provenance.resolved_repo_source.commit_sha or None


def _failure(build: Build) -> str | None:
    if not build.failure_info:
        return build.status_detail or None
    words = (build.failure_info.type_.name, build.failure_info.detail or build.status_detail)
    return ": ".join(word for word in words if word)


def of_service(builds: Iterable[Build], images: set[str], labels: Sequence[Mapping[str, str]]) -> list[Build]:
    """The builds of a service, newest first: by an image's repository, by its revisions' labels, or by a trigger.

    `images` are the images of its revisions, `labels` their labels.
    """
    repositories = {repository(image) for image in images}
    ids, triggers = ({label[key] for label in labels if key in label} for key in (BUILD_LABEL, TRIGGER_LABEL))
    kept = [
        build
        for build in builds
        if build.id in ids or build.build_trigger_id in triggers or repositories & _repositories(build)
    ]
    return sorted(kept, key=lambda build: nanoseconds(Build.pb(build), "create_time") or 0, reverse=True)


def _repositories(build: Build) -> set[str]:
    return {repository(image) for image in (*build.images, *(pushed.name for pushed in build.results.images))}


def joined_builds(revisions: list[Row], builds: Sequence[Row], digests: Mapping[str, str]) -> list[Row]:
    """Revision rows with digest, commit and build filled in where the revision itself did not say them.

    `digests` are those of system events, by revision. A build is a revision's by id, by digest, or by the very image.
    """
    return [_joined(row, builds, digests) for row in revisions]


def _joined(row: Row, builds: Sequence[Row], digests: Mapping[str, str]) -> Row:
    digest = row["image_digest"] or digests.get(row["revision_name"])
    build: Row = next((build for build in builds if _made(build, row, digest)), {})
    return row | {
        "image_digest": digest or (build.get("digest") if build.get("image") == row["image"] else None),
        "commit": row["commit"] or build.get("commit"),
        "build_id": row["build_id"] or build.get("build_id"),
    }


def _made(build: Row, row: Row, digest: str | None) -> bool:
    if row["build_id"]:
        return bool(build["build_id"] == row["build_id"])
    if digest and build["digest"]:
        return bool(build["digest"] == digest)
    if not build["image"] or build["image"] != row["image"]:
        return False
    return (build["finish_time"] or 0) <= (row["create_time"] or 0)  # a tag moves on to later builds


def event_digests(audit: pd.DataFrame) -> dict[str, str]:
    """The image digest of each revision that a system event shows (v1 form), by the revision's name."""
    shown = audit[audit["revision_name"].notna() & audit["response"].notna()]
    found = {row.revision_name: _event_digest(row.response) for row in shown.itertuples()}
    return {name: digest for name, digest in found.items() if digest}


def _event_digest(response: str) -> str | None:
    found = re.search(r'"imageDigest": "[^"]*?@?(sha256:[0-9a-f]{64})"', response) or re.search(
        r'"image": "[^"]*@(sha256:[0-9a-f]{64})"', response
    )
    return found[1] if found else None


def iam_rows(policy: Any) -> list[Row]:
    """One row a role and member of an IAM policy, each once."""
    pairs = {(binding.role, member) for binding in policy.bindings for member in binding.members}
    return [{"role": role, "member": member} for role, member in sorted(pairs)]

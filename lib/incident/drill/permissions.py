"""What the caller of the stand-in may do: everything, but for permissions taken away and APIs not enabled.

Decides: which call is refused, in which words and with which reason, and what `TestIamPermissions` says. Cannot do:
roles, conditions, deny policies or service perimeters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.iam.v1 import iam_policy_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from incident.drill.service import Service

NEEDED: Mapping[str, tuple[str, str]] = {
    "ListLogEntries": ("logging.googleapis.com", "logging.logEntries.list"),
    "GetService": ("run.googleapis.com", "run.services.get"),
    "ListServices": ("run.googleapis.com", "run.services.list"),
    "GetIamPolicy": ("run.googleapis.com", "run.services.getIamPolicy"),
    "ListRevisions": ("run.googleapis.com", "run.revisions.list"),
    "ListBuilds": ("cloudbuild.googleapis.com", "cloudbuild.builds.list"),
    "Services.TestIamPermissions": ("run.googleapis.com", ""),
    "Projects.TestIamPermissions": ("cloudresourcemanager.googleapis.com", ""),
}
"""The API and the permission of each method; testing permissions takes none."""

TITLES = {
    "logging.googleapis.com": "Cloud Logging API",
    "run.googleapis.com": "Cloud Run Admin API",
    "cloudbuild.googleapis.com": "Cloud Build API",
    "cloudresourcemanager.googleapis.com": "Cloud Resource Manager API",
}
DISABLED = (
    "{title} has not been used in project {project} before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/{api}/overview?project={project} then retry. If you enabled this "
    "API recently, wait a few minutes for the action to propagate to our systems and retry."
)
"""As quoted in crossplane-contrib/provider-jet-gcp issue 17."""


class ApiError(Exception):
    """A call that is refused, with gRPC's code and the words of the answer; `reason` is that of its ErrorInfo."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.code, self.message, self.reason, self.metadata = code, message, reason, metadata

    def details(self) -> tuple[tuple[str, bytes], ...]:
        """The trailing metadata in which a client finds the reason; none without one."""
        if not self.reason:
            return ()
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="googleapis.com", metadata=self.metadata)
        packed = any_pb2.Any()
        packed.Pack(info)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=[packed])
        return (("grpc-status-details-bin", status.SerializeToString()),)


@dataclass
class Permissions:
    """What was taken from the caller: `denied` holds permissions, `disabled` names of APIs."""

    denied: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)

    def check(self, method: str, project: str) -> None:
        """Refuse a method of an API that is not enabled, or whose permission was taken away."""
        api, permission = NEEDED[method]
        if api in self.disabled:
            words = DISABLED.format(title=TITLES[api], project=project, api=api)
            raise ApiError(grpc.StatusCode.PERMISSION_DENIED, words, "SERVICE_DISABLED", service=api)
        if permission in self.denied:
            words = f"Permission '{permission}' denied on resource (or it may not exist)."
            raise ApiError(grpc.StatusCode.PERMISSION_DENIED, words, "IAM_PERMISSION_DENIED", permission=permission)

    def held(self, service: Service, request: Any) -> Any:
        """Those of the permissions asked for that the caller has; none on a resource that is not there (its proto)."""
        there = request.resource in (f"projects/{service.project}", service.full_name)
        held = [name for name in request.permissions if there and name not in self.denied]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=held)

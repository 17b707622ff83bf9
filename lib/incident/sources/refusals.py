"""What a call that Google refused for good says, and what mends it.

Decides: whether a login is what is missing, whether a grant would help, and else which command does. Reads one error of
an official client: its words and the reason of its google.rpc.ErrorInfo, as `google/api/error_reason.proto` names
them. Cannot tell: which policy refused, and whose the credentials are.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, TransportError

from incident.http1 import printable

GCLOUD_S_OWN: Final = "projects/764086051850"
"""Whose quota a login of gcloud counts on where it names no project (golang/oauth2 issue 702)."""

OF_GRANTS: Final = (None, "", "IAM_PERMISSION_DENIED")
"""The reasons of a refusal that a grant mends; older APIs say none."""

LOGGED_OUT: Final = re.compile(
    r"\b(invalid_grant|invalid_client|unauthorized_client|deleted_client|disabled_client)\b|\b[Rr]eauthenticat"
)
"""What a token server says of a login that is over (RFC 6749, section 5.2), and google-auth of one to be repeated."""

PERIMETER: Final = "no grant mends it: ask who administers the organization's service perimeters to let this be read"


@dataclass(frozen=True)
class Remedy:
    """Why a call was refused, and what mends it: a command, or advice where no command does."""

    because: str
    command: str = ""
    advice: str = ""


def is_login(error: Any) -> bool:
    """Whether the caller must log in again. gRPC wraps a failed renewal of credentials as UNAVAILABLE.

    A token server that was not reached, or that asks to be tried again, says nothing of a login.

    >>> is_login(exceptions.ServiceUnavailable("Getting metadata from plugin failed with error: ('invalid_grant: …"))
    True
    >>> is_login(TransportError("no route to host"))
    False
    """
    if isinstance(error, GoogleAuthError):
        unreached = isinstance(error, TransportError) or isinstance(error.__cause__, TransportError)
        return not (unreached or error.retryable)
    expired = "Getting metadata from plugin failed" in str(error) and LOGGED_OUT.search(str(error))
    return bool(expired) or isinstance(error, exceptions.Unauthenticated)


def is_for_want_of_a_grant(error: Any) -> bool:
    """Whether a grant mends a refusal."""
    return isinstance(error, exceptions.Forbidden) and error.reason in OF_GRANTS


def of_the_api(error: Any, api: str, project: str, member: str) -> Remedy | None:
    """What a refusal says of an API, or of the project that its calls count on; None where it is about neither."""
    reason, consumer = getattr(error, "reason", None), (getattr(error, "metadata", None) or {}).get("consumer")
    set_quota_project = f"gcloud auth application-default set-quota-project {project}"
    if reason == "SERVICE_DISABLED" and consumer == GCLOUD_S_OWN:
        return Remedy("the login names no project to count its calls on", set_quota_project)
    if reason == "SERVICE_DISABLED":
        return Remedy(f"{api} is not enabled", f"gcloud services enable {api} --project={project}")
    if reason == "USER_PROJECT_DENIED":
        command = grant(project, member, "roles/serviceusage.serviceUsageConsumer")
        return Remedy("its calls may not be counted on the project that the credentials name", command)
    if reason == "CONSUMER_INVALID":
        return Remedy("the project that the credentials count their calls on is not valid", set_quota_project)
    if reason == "BILLING_DISABLED":
        command = f"gcloud billing projects link {project} --billing-account=ACCOUNT"
        return Remedy("the project that its calls count on has no billing account", command)
    return None


def by_policy(error: Any) -> Remedy:
    """What a refusal by a policy says, in Google's words: no grant mends it."""
    perimeter = error.reason == "SECURITY_POLICY_VIOLATED"
    advice = PERIMETER if perimeter else "no grant mends it: ask who administers the project, with these words"
    return Remedy(f"{printable(str(error.reason), 80)}, {words_of(error)}", advice=advice)


def grant(project: str, member: str, role: str) -> str:
    """The command that grants a role on a project."""
    words = ["gcloud", "projects", "add-iam-policy-binding", project, f"--member={member}", f"--role={role}"]
    return shlex.join([*words, "--condition=None"])


def words_of(error: Any) -> str:
    """Google's own words, in a line."""
    return printable(" ".join((getattr(error, "message", "") or str(error)).split()), 160)

"""What the caller may read of a project: each API, each permission, and what is known of the read quota.

Decides: from one small call of each kind, which settles what it was allowed, and where that says nothing from
`TestIamPermissions` of the service (Cloud Run) and of the project (Resource Manager). Cannot tell: how much of a quota
others use, nor how many calls a pull will take; conditions of a grant that this moment does not meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions
from google.cloud.devtools.cloudbuild_v1.types import ListBuildsRequest
from google.cloud.logging_v2.types import ListLogEntriesRequest
from google.cloud.run_v2.types import GetServiceRequest, ListRevisionsRequest
from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest, TestIamPermissionsRequest

from incident.http1 import printable
from incident.scope import Scope, rfc3339
from incident.sources.calls import ACCESS, READS_PER_MINUTE
from incident.sources.clients import Clients
from incident.sources.doctor_line import Line, Need, together
from incident.sources.refusals import by_policy, grant, is_for_want_of_a_grant, of_the_api, words_of

CALL_S: Final = 8.0
ALL_S: Final = CALL_S + 2
PRIVATE: Final = "logging.privateLogEntries.list"
ROLES: Final = {each.permission: each.role for each in ACCESS.values()} | {PRIVATE: "roles/logging.privateLogViewer"}
ON_SERVICE: Final = ("run.services.get", "run.revisions.list", "run.services.getIamPolicy")

PERMISSIONS: Final = (
    Need("run.services.get", "its URL and traffic can be read", "its URL, traffic and tags stay unknown"),
    Need("run.revisions.list", "revisions can be compared", "no change can be found, and no run ends ok"),
    Need("run.services.getIamPolicy", "the policy can be read", "who may invoke the service stays unknown"),
    Need("logging.logEntries.list", "logs can be read",
         "no log is read, most causes stay uncertain, and no run ends ok"),
    Need(PRIVATE, "", "no notebook reads Data Access logs", needed=False),
    Need("cloudbuild.builds.list", "builds can be joined",
         "a revision's build and commit are known only as far as its labels say them"),
)  # fmt: skip

APIS: Final = {
    "logging.googleapis.com": ("logging.logEntries.list", "logs can be asked for", "no log is read"),
    "run.googleapis.com": ("run.services.get", "the service can be asked for", "no service or revision is read"),
    "cloudbuild.googleapis.com": ("cloudbuild.builds.list", "builds can be asked for", "no build is read"),
    "cloudresourcemanager.googleapis.com": (
        "", "grants can be tested", "a grant shows by a call that needs it",
    ),
}  # fmt: skip
"""For each API the permission whose call shows that it answers, what it is good for, and what its absence costs."""

QUOTA: Final = Need("read quota", "logs can be pulled now", "a pull of logs waits, or is cut")


@dataclass(frozen=True)
class Answers:
    """What Google's APIs said: `tried` maps a permission to the answer to a call that needs it, or to its error.

    `on_service` and `on_project` are the permissions that were said to be held there, or the error; None where it was
    not asked.
    """

    tried: Mapping[str, Any]
    on_service: Any = None
    on_project: Any = None


def ask(clients: Clients, scope: Scope) -> Answers:
    """Every call, at the same time; those of a service only where one is named.

    Where nothing at all is answered, `unanswered` says why.
    """
    calls = project_calls(clients, scope)
    if scope.region and scope.service:
        calls |= service_calls(clients, f"projects/{scope.project}/locations/{scope.region}/services/{scope.service}")
    said = together(calls, ALL_S)
    on_service, on_project = (_held(said.pop(name, None)) for name in ("service", "project"))
    return Answers(said, on_service, on_project)


def _held(answer: Any) -> Any:
    return frozenset(answer.permissions) if hasattr(answer, "permissions") else answer


def is_answer(said: Any) -> bool:
    """Whether an API answered: with what was asked for, or with a refusal of its own."""
    if isinstance(said, exceptions.ClientError):
        return not isinstance(said, exceptions.Unauthorized)
    return not isinstance(said, Exception)


def unanswered(answers: Answers) -> str:
    """Why none of the APIs answered; an empty text where one did."""
    said = [each for each in (*answers.tried.values(), answers.on_service, answers.on_project) if each is not None]
    return "" if any(map(is_answer, said)) else brief(said[0])


def project_calls(clients: Clients, scope: Scope) -> dict[str, Callable[[], Any]]:
    """One entry of the window, one build, and what the Resource Manager says is held."""
    project = f"projects/{scope.project}"
    window = f'(timestamp>="{rfc3339(scope.start)}" AND timestamp<"{rfc3339(scope.end)}")'
    entry = ListLogEntriesRequest(resource_names=[project], filter=window, page_size=1)
    parent = f"{project}/locations/{scope.region}" if scope.region else ""
    build = ListBuildsRequest(parent=parent, project_id=scope.project, page_size=1)
    held = TestIamPermissionsRequest(resource=project, permissions=list(ROLES))
    return {
        "logging.logEntries.list": lambda: call(clients.logging.list_log_entries, entry),
        "cloudbuild.builds.list": lambda: call(clients.builds.list_builds, build),
        "project": lambda: call(clients.projects.test_iam_permissions, held),
    }


def service_calls(clients: Clients, name: str) -> dict[str, Callable[[], Any]]:
    """The service, one of its revisions, its policy, and what Cloud Run says is held."""
    revision = ListRevisionsRequest(parent=name, page_size=1)
    held = TestIamPermissionsRequest(resource=name, permissions=ON_SERVICE)
    return {
        "run.services.get": lambda: call(clients.services.get_service, GetServiceRequest(name=name)),
        "run.revisions.list": lambda: call(clients.revisions.list_revisions, revision),
        "run.services.getIamPolicy": lambda: call(clients.services.get_iam_policy, GetIamPolicyRequest(resource=name)),
        "service": lambda: call(clients.services.test_iam_permissions, held),
    }


def call(method: Callable[..., Any], request: Any) -> Any:
    """One attempt within its limit: a doctor says what it met, and whoever reads it runs it again."""
    return method(request=request, retry=None, timeout=CALL_S)


def access_lines(answers: Answers, scope: Scope, member: str) -> list[Line]:
    """The lines of APIs, permissions and quota, in that order."""
    apis = [api_line(name, answers, scope, member) for name in APIS]
    permissions = [permission_line(need, answers, scope, member) for need in PERMISSIONS]
    return [*apis, *permissions, quota_line(answers.tried["logging.logEntries.list"], scope)]


def api_line(name: str, answers: Answers, scope: Scope, member: str) -> Line:
    """Whether an API answers; a refusal of the caller is an answer."""
    permission, lets, costs = APIS[name]
    need = Need(name, lets, costs, needed=bool(permission))
    said = answers.tried.get(permission) if permission else answers.on_project
    if said is None:
        return need.line("skipped", "not asked: no service was named", advice="give --region and --service")
    if refused := of_the_api(said, name, scope.project, member):
        return need.line("missing", refused.because.removeprefix(f"{name} is "), refused.command)
    if not permission and isinstance(said, exceptions.ClientError):
        return need.line("uncertain", f"it would not test: {brief(said)}")
    if is_answer(said):
        return need.line("ok", "enabled")
    return need.line("uncertain", f"no answer: {brief(said)}", advice="run this again once it answers")


def permission_line(need: Need, answers: Answers, scope: Scope, member: str) -> Line:
    """Whether what needs a permission can be read. A refusal of the call decides, then what was said to be held.

    A refusal that is about the API is on the API's own line.
    """
    said, command = answers.tried.get(need.name), grant(scope.project, member, ROLES[need.name])
    if is_for_want_of_a_grant(said):
        return _absent(need, "a call that needs it was refused (403)", command, member)
    if isinstance(said, exceptions.Forbidden) and not of_the_api(said, "", scope.project, member):
        refused = by_policy(said)
        because = f"a call that needs it was refused (403): {refused.because}"
        return need.line("missing", because, advice=refused.advice)
    if any(isinstance(held, frozenset) and need.name in held for held in (answers.on_service, answers.on_project)):
        return need.line("ok", "granted")
    if said is not None and not isinstance(said, Exception):
        return need.line("ok", f"a call that needs it was answered{_untested(answers)}")
    if isinstance(answers.on_project, frozenset):
        return _absent(need, f"not granted on project {scope.project}", command, member)
    return _not_asked(need, said if isinstance(said, Exception) else answers.on_project)


def _not_asked(need: Need, error: Any) -> Line:
    why = brief(error) if is_answer(error) else "no answer came"
    return need.line("uncertain", f"it could not be asked: {why}", advice="mend what is missing above, and run again")


def _absent(need: Need, because: str, command: str, member: str) -> Line:
    whose = "; EMAIL is the account of these credentials" if member.endswith(":EMAIL") else ""
    return need.line("missing", because + whose, command)


def _untested(answers: Answers) -> str:
    """That a trial stands in for the tests of permissions, where these were refused."""
    refused = isinstance(answers.on_project, Exception), isinstance(answers.on_service, Exception)
    return "; it could not be tested" if any(refused) else ""


def quota_line(said: Any, scope: Scope) -> Line:
    """What one read shows of the quota of reads, which is per minute."""
    if isinstance(said, exceptions.ResourceExhausted):
        pages = f"https://console.cloud.google.com/iam-admin/quotas?project={scope.project}"
        advice = f"wait a minute and run this again; {pages} shows the limit, and takes requests for more"
        return QUOTA.line("missing", f"spent at this moment{_limit(said)}", advice=advice)
    if isinstance(said, Exception):
        return QUOTA.line("uncertain", "not seen: no read of logs was answered", advice="mend what logs need first")
    paced = f"a pull makes at most {READS_PER_MINUTE} calls a minute, the lowest limit seen"
    return QUOTA.line("ok", f"not spent at this moment; {paced}; how many it needs shows only as it goes")


def _limit(error: exceptions.GoogleAPICallError) -> str:
    """The limit that a refusal names, in Google's words."""
    named = {name: printable(str(value), 80) for name, value in (error.metadata or {}).items()}
    value, limit = named.get("quota_limit_value"), named.get("quota_limit")
    return f": {' of '.join(filter(None, [value, limit]))}" if value or limit else ""


def brief(error: Any) -> str:
    """What the other side said, in a line."""
    name = getattr(getattr(error, "grpc_status_code", None), "name", "") or type(error).__name__
    return words_of(error) if isinstance(error, TimeoutError) else f"{name}, {words_of(error)}"

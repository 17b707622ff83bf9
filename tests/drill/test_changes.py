"""What somebody changes: it is enforced, it can be read back from the APIs, and the audit log says who did it."""

import grpc
import pytest
from google.api_core.exceptions import PermissionDenied
from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.run_v2 import ServicesClient
from google.protobuf import json_format

from incident import platform
from incident.drill.service import service_v2
from incident.drill.steps import Ingress, LogFault, Policy, Traffic
from incident.findings import UsageError


def called(live):
    """The newest entry of somebody's call, as a mapping."""
    log = audit_log_pb2.AuditLog()
    live.entries(platform.ACTIVITY)[-1].proto_payload.Unpack(log)
    return json_format.MessageToDict(log)


def test_a_closed_invoker_policy(live, api_client):
    """Google answers and no container is asked; the policy that was set is the one that is shown."""

    async def work(live):
        live.box.set_policy(Policy([], "ada@example.com"))
        answer = await live.get("/<x>")
        (request,) = live.entries(platform.REQUESTS)
        call = called(live)
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"get URL <code>/&lt;x&gt;</code> from this server" in answer
        assert (request.text_payload, request.severity) == (platform.NOT_AUTHENTICATED.text, 400)
        assert "instanceId" not in request.labels
        assert call["methodName"] == "google.cloud.run.v1.Services.SetIamPolicy"
        assert call["authenticationInfo"]["principalEmail"] == "ada@example.com"
        assert "bindings" not in call["request"]["policy"] or not call["request"]["policy"]["bindings"]
        live.box.set_policy(Policy(["allUsers"], "grace@example.com"))
        asked = {"resource": live.box.service.full_name}
        shown = api_client(ServicesClient, live.box.address).get_iam_policy(request=asked)
        assert [(each.role, list(each.members)) for each in shown.bindings] == [("roles/run.invoker", ["allUsers"])]
        assert called(live)["request"]["policy"]["bindings"] == [{"role": "roles/run.invoker", "members": ["allUsers"]}]
        return await live.status()

    assert live(work) == 200


def test_ingress_from_inside_only(live):
    """Nothing is logged of what is refused at the door, so the service's settings are all the evidence there is."""

    async def work(live):
        live.box.set_ingress(Ingress("internal", "grace@example.com"))
        call = called(live)
        assert await live.status() == 404
        assert not live.entries(platform.REQUESTS)
        shown = service_v2(live.box.service)
        assert (shown.ingress.name, shown.last_modifier) == ("INGRESS_TRAFFIC_INTERNAL_ONLY", "grace@example.com")
        live.box.set_ingress(Ingress("all", "grace@example.com"))
        assert await live.status() == 200
        return call

    call = live(work)
    annotations = call["request"]["service"]["metadata"]["annotations"]
    assert call["methodName"] == "google.cloud.run.v1.Services.ReplaceService"
    assert call["authenticationInfo"]["principalEmail"] == "grace@example.com"
    assert annotations["run.googleapis.com/ingress"] == "internal"
    assert annotations["serving.knative.dev/lastModifier"] == "grace@example.com"


def test_all_traffic_to_an_older_revision(live):
    """A rollback makes no revision: it is seen in the traffic and in its audit entry alone."""

    async def work(live):
        await live.deploy("00002-def")
        live.box.send_traffic(Traffic(live.first, "ada@example.com"))
        assert await live.status() == 200
        assert live.entries(platform.REQUESTS)[-1].resource.labels["revision_name"] == live.first
        (share,) = service_v2(live.box.service).traffic_statuses
        assert (share.revision, share.percent, share.type_.name) == (
            live.first, 100, "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
        )  # fmt: skip
        assert called(live)["request"]["service"]["spec"]["traffic"] == [{"revisionName": live.first, "percent": 100.0}]
        with pytest.raises(UsageError) as told:
            live.box.send_traffic(Traffic("nosuch", "ada@example.com"))
        return str(told.value)

    assert live(work) == "traffic cannot go to 'nosuch': it is no revision that is ready"


SECRET = "projects/drill-project/secrets/jwt"


@pytest.mark.parametrize(
    ("step", "reason", "text"),
    [
        ({"pull": "denied"}, "CONTAINER_PERMISSION_DENIED", platform.IMAGE_DENIED),
        ({"pull": "missing"}, "REVISION_FAILED", platform.IMAGE_NOT_FOUND),
        (
            {"secrets": {"JWT": {"secret": SECRET, "readable": False}}},
            "SECRETS_ACCESS_CHECK_FAILED",
            platform.SECRET_DENIED,
        ),
    ],
)
def test_a_deploy_that_cannot_start_anything(live, step, reason, text):
    """No process is started and no container line written: the revision's own message is the only word on why."""

    async def work(live):
        before = live.texts(platform.SYSTEM)
        revision = await live.deploy("00002-def", **step)
        assert (revision.ready, revision.reason) == (False, reason)
        assert text.search(revision.ready_message)
        assert live.texts(platform.SYSTEM) == before
        assert live.box.service.serving.name == live.first
        condition = service_v2(live.box.service).terminal_condition
        assert reason in (condition.reason.name, condition.revision_reason.name)
        return await live.status()

    assert live(work) == 200


def test_a_readable_secret_is_shown_by_its_name(live):
    """A variable that comes from a secret has no value that anybody may read."""

    async def work(live):
        revision = await live.deploy("00002-def", secrets={"JWT": {"secret": SECRET}})
        (variable,) = [env for env in service_v2(live.box.service).template.containers[0].env if env.name == "JWT"]
        return revision.ready, variable.value, variable.value_source.secret_key_ref.secret

    assert live(work) == (True, "", SECRET)


def test_a_container_that_is_asked_in_http2(live):
    """Nobody here speaks HTTP/2, so every request fails as it does at Cloud Run, the plain ones too."""

    async def work(live):
        answers = [
            await live.get(path, **headers) for path, headers in [("/health", {}), ("/ws", {"Upgrade": "websocket"})]
        ]
        assert {answer.partition(b"\r\n\r\n")[2] for answer in answers} == {
            platform.ANSWER_UPSTREAM_RESET.body.encode()
        }
        assert service_v2(live.box.service).template.containers[0].ports[0].name == "h2c"
        return [entry.http_request.status for entry in live.entries(platform.REQUESTS)]

    assert live(work, protocol="h2c") == [503, 503]


def test_google_refuses_and_answers_again(live, api_client):
    """Evidence that is cut short is refused by the API itself, not left out by us."""

    async def work(live):
        client = api_client(LoggingServiceV2Client, live.box.address)
        ask = {"resource_names": ["projects/drill-project"]}
        live.box.refuse(LogFault("ListLogEntries", "PERMISSION_DENIED"))
        with pytest.raises(PermissionDenied, match=r"The caller does not have permission \(ListLogEntries\)"):
            client.list_log_entries(request=ask, retry=None)
        live.box.refuse(LogFault(none=True))
        with pytest.raises(UsageError, match="log_fault: method 'Nosuch' is not known: use one of ListLogEntries, "):
            live.box.refuse(LogFault("Nosuch", "INTERNAL"))
        return len(list(client.list_log_entries(request=ask, retry=None))), sum(1 for _ in live.box.store)

    answered, stored = live(work)
    assert answered == stored > 0


def test_every_code_of_a_log_fault_is_one_of_grpc():
    """A scenario that passes its check must not stop at the step."""
    codes = LogFault.__annotations__["code"]
    assert set(eval(codes.removeprefix("Literal"))) - {""} <= set(grpc.StatusCode.__members__)

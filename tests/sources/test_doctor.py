"""`incident doctor` against the drill's stand-in for Google: whole outputs, and each thing that may be missing."""

from __future__ import annotations

import re
import shlex
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import run_v2

from incident.cells import cells
from incident.doctor_table import copied, doctor_table
from incident.drill.entries import LogStore
from incident.drill.google_apis import GoogleApis
from incident.drill.scenario import load_scenario
from incident.drill.service import RevisionRecord, Service
from incident.findings import UsageError
from incident.scope import Parameters, scope
from incident.sources import doctor_access, doctor_credentials
from incident.sources.doctor import Examination, examine, status_of
from incident.sources.doctor_line import EXPECTED, Line, begun, result, together
from incident.sources.doctor_service import REGIONS
from incident.sources.endpoint import Surroundings

GOLDEN = Path(__file__).with_name("doctor")
NOW = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
NAMED = {"project": "drill-project", "region": "us-central1", "service": "chat-backend-staging"}


class Healthy(BaseHTTPRequestHandler):
    """Answers 200 to everything but /ill, with its Date."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(503 if self.path == "/ill" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The same Date in every run."""
        return "Tue, 24 Nov 2026 21:00:00 GMT"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@dataclass
class Google:
    """The stand-in and the service that it holds."""

    apis: GoogleApis
    port: int
    folder: Path

    def examined(self, now: datetime = NOW, **named: str) -> list[Line]:
        """The lines for a scope, on a machine whose clock says `now`."""
        parameters = Parameters.read({"source": "cloud", **named})
        environ = {"INCIDENT_GCP_ENDPOINT": self.apis.address}
        here = Surroundings(now=lambda: now, resolve=nowhere)
        return examine(Examination(parameters, scope(parameters, pd.Timestamp(NOW)), Path("outputs"), environ, here))

    def line(self, name: str, **options: Any) -> Line:
        """One line of the service's examination."""
        return next(line for line in self.examined(**{**NAMED, **options}) if line.name == name)


async def nowhere(host: str, port: int) -> list[Any]:
    """No name but an address resolves."""
    if host == "127.0.0.1":
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))]
    raise socket.gaierror(-2, "Name or service not known")


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A service with one revision whose URL answers, in a fresh folder, with no kernel of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    web = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
    scenario = load_scenario("staging")
    service = Service(scenario, f"http://127.0.0.1:{web.server_port}")
    name = f"{scenario.service}-00001-abc"
    service.keep(RevisionRecord(
        name, 1, "r-docker.pkg.dev/p/c/s@sha256:ab", Path(), {}, {}, "ada@example.com", NOW, scenario.settings,
        ready=True, ready_time=NOW,
    ))  # fmt: skip
    with GoogleApis(LogStore(), service) as apis:
        yield Google(apis, web.server_port, tmp_path)
    web.shutdown()
    web.server_close()


def shown(google: Google, lines: list[Line]) -> str:
    """The lines as a terminal shows them, with what differs from run to run made the same."""
    text = doctor_table([line.as_json() for line in lines])
    text = text.replace(f":{google.port}", ":10001").replace(f":{google.apis.port}", ":10000")
    return re.sub(r"packages: \d\d are", "packages: 25 are", text) + "\n"


def pinned(name: str, text: str) -> bool:
    """Whether a text is the one that is kept, and fits a terminal."""
    assert max(map(cells, text.splitlines())) <= 80
    assert text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    return True


def test_whole(google: Google) -> None:
    """All there is said as such, line by line, and nothing that would change anything is called."""
    lines = google.examined(**NAMED)
    assert pinned("whole", shown(google, lines))
    assert status_of(lines) == "ok"
    assert sorted(google.apis.calls) == [
        "GetIamPolicy", "GetService", "ListBuilds", "ListLogEntries", "ListRevisions", "Projects.TestIamPermissions",
        "Services.TestIamPermissions",
    ]  # fmt: skip
    assert set(google.apis.calls.values()) == {1}


def test_one_permission_removed(google: Google) -> None:
    """A missing grant is found by the call that needs it, and told with what it costs and the command that mends it."""
    google.apis.permissions.denied.add("logging.logEntries.list")
    lines = google.examined(**NAMED)
    assert pinned("permission", shown(google, lines))
    assert status_of(lines) == "missing"


@pytest.mark.parametrize(("permission", "role"), [
    ("run.services.get", "roles/run.viewer"), ("run.revisions.list", "roles/run.viewer"),
    ("run.services.getIamPolicy", "roles/run.viewer"), ("logging.logEntries.list", "roles/logging.viewer"),
    ("cloudbuild.builds.list", "roles/cloudbuild.builds.viewer"),
])  # fmt: skip
def test_each_permission(google: Google, permission: str, role: str) -> None:
    """The least role is granted, to nobody but the caller."""
    google.apis.permissions.denied.add(permission)
    lines = google.examined(**NAMED)
    assert [line.name for line in lines if line.status == "missing"] == [permission]
    assert next(line.command for line in lines if line.name == permission) == (
        f"gcloud projects add-iam-policy-binding drill-project --member=user:EMAIL --role={role} --condition=None"
    )


def test_a_permission_that_no_run_needs(google: Google) -> None:
    """Hardly anybody may read Data Access logs: that this is nothing to mend is said, and costs no exit code."""
    google.apis.permissions.denied.add("logging.privateLogEntries.list")
    lines = google.examined(**NAMED)
    assert status_of(lines) == "ok"
    line = next(line for line in lines if line.name == "logging.privateLogEntries.list")
    assert (line.status, line.because) == (
        "skipped",
        "not granted on project drill-project; EMAIL is the account of these credentials; "
        "not needed: no notebook reads Data Access logs",
    )


def test_one_api_refused(google: Google) -> None:
    """No grant mends an API that is not enabled, which is refused with 403 as well."""
    google.apis.permissions.disabled.add("cloudbuild.googleapis.com")
    lines = google.examined(**NAMED)
    assert pinned("api", shown(google, lines))
    assert status_of(lines) == "missing"


@pytest.mark.parametrize(("api", "missing"), [
    ("logging.googleapis.com", ["logging.googleapis.com"]), ("run.googleapis.com", ["run.googleapis.com"]),
    ("cloudresourcemanager.googleapis.com", []),
])  # fmt: skip
def test_each_api(google: Google, api: str, missing: list[str]) -> None:
    """Each is named with the command that enables it; one that only the doctor uses is not missed."""
    google.apis.permissions.disabled.add(api)
    lines = google.examined(**NAMED)
    assert [line.name for line in lines if line.status == "missing"] == missing
    assert google.line(api).command == f"gcloud services enable {api} --project=drill-project"


def test_permissions_cannot_be_tested(google: Google) -> None:
    """Both tests may be refused; a call that needs the permission then stands in, and that is said."""
    for method in ("Services.TestIamPermissions", "Projects.TestIamPermissions"):
        google.apis.fault(method, grpc.StatusCode.PERMISSION_DENIED, "no")
    lines = google.examined(**NAMED)
    said = {line.name: (line.status, line.because) for line in lines}
    for permission in ("run.services.get", "run.revisions.list", "logging.logEntries.list", "cloudbuild.builds.list"):
        assert said[permission] == ("ok", "a call that needs it was answered; it could not be tested")
    assert said["cloudresourcemanager.googleapis.com"] == (
        "skipped",
        "it would not test: PERMISSION_DENIED, no; not needed: a grant shows by a call that needs it",
    )
    assert said["logging.privateLogEntries.list"] == (
        "skipped",
        "it could not be asked: PERMISSION_DENIED, no; not needed: no notebook reads Data Access logs",
    )
    assert status_of(lines) == "ok"


def test_a_permission_on_the_service_alone(google: Google) -> None:
    """Who was given a role on one service has none on its project, and lacks nothing."""
    google.apis.fault("Projects.TestIamPermissions", grpc.StatusCode.UNAVAILABLE, "down")
    google.apis.fault("ListRevisions", grpc.StatusCode.UNAVAILABLE, "down")
    line = google.line("run.revisions.list")
    assert (line.status, line.because) == ("ok", "granted")


def test_neither_tested_nor_answered(google: Google) -> None:
    """What is not known is not all there."""
    for method in ("Services.TestIamPermissions", "Projects.TestIamPermissions", "ListRevisions"):
        google.apis.fault(method, grpc.StatusCode.UNAVAILABLE, "down")
    line = google.line("run.revisions.list")
    assert (line.status, line.because) == ("uncertain", "it could not be asked: no answer came")


def test_a_refusal_that_no_grant_mends(google: Google) -> None:
    """A perimeter refuses who has every role: that the permission is held does not mean that anything can be read."""
    google.apis.fault(
        "ListBuilds", grpc.StatusCode.PERMISSION_DENIED, "Request is prohibited by organization's policy.",
        reason="SECURITY_POLICY_VIOLATED",
    )  # fmt: skip
    line = google.line("cloudbuild.builds.list")
    assert (line.status, line.command, line.because, line.advice) == (
        "missing",
        "",
        "a call that needs it was refused (403): SECURITY_POLICY_VIOLATED, "
        "Request is prohibited by organization's policy.",
        "no grant mends it: ask who administers the organization's service perimeters to let this be read",
    )


@pytest.mark.parametrize(("reason", "said", "because", "command"), [
    ("SERVICE_DISABLED", {"consumer": "projects/764086051850"}, "the login names no project to count its calls on",
     "gcloud auth application-default set-quota-project drill-project"),
    ("USER_PROJECT_DENIED", {}, "its calls may not be counted on the project that the credentials name",
     "gcloud projects add-iam-policy-binding drill-project --member=user:EMAIL "
     "--role=roles/serviceusage.serviceUsageConsumer --condition=None"),
    ("BILLING_DISABLED", {}, "the project that its calls count on has no billing account",
     "gcloud billing projects link drill-project --billing-account=ACCOUNT"),
    ("CONSUMER_INVALID", {}, "the project that the credentials count their calls on is not valid",
     "gcloud auth application-default set-quota-project drill-project"),
])  # fmt: skip
def test_the_project_that_pays(google: Google, reason: str, said: dict[str, str], because: str, command: str) -> None:
    """An API that is enabled answers that it is not, where the calls are counted on another project."""
    google.apis.fault("ListLogEntries", grpc.StatusCode.PERMISSION_DENIED, "no", reason=reason, **said)
    line = google.line("logging.googleapis.com")
    assert (line.status, line.because, line.command) == ("missing", because, command)


def test_quota(google: Google) -> None:
    """The limit is read from the refusal, the only place that says it; nothing else is missing then."""
    google.apis.fault(
        "ListLogEntries", grpc.StatusCode.RESOURCE_EXHAUSTED, "Quota exceeded", reason="RATE_LIMIT_EXCEEDED",
        quota_limit="ReadRequestsPerMinutePerProject", quota_limit_value="60",
    )  # fmt: skip
    missing = [line for line in google.examined(**NAMED) if line.status == "missing"]
    assert [(line.name, line.because, line.advice) for line in missing] == [
        ("read quota", "spent at this moment: 60 of ReadRequestsPerMinutePerProject",
         "wait a minute and run this again; https://console.cloud.google.com/iam-admin/quotas?project=drill-project "
         "shows the limit, and takes requests for more"),
    ]  # fmt: skip


def test_another_region(google: Google) -> None:
    """The commonest mistake is the region: where the service is, is looked up, and the command to go on is printed."""
    lines = google.examined(**NAMED | {"region": "europe-west1"})
    assert pinned("region", shown(google, lines))
    assert google.apis.calls["ListServices"] == len(REGIONS)


def test_in_no_region(google: Google) -> None:
    """A name that was mistyped is seen beside those that are there."""
    line = google.line("service", service="chat-backend")
    assert (line.status, line.because, line.command) == (
        "missing",
        "chat-backend is not in us-central1 or in any other region; there: chat-backend-staging",
        "gcloud run services list --project=drill-project",
    )


def test_regions_that_may_not_be_listed(google: Google) -> None:
    """Not found where it was looked for, and nowhere else to look: that is no "nowhere"."""
    google.apis.permissions.denied.add("run.services.list")
    line = google.line("service", region="europe-west1")
    assert (line.status, line.because) == (
        "missing",
        "chat-backend-staging is not in europe-west1, and no other region could be asked",
    )


def test_services_are_listed_by_region(google: Google) -> None:
    """The stand-in refuses what Google refuses, so that a shorter way is not taken by mistake."""
    channel = grpc.insecure_channel(google.apis.address)
    client = run_v2.ServicesClient(transport=run_v2.ServicesClient.get_transport_class("grpc")(channel=channel))
    with channel, pytest.raises(exceptions.InvalidArgument, match="no '-' for L"):
        client.list_services(parent="projects/drill-project/locations/-")


@pytest.mark.parametrize(("off", "status", "because"), [
    (0, "ok", "within 10 s of 127.0.0.1's"), (-9, "ok", "within 10 s of 127.0.0.1's"),
    (95, "missing", "95 s ahead of 127.0.0.1's"), (-3600, "missing", "3600 s behind 127.0.0.1's"),
])  # fmt: skip
def test_clock(google: Google, off: float, status: str, because: str) -> None:
    """A clock that is wrong moves every relative window, and nothing else would show it."""
    line = google.line("clock", now=NOW + timedelta(seconds=off))
    assert (line.status, line.because) == (status, because)
    assert bool(line.command) is (status == "missing")


def test_an_ill_endpoint(google: Google) -> None:
    """A health path that fails is said in the probe's words."""
    line = google.line("endpoint health", health_path="/ill")
    assert (line.status, line.because) == ("missing", "GET /ill: answered 503")


def test_a_service_that_is_not_named(google: Google) -> None:
    """With a project alone its APIs and grants are looked at, and what to name next is said."""
    lines = google.examined(project="drill-project")
    assert [line.name for line in lines if line.status == "skipped" and line.needed] == [
        "run.googleapis.com", "service", "endpoint",
    ]  # fmt: skip
    assert status_of(lines) == "uncertain"


def test_nothing_configured(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, project or network it says so, and looks at the rest."""

    def none(**_: Any) -> Any:
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr("google.auth.default", none)
    parameters = Parameters.read({"source": "cloud"})
    here, asked = Surroundings(now=lambda: NOW, resolve=nowhere), scope(parameters, pd.Timestamp(NOW))
    lines = examine(Examination(parameters, asked, Path("outputs"), {"HOME": str(google.folder)}, here))
    assert pinned("nothing", shown(google, lines))
    assert status_of(lines) == "missing"


def test_a_proxy_that_a_direct_connection_passes_by(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official clients go by a proxy, so that a direct connection that fails shows nothing."""
    monkeypatch.setattr(doctor_credentials, "SERVER_S", 0.01)
    parameters = Parameters.read({"source": "cloud"})
    here, asked = Surroundings(resolve=nowhere), scope(parameters, pd.Timestamp(NOW))
    environ = {"HTTPS_PROXY": "http://user:CANARY@proxy:3128", "HOME": str(google.folder)}
    lines = examine(Examination(parameters, asked, Path("outputs"), environ, here))
    line = next(line for line in lines if line.name == "network")
    assert (line.status, line.because) == (
        "uncertain",
        "the name logging.googleapis.com does not resolve: Name or service not known; "
        "HTTPS_PROXY is set, and only the official clients go by it",
    )
    assert "CANARY" not in str(lines)


def test_apis_that_never_answer(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that drops packets costs seconds, one line, and no crash."""
    monkeypatch.setattr(doctor_access, "CALL_S", 0.2)
    parameters = Parameters.read({"source": "cloud", **NAMED})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {"INCIDENT_GCP_ENDPOINT": f"127.0.0.1:{silent.getsockname()[1]}"}
        lines = examine(Examination(parameters, scope(parameters, pd.Timestamp(NOW)), google.folder, environ))
    assert [(line.name, line.status) for line in lines if line.status == "uncertain"] == [("project", "uncertain")]
    (line,) = (line for line in lines if line.name == "project")
    assert re.match("none of the APIs answered for drill-project: (DEADLINE_EXCEEDED|UNAVAILABLE), ", line.because)


def test_a_stand_in_on_another_machine(google: Google) -> None:
    """A plaintext connection to another machine would carry a project's logs."""
    parameters = Parameters.read({"source": "cloud"})
    asked, environ = scope(parameters, pd.Timestamp(NOW)), {"INCIDENT_GCP_ENDPOINT": "10.0.0.5:8085"}
    with pytest.raises(UsageError, match="only a stand-in on loopback is allowed"):
        examine(Examination(parameters, asked, google.folder, environ))


def test_regions() -> None:
    """The page that they are from lists each once."""
    assert len(REGIONS) == len(set(REGIONS)) == 40


def test_what_is_late_and_what_is_ours() -> None:
    """A look that hangs is left behind; an error of ours is not taken for the other side's."""
    never = threading.Event()
    said = together({"late": never.wait, "here": lambda: True}, 0.05)
    assert (str(said["late"]), said["here"]) == ("no answer within 0.05 s", True)
    assert isinstance(said["late"], EXPECTED)
    with pytest.raises(ZeroDivisionError):
        result(begun(lambda: 1 // 0), 5)
    never.set()


def test_commands_can_be_copied() -> None:
    """What a shell reads of a command that is broken over lines is the command."""
    command = shlex.join(["gcloud", "a b", "--member=user:o'brien@example.com", "--role=roles/x", "y" * 90, "-v"])
    lines = copied(command, 40)
    assert len(lines) > 3
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(command)
    assert copied("", 40) == []
    assert copied("a && b", 40) == ["a && b"]


def test_other_peoples_text_is_shown_harmless() -> None:
    """An error's words come from elsewhere; a terminal obeys what is in them."""
    row = Line("service", "missing", "no\x1b[2J", costs="c\u202ed", command="echo 'a\x1b]0;x\x07'").as_json()
    text = doctor_table([row])
    assert all(character.isprintable() or character == "\n" for character in text)


def test_colour_stands_on_the_word() -> None:
    """Where there is colour, the mark and the word are still there for who does not see it."""
    row = Line("clock", "missing", "95 s ahead").as_json()
    assert doctor_table([row], color=True).splitlines()[0] == "x \x1b[1;31mmissing\x1b[0m   clock: 95 s ahead"

"""From parameters to evidence: order, redaction, gaps, and what is refused before anything is asked."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest

import incident
from incident.evidence import Evidence, save
from incident.findings import UsageError
from incident.frames import rows_frame
from incident.sources.gather import check, gather

SECRET = "staging_e2e_key_2024"
NOW = pd.Timestamp("2025-09-07T11:00:00Z")
CLOUD = {"source": "cloud", "project": "my-project", "region": "us-central1", "service": "chat"}
RUN = "20250907T101500Z-3f2a"


@pytest.fixture
def service(google: Any, make: Any) -> Iterator[str]:
    """A service that answers 503 to everything and whose requests are in the log as soon as they are answered."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            trace = f"projects/my-project/traces/{self.headers['traceparent'].split('-')[1]}"
            agent = self.headers["User-Agent"]
            google.entries.append(
                make.request_entry(at(len(google.entries)), user_agent=agent, trace=trace, status=503)
            )
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def at(number: int) -> str:
    """A time of its own, since an entry is known by its time and id."""
    return f"2025-09-07T10:59:59.{number}Z"


def gathered(google: Any, tmp_path: Path, **changes: Any) -> Evidence:
    """Evidence of the stand-in, at a time of our choice; its service's own URL is the endpoint, or as `own` says."""
    options = {key: changes.pop(key) for key in ("on_probe",) if key in changes}
    environ = {"INCIDENT_GCP_ENDPOINT": google.address, **changes.pop("environ", {})}
    google.service.uri = changes.pop("own", changes.get("endpoint") or google.service.uri)
    return gather(CLOUD | changes, now=lambda: NOW, environ=environ, outputs=tmp_path, **options)


def test_the_probe_first_then_the_log_that_knows_it(google: Any, service: str, tmp_path: Path) -> None:
    """People wait for the probe's answer; the log, asked after it, says which revision gave it."""
    told: list[Any] = []
    tell = lambda rows: told.append((rows, len(google.asked)))  # noqa: E731
    evidence = gathered(google, tmp_path, endpoint=service, on_probe=tell)
    [(rows, asked_before)] = told
    assert asked_before == 0
    assert [row["name"] for row in rows] == list(evidence.handshakes["name"])
    assert set(evidence.handshakes["http_status"]) == {503}
    assert set(evidence.handshakes["revision_name"]) == {"chat-00001-abc"}
    assert set(evidence.logs["probe_id"]) == set(evidence.handshakes["probe_id"])
    assert json.loads(evidence.handshakes["timings"][0])["status_s"] > 0
    assert evidence.service_logs.empty
    assert "handshakes" in evidence.complete


def test_the_service_says_its_own_url(google: Any, service: str, tmp_path: Path) -> None:
    """Without an endpoint the service itself is asked where it is, once."""
    google.service.uri = service
    evidence = gathered(google, tmp_path)
    assert evidence.scope.endpoint == service
    assert len(evidence.handshakes) == len(set(evidence.handshakes["probe_id"])) > 0
    assert len(google.requests("GetService")) == 1


def test_no_endpoint_is_a_gap(google: Any, tmp_path: Path) -> None:
    """What was not probed is said, with the option that mends it."""
    google.faults["GetService"] = grpc.StatusCode.PERMISSION_DENIED
    gap = gathered(google, tmp_path).gap("handshakes")
    assert gap is not None
    assert gap.reason == "the endpoint was not probed: the service did not say its URL"
    assert gap.remedy == "give --endpoint URL"


def test_a_token_for_the_checks_that_need_one(
    google: Any, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched for the service's own audience alone, and what the intrusive matrix sends is said."""
    asked: list[Any] = []

    def fetched(audience: str, origin: str) -> str:
        asked.append((audience, origin))
        return "no ID token: none in this test"

    monkeypatch.setattr("incident.sources.id_tokens.fetch", fetched)
    evidence = gathered(google, tmp_path, endpoint=service, matrix="authentication")
    assert asked == [(service, service)]
    row = evidence.handshakes.set_index("name").loc["id-token"]
    assert (row["status"], row["because"]) == ("skipped", "no ID token: none in this test")
    said = (
        f"matrix 'authentication' is intrusive: it sends 3 checks to {service.removeprefix('http://')}, one a second, "
    )
    assert evidence.notes == (f"{said}with Authorization, X-Test-Type, an ID token",)


def test_no_token_for_an_endpoint_that_is_not_the_services(google: Any, service: str, tmp_path: Path) -> None:
    """A token is good at the service's URLs and audiences, and nobody else may have it."""
    evidence = gathered(google, tmp_path, endpoint=service, matrix="authentication", own="https://chat-x.a.run.app")
    row = evidence.handshakes.set_index("name").loc["id-token"]
    host = service.removeprefix("http://")
    assert row["status"] == "skipped"
    assert row["because"] == (
        f"no ID token: an ID token is not sent to {host}: the service has only https://chat-x.a.run.app"
    )


def test_the_same_checks_at_other_places(google: Any, service: str, tmp_path: Path) -> None:
    """The endpoint comes first and decides alone; then the service's own URL and each tag's, a few checks each."""
    told: list[Any] = []
    other = service.replace("127.0.0.1", "localhost")
    google.service.traffic_statuses = [
        {"revision": "chat-00001-abc", "percent": 100},
        {"revision": "chat-00002-def", "tag": "canary", "uri": other},
        {"revision": "chat-00002-def", "tag": "again", "uri": other},
        {"revision": "chat-00003-ghi", "tag": "dead", "uri": "http://127.0.0.1:9"},
    ]
    evidence = gathered(google, tmp_path, endpoint=service, own=f"{other}/", on_probe=lambda rows: told.append(rows))
    rows = evidence.handshakes
    few = ["health", "no-header-refused", "x-test-type"]
    assert [list(names) for _, names in rows.groupby("place", sort=False, observed=True)["name"]] == [
        [row["name"] for row in told[0]], few, few, ["health"],
    ]  # fmt: skip
    assert list(dict.fromkeys(rows["place"])) == ["endpoint", "service", "tag:canary", "tag:dead"]
    assert len(told) == 1
    assert list(evidence.endpoint_handshakes["name"]) == [row["name"] for row in told[0]]
    assert len(set(rows["probe_id"])) == len(rows)


def test_bypass_variables_are_judged_before_their_values_go(google: Any, make: Any, tmp_path: Path) -> None:
    """A value is a tag once it is redacted, and nobody can say then whether it could be guessed."""
    google.revisions = [
        make.revision(containers=[{"image": make.IMAGE, "env": [{"name": "E2E_TEST_KEY", "value": "e2e-2024"}]}]),
        make.revision("chat-00002-def", containers=[{"image": make.IMAGE}]),
    ]
    evidence = gathered(google, tmp_path, endpoint="http://127.0.0.1:9")
    facts = [json.loads(text) for text in evidence.revisions["bypass"]]
    assert facts[0]["E2E_TEST_KEY"].startswith("guessable: ")
    assert facts[1] == {}
    assert "e2e-2024" not in evidence.revisions.to_csv()


def test_a_proxy_that_was_passed_by_is_said(google: Any, tmp_path: Path) -> None:
    """Who can reach the world only by a proxy must know why the probe cannot; a proxy's password is nobody's."""
    environ = {"HTTP_PROXY": "http://user:pass@10.0.0.1:3128"}
    evidence = gathered(google, tmp_path, endpoint="http://127.0.0.1:9", environ=environ)
    assert evidence.notes == ("HTTP_PROXY is set and was not used: the probe connects directly",)


def test_no_secret_gets_in(google: Any, make: Any, service: str, tmp_path: Path) -> None:
    """A key is known as secret by its variable's name, and is then gone from every line that shows it."""
    google.revisions = [
        make.revision(containers=[{"image": make.IMAGE, "env": [
            {"name": "E2E_OAUTH_SIMULATION_KEY", "value": SECRET}, {"name": "E2E_TEST_ENV", "value": "staging"},
        ]}])
    ]  # fmt: skip
    google.entries = [
        make.entry("run.googleapis.com/stdout", "2025-09-07T10:00:01Z", text_payload=f"key={SECRET} env=staging"),
        make.request_entry("2025-09-07T10:00:02Z", request_url="https://c/ws?token=abcdef123456"),
    ]
    evidence = gathered(google, tmp_path, endpoint=service)
    save(evidence, tmp_path / "evidence")
    written = b"".join(file.read_bytes() for file in (tmp_path / "evidence").iterdir())
    texts = "\n".join(frame.to_csv() for frame in evidence.frames.values())
    assert SECRET not in texts
    assert "abcdef123456" not in texts
    assert SECRET.encode() not in written
    environment = json.loads(evidence.revisions["environment"][0])
    assert set(environment) == {"E2E_OAUTH_SIMULATION_KEY", "E2E_TEST_ENV"}
    assert environment["E2E_OAUTH_SIMULATION_KEY"] in evidence.logs["text"][0]
    assert evidence.logs["text"][0].endswith("env=staging")


def test_gaps_of_calls_and_of_frames(google: Any, service: str, tmp_path: Path) -> None:
    """A refused call and an empty frame that nobody vouches for are both gaps, each once."""
    google.faults["ListBuilds"] = grpc.StatusCode.PERMISSION_DENIED
    evidence = gathered(google, tmp_path, endpoint=service, end="2025-09-07T10:30:00Z")
    assert evidence.gap("builds").kind == "refused"
    google.entries = []
    google.faults.clear()
    evidence = gathered(google, tmp_path, start="-2h", end="-1h", endpoint="http://127.0.0.1:9")
    assert {gap.frame: gap.kind for gap in evidence.gaps} == {"logs": "empty"}


def test_a_time_without_a_zone_is_said(google: Any, tmp_path: Path) -> None:
    """A clock on the wall is rarely UTC: who reads the run must see how the time was taken."""
    evidence = gathered(google, tmp_path, start="2025-09-07T10:00", endpoint="http://127.0.0.1:9")
    assert evidence.notes == ("parameter 'start' is '2025-09-07T10:00': it names no time zone and was read as UTC",)


def whole_run(outputs: Path, run_id: str, evidence: Evidence | None = None, **summary: Any) -> Path:
    """An archived run of the scope of the tests."""
    folder = outputs / summary.pop("incident", "staging") / run_id
    folder.mkdir(parents=True)
    scope = {name: CLOUD[name] for name in ("project", "region", "service")} | summary.pop("scope", {})
    whole = {"run_id": run_id, "status": "failed", "finished": "2025-09-07T10:16:00Z", "checks": []} | summary
    (folder / "summary.json").write_text(json.dumps(whole | {"scope": scope}))
    (folder / "manifest.json").write_text("{}")
    if evidence is not None:
        save(evidence, folder / "evidence")
    return folder


def test_compared_with_the_newest_failed_run(google: Any, tmp_path: Path) -> None:
    """Before and after means: the last time that this service, in this incident, failed."""
    checks = [{"check": "health", "status": "failed"}]
    whole_run(tmp_path, "20250907T101500Z-0001")
    whole_run(tmp_path, "20250907T102000Z-0002", checks=checks)
    whole_run(tmp_path, "20250907T103000Z-0003", status="ok")
    whole_run(tmp_path, "20250907T104000Z-0004", scope={"service": "mail"})
    whole_run(tmp_path, "20250907T105000Z-0005", incident="other")
    (whole_run(tmp_path, "20250907T105500Z-0006") / "summary.json").write_text("{")
    before = gathered(google, tmp_path, endpoint="http://127.0.0.1:9", incident="staging").before
    assert before == {
        "run_id": "20250907T102000Z-0002", "status": "failed", "finished": "2025-09-07T10:16:00Z", "checks": checks,
    }  # fmt: skip
    named = gathered(google, tmp_path, endpoint="http://127.0.0.1:9", incident="staging", before="20250907T103000Z")
    assert named.before is not None
    assert named.before["status"] == "ok"


@pytest.fixture
def recording(tmp_path: Path, make: Any) -> Evidence:
    """A run's evidence, with a handshake that was recorded."""
    row = {"probe_id": "1f", "name": "health", "url": "https://chat-x.a.run.app/health"}
    logs = rows_frame("logs", [{"log_name": "a", "timestamp": make.START, "insert_id": "1", "text": "up"}])
    before = {"run_id": "20250907T090000Z-0000", "status": "failed", "finished": "", "checks": []}
    evidence = Evidence(make.SCOPE, NOW, {"logs": logs, "handshakes": rows_frame("handshakes", [row])}, before=before)
    whole_run(tmp_path, RUN, evidence.with_gaps())
    return evidence.with_gaps()


def test_a_recording_is_not_probed(recording: Evidence, tmp_path: Path) -> None:
    """Last year's logs are never mixed with today's production."""
    evidence = gather({"source": f"run:{RUN}"}, environ={}, outputs=tmp_path)
    assert list(evidence.handshakes["probe_id"]) == ["1f"]
    assert (evidence.scope, evidence.gaps, evidence.before) == (recording.scope, recording.gaps, recording.before)


@pytest.mark.usefixtures("recording")
def test_a_recording_with_an_endpoint(service: str, tmp_path: Path) -> None:
    """Who gives an endpoint asks for today's handshakes, in place of the recorded ones."""
    told: list[Any] = []
    evidence = gather({"source": f"run:{RUN}", "endpoint": service}, environ={}, outputs=tmp_path, on_probe=told.append)
    assert set(evidence.handshakes["http_status"]) == {503}
    assert (evidence.scope.endpoint, len(told)) == (service, 1)
    assert evidence.gap("handshakes") is None


def test_a_notebook_inside_a_run(recording: Evidence, tmp_path: Path) -> None:
    """Six notebooks of a run read the same evidence: nothing is asked again, whatever the source."""
    folder = tmp_path / "building"
    save(replace(recording, notes=("once",)), folder / "evidence")
    evidence = gather(CLOUD | {"run_dir": str(folder)}, environ={}, outputs=tmp_path)
    assert evidence.notes == ("once",)
    assert evidence.before == recording.before


def test_the_package_shows_it() -> None:
    """A notebook writes `incident.gather(...)`."""
    assert incident.gather is gather


@pytest.mark.parametrize(
    ("given", "environ", "message"),
    [
        (
            {"service": ""}, {},
            "parameter 'service' is empty: source 'cloud' needs it, give --service VALUE",
        ),
        (
            {"start": "-2hours"}, {},
            "parameter 'start' is '-2hours': give an ISO 8601 time or a relative one such as -2h, -30m, now",
        ),
        (
            {"start": "-1h", "end": "-2h"}, {},
            "the window is reversed: start 2025-09-07T10:00:00Z is not before end 2025-09-07T09:00:00Z; "
            "give an earlier --start or a later --end",
        ),
        (
            {"source": "pull:there"}, {},
            "'there' holds no pull: incident pull --to there makes one",
        ),
        (
            {"source": "analytics:p.d`; DROP"}, {},
            "parameter 'source' is 'analytics:p.d`; DROP': name a log bucket's linked dataset as "
            "analytics:PROJECT.DATASET, the dataset's name being letters, digits and _",
        ),
        (
            {"matrix": "e3e"}, {},
            "matrix 'e3e' is not known: use one of authentication, e2e, headers, origins, paths, or a path to a .yaml",
        ),
        (
            {}, {"INCIDENT_GCP_ENDPOINT": "10.0.0.5:80"},
            "INCIDENT_GCP_ENDPOINT is '10.0.0.5:80': only a stand-in on loopback is allowed, such as 127.0.0.1:8085; "
            "unset it to use Google Cloud",
        ),
        (
            {}, {"BIGQUERY_EMULATOR_HOST": "http://bigquery.example:80"},
            "BIGQUERY_EMULATOR_HOST is 'http://bigquery.example:80': only a stand-in on loopback is allowed, such as "
            "http://127.0.0.1:9050; unset it to use Google Cloud",
        ),
        ({"before": "2024"}, {}, f"run '2024' is not known: use latest, or {RUN}"),
        (
            {"before": RUN, "service": "mail"}, {},
            f"run '{RUN}' is of my-project/us-central1/chat, this one is of my-project/us-central1/mail: "
            "give --before a run of the same service",
        ),
        ({"source": "run:2024"}, {}, f"run '2024' is not known: use latest, or {RUN}"),
    ],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, given: dict[str, str], environ: dict[str, str], message: str) -> None:
    """All that is wrong at the keyboard is said before any call, and before any kernel, by both ways in."""
    whole_run(tmp_path, RUN)
    for way_in in (check, gather):
        with pytest.raises(UsageError) as refused:
            way_in(CLOUD | given, environ=environ, outputs=tmp_path, now=lambda: NOW)
        assert str(refused.value) == message

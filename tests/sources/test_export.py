"""Exports: the drill's evidence as gcloud writes it gives the live run's answer, and what is missing is said."""

import asyncio
import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from incident.answer import summary
from incident.cli import main
from incident.drill import gcloud_files, lql
from incident.drill.box import Box
from incident.drill.client import make_requests
from incident.drill.gcloud_files import as_array, as_gzip, as_lines, documents, write
from incident.drill.scenario import load_scenario
from incident.drill.steps import Build, Deploy, Requests
from incident.evidence import Evidence, save
from incident.findings import UsageError
from incident.scope import Parameters, rfc3339
from incident.sources.cloud import Pulled
from incident.sources.export import exported
from incident.sources.export_files import FILES, command
from incident.sources.export_scope import service_of
from incident.sources.gather import check, gather
from incident.sources.matrices import probe_document

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
STAGING = load_scenario("staging")
SCOPE = {"project": STAGING.project, "region": STAGING.region, "service": STAGING.service}
SECRET = "staging_e2e_key_2024"
E2E = {"E2E_TEST_ENV": "staging", "E2E_OAUTH_SIMULATION_KEY": SECRET, "STAGING_E2E_TEST": "1"}
BROKEN, GOOD = f"{STAGING.service}-00139-rap", f"{STAGING.service}-00140-vix"


@dataclass(frozen=True)
class Played:
    """A play of the drill: what a live run says of it, and what gcloud would have written, in both forms."""

    live: dict[str, Any]
    files: dict[str, dict[str, Any]]


async def play(tmp_path: Path, *revisions: tuple[str, str, int]) -> Played:
    """Deploy each revision of an image, with as many requests of each kind; then the live run, and the files."""
    async with Box(STAGING) as box:
        start = rfc3339(pd.Timestamp.now("UTC"))
        for name, image, count in revisions:
            box.build(Build(image, f"{len(name):040x}"))
            await box.deploy(Deploy(name, image, "ada@example.com", E2E))
            counts = dict.fromkeys(STAGING.requests, count)
            await make_requests(box.url, STAGING.requests, Requests(counts, {}, clients=1))
        await box.frontend.idle()
        asked, rows = SCOPE | {"source": "cloud", "start": start, "endpoint": box.url}, []
        environ = {"INCIDENT_GCP_ENDPOINT": box.address}
        live = await asyncio.to_thread(gather, asked, environ=environ, outputs=tmp_path, on_probe=rows.extend)
        await box.frontend.idle()
        probed = {"handshakes": probe_document(rows)}
        return Played(summary(live), {form: documents(box, form) | probed for form in ("v1", "v2")})


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """End-to-end handshakes refused, then a revision that dies while it is imported."""
    images = ((f"{STAGING.service}-00137-mel", "baseline", 10), (BROKEN, "header-detection-broken", 2))
    return asyncio.run(play(tmp_path_factory.mktemp("broken"), *images))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One revision that opens every socket."""
    return asyncio.run(play(tmp_path_factory.mktemp("healthy"), (GOOD, "header-detection", 3)))


def settle(folder: Path, seconds: int = 600) -> None:
    """Date the files some minutes after what they hold: an export that was not made in the very minute."""
    for file in folder.iterdir():
        os.utime(file, (later := file.stat().st_mtime + seconds, later))


def gathered(folder: Path, **parameters: str) -> Evidence:
    """The evidence of an export, asked for as the live run was, unless a parameter says otherwise."""
    asked = {"source": f"export:{folder}"} | SCOPE | parameters
    return gather(asked, environ={}, outputs=folder / "none")


def pulled(folder: Path) -> Pulled:
    """What the folder holds, with its own gaps alone, before redaction."""
    return exported(Parameters.read({"source": f"export:{folder}"} | SCOPE)).pulled


def without_window(found: dict[str, Any]) -> dict[str, Any]:
    """A summary without what follows from its window alone: an export does not say from when to when it was asked for.

    These are `scope.start`, `scope.end`, and the words of a window that has not settled: another run does not mend it.
    """
    scope = {name: text for name, text in found["scope"].items() if name not in ("start", "end")}
    gaps = [(gap["frame"], gap["kind"], *_words(gap)) for gap in found["gaps"]]
    unsettled = [gap for gap in found["gaps"] if gap["kind"] == "unsettled"]
    return found | {"scope": scope, "gaps": gaps, "causes": _without(found["causes"], unsettled)}


def _without(causes: list[dict[str, Any]], unsettled: list[dict[str, str]]) -> Any:
    """The causes, with the words of such a window taken out of those that could not be decided for it."""
    text = json.dumps(causes)
    for gap in unsettled:
        for words in (gap["reason"], gap["remedy"]):
            text = text.replace(json.dumps(words)[1:-1], "unsettled")
    return json.loads(text)


def _words(gap: dict[str, str]) -> tuple[str, ...]:
    """What a gap says, unless it is of a window's last moments."""
    return () if gap["kind"] == "unsettled" else (gap["reason"], gap["remedy"])


@pytest.mark.parametrize(
    ("form", "printed", "end"),
    [
        ("v1", as_array, "json"),
        ("v2", as_array, "json"),
        ("v1", as_lines, "json"),
        ("v2", as_gzip, "json.gz"),
        ("v1", as_gzip, "json"),
    ],
)
def test_the_same_answer_as_the_live_run(
    broken: Played, tmp_path: Path, form: str, printed: Callable[[Any], bytes], end: str
) -> None:
    """Whoever may not read the project gets the same answer from files, down to each nanosecond and count."""
    write(broken.files[form], tmp_path, printed, end)
    found = summary(gathered(tmp_path))
    assert without_window(found) == without_window(broken.live)
    assert (found["status"], found["causes"][0]["cause"]) == ("failed", "startup-exception")
    assert found["notes"] == []


def test_oldest_first_and_twice_the_same(broken: Played, tmp_path: Path) -> None:
    """gcloud gives either order, and two overlapping exports in one file give entries twice: neither is evidence."""
    logs = broken.files["v1"]["logs"]
    write(broken.files["v1"], tmp_path)
    (tmp_path / "logs.json").write_bytes(as_array(logs[::-1]) + as_array(logs[:50]))
    assert without_window(summary(gathered(tmp_path))) == without_window(broken.live)


def test_every_column_is_the_same_in_both_forms(broken: Played, tmp_path: Path) -> None:
    """v1 differs from v2 where it has no field: when the service changed, and what a ready revision says."""
    for form in ("v1", "v2"):
        write(broken.files[form], tmp_path / form)
    one, two = (gathered(tmp_path / form) for form in ("v1", "v2"))
    differing = {
        (name, column)
        for name, frame in one.frames.items()
        for column in frame
        if not frame[column].astype("str").equals(two.frames[name][column].astype("str"))
    }
    redacted = {("revisions", "environment"), ("audit", "request"), ("audit", "response"), ("logs", "text")}
    redacted |= {("logs", "http_request_url")}
    assert differing - redacted == {("service", "update_time"), ("revisions", "ready_message"), ("traffic", "time")}
    for name, column in redacted - {("revisions", "environment")}:
        tags = [
            frame.frames[name][column].astype("str").str.replace(r"\[redacted:\w+\]", "", regex=True)
            for frame in (one, two)
        ]
        assert tags[0].equals(tags[1])


def test_a_healthy_service(healthy: Played, tmp_path: Path) -> None:
    """Nothing is named where nothing is wrong, and `ok` needs no access to the project."""
    for form in ("v1", "v2"):
        write(healthy.files[form], tmp_path / form)
        found = summary(gathered(tmp_path / form))
        assert found["status"] == "ok"
        assert [cause["cause"] for cause in found["causes"] if cause["status"] == "failed"] == []
        assert {check["status"] for check in found["checks"]} <= {"ok", "skipped"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("logs", "uncertain"), ("revisions", "uncertain"), ("service", "uncertain"),
        ("builds", "ok"), ("iam", "ok"), ("handshakes", "ok"),
    ],
)  # fmt: skip
def test_a_file_is_missing(healthy: Played, tmp_path: Path, kind: str, status: str) -> None:
    """Still a report, with the gap and the line that mends it; `uncertain` where the verdict rests on the file."""
    write({name: held for name, held in healthy.files["v1"].items() if name != kind}, tmp_path)
    settle(tmp_path)
    evidence = gathered(tmp_path)
    found = summary(evidence)
    assert found["status"] == status
    url = evidence.scope.endpoint or "URL"
    remedy = command(kind, *SCOPE.values(), tmp_path, url)
    remedy += ", or give --endpoint URL to probe it now" if kind == "handshakes" else ""
    gaps = [
        {"frame": frame, "reason": f"the export holds no {kind}.json", "remedy": remedy, "kind": "absent"}
        for frame in FILES[kind]
    ]
    assert [gap for gap in found["gaps"] if gap["frame"] in FILES[kind]] == gaps
    assert {gap["frame"] for gap in found["gaps"]} - set(FILES[kind]) <= {"builds"}


def test_a_remedy_can_be_pasted(tmp_path: Path) -> None:
    """A filter has quotes and a folder may have spaces: the shell must see one word of each."""
    words = shlex.split(command("logs", *SCOPE.values(), tmp_path / "an export"))
    assert words[:3] == ["gcloud", "logging", "read"]
    assert words[-2:] == [">", str(tmp_path / "an export" / "logs.json")]
    assert lql.parse(words[3])


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("logs", b"", "logs.json is empty"),
        ("logs", b"ERROR: (gcloud.logging.read) PERMISSION_DENIED", "logs.json is not JSON at character 0"),
        ("logs", b'{"entries": []}', "logs.json: none of its 1 values is of service {service}"),
        ("logs", b"[1, null]", "logs.json: 2 of 2 values could not be read, the first is number 1: it has a wrong shape"),
        ("service", b"{}", "service.json: none of its 1 values is of service {service}"),
        ("revisions", b"\x00\x01\x02", "revisions.json is not JSON at character 0"),
        ("builds", b'[{"id": 5}]', "builds.json: 1 of 1 values could not be read, the first is number 1: id has a wrong value"),
        ("iam", b'{"error": 403}',
         "iam.json: 1 of 1 values could not be read, the first is number 1: it has neither bindings nor an etag"),
        ("iam", b"\x1f\x8b\x08\x00\xff\xff", "iam.json was cut: its gzip data has no end"),
        ("handshakes", b'{"schema": 1, "handshakes": []}', "handshakes.json holds no handshake"),
        ("handshakes", b'{"schema": 1, "handshakes": [{"name": "a"}]}',
         "handshakes.json: 1 of 1 values could not be read, the first is number 1: it has a wrong shape"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_should_be(
    healthy: Played, tmp_path: Path, kind: str, content: bytes, reason: str
) -> None:
    """An error message in place of the data, a wrong command's output: the run names the file and what is wrong."""
    write(healthy.files["v1"], tmp_path)
    (tmp_path / f"{kind}.json").write_bytes(content)
    whose = f"{STAGING.service!r} in {STAGING.region}, project {STAGING.project!r}"
    assert [gap.reason for gap in pulled(tmp_path).gaps if gap.frame == kind] == [reason.format(service=whose)]


@pytest.mark.parametrize("kind", ["logs", "revisions"])
def test_an_empty_list_may_be_a_wrong_filter(healthy: Played, tmp_path: Path, kind: str) -> None:
    """gcloud prints an empty list for a name with a typing error: nobody vouches that there is nothing."""
    write(healthy.files["v1"] | {kind: []}, tmp_path)
    gap = gathered(tmp_path).gap(kind)
    assert gap is not None
    assert gap.reason == f"no {kind} came, and no source says that there are none"


def test_a_file_that_was_cut(healthy: Played, tmp_path: Path) -> None:
    """A full disk or a closed terminal ends a file anywhere: what came before is kept, plain and packed."""
    write(healthy.files["v1"], tmp_path)
    whole = len(pulled(tmp_path).frames["logs"])
    for printed in (as_array, as_lines, as_gzip):
        content = printed(healthy.files["v1"]["logs"])
        (tmp_path / "logs.json").write_bytes(content[: len(content) * 2 // 3])
        came = pulled(tmp_path)
        reasons = {gap.frame: gap.reason for gap in came.gaps}
        assert list(reasons) == ["logs", "audit"]
        assert re.fullmatch(r"logs\.json was cut: .* has no end; \d+ values came before", reasons["logs"])
        assert whole / 3 < len(came.frames["logs"]) < whole
    assert summary(gathered(tmp_path))["status"] == "uncertain"


def test_a_directory_in_place_of_a_file(healthy: Played, tmp_path: Path) -> None:
    """An archive unpacked wrongly is no reason to give up the rest."""
    write(healthy.files["v1"], tmp_path)
    (tmp_path / "iam.json").unlink()
    (tmp_path / "iam.json").mkdir()
    settle(tmp_path)
    assert [gap.reason for gap in pulled(tmp_path).gaps] == ["iam.json is a directory, where a file is due"]


def entry(**changes: Any) -> dict[str, Any]:
    """An entry as gcloud prints one, of the service of these tests."""
    labels = {"project_id": "p", "location": STAGING.region, "service_name": STAGING.service, "revision_name": GOOD}
    made = {
        "logName": f"projects/{STAGING.project}/logs/run.googleapis.com%2Fstderr",
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "timestamp": "2025-09-07T10:00:00.123456789Z", "insertId": "a", "textPayload": "up",
    }  # fmt: skip
    return made | changes


def logs_of(tmp_path: Path, *logs: Any) -> Evidence:
    """The evidence of an export that has entries alone."""
    (tmp_path / "logs.json").write_text(json.dumps(list(logs)))
    return gathered(tmp_path)


def test_an_entry_keeps_what_its_columns_hold(tmp_path: Path) -> None:
    """Nine digits of a second, sizes as text, a latency as text, fields that no client knows, an unknown payload."""
    request = {"requestMethod": "GET", "requestSize": "327", "status": 503, "latency": "3.786648988s", "shiny": 1}
    unknown = {"@type": "type.googleapis.com/google.appengine.logging.v1.RequestLog"}
    evidence = logs_of(
        tmp_path,
        entry(httpRequest=request, errorGroups=[{"id": "x"}], apphub={"a": {}}, severity="SHINY"),
        entry(insertId="b", protoPayload=unknown),
    )
    row = evidence.logs.iloc[0]
    assert row["timestamp"] == pd.Timestamp("2025-09-07T10:00:00.123456789Z")
    assert (row["http_request_latency"], row["http_request_status"]) == (3.786648988, 503)
    assert list(evidence.logs["insert_id"]) == ["a", "b"]
    assert evidence.scope.end == pd.Timestamp("2025-09-07T10:00:00.123456790Z")
    assert [gap for gap in evidence.gaps if gap.frame == "logs"] == []


def test_audit_entries_with_packed_details(tmp_path: Path) -> None:
    """What a method packs beside the entry has types that nobody here knows: the entry is still read."""
    packed = {"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": {}}
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "methodName": "SetIamPolicy", "serviceData": packed,
        "status": {"code": 7, "message": "denied", "details": [packed]}, "request": {"@type": "x", "a": 1}, "later": {},
    }  # fmt: skip
    log = f"projects/{STAGING.project}/logs/cloudaudit.googleapis.com%2Factivity"
    made = {name: part for name, part in entry(logName=log, protoPayload=payload).items() if name != "textPayload"}
    row = logs_of(tmp_path, made).audit.iloc[0]
    assert (row["method_name"], row["status_code"], row["status_message"]) == ("SetIamPolicy", 7, "denied")
    assert json.loads(row["request"]) == {"@type": "x", "a": 1}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"timestamp": None}, "it has no logName or no timestamp"),
        ({"timestamp": "yesterday"}, "timestamp has a wrong value"),
        ({"timestamp": "9999-12-31T00:00:00Z"}, "it has a time that no clock shows"),
        ({"httpRequest": {"status": "staging_e2e_key_2024"}}, "httpRequest.status has a wrong value"),
        ({"textPayload": "\ud800"}, "it has a wrong shape"),
        ({"labels": {"a": []}}, "labels has a wrong value"),
    ],
)
def test_an_entry_that_cannot_be_read(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    """One bad entry costs itself alone, is counted, and shows nothing of what is in it."""
    evidence = logs_of(tmp_path, entry(insertId="b"), entry(**changes), entry(insertId="c"))
    assert list(evidence.logs["insert_id"]) == ["b", "c"]
    gap = evidence.gap("logs")
    assert gap is not None
    assert gap.reason == f"logs.json: 1 of 3 values could not be read, the first is number 2: {why}"


@pytest.mark.parametrize("window", [{}, {"start": "2025-09-07T09:59:59Z"}])
def test_an_export_made_too_early(tmp_path: Path, window: dict[str, str]) -> None:
    """To run again reads the same files: only another export has what arrived after this one, whatever the window."""
    first = entry(insertId="0", timestamp="2025-09-07T09:50:00Z")
    last = entry(receiveTimestamp="2025-09-07T10:00:01Z")
    (tmp_path / "logs.json").write_text(json.dumps([first, last]))
    os.utime(tmp_path / "logs.json", (early := pd.Timestamp("2025-09-07T10:00:10Z").timestamp(), early))
    unsettled = [gap for gap in gathered(tmp_path, **window).gaps if gap.kind == "unsettled"]
    assert [(gap.frame, gap.remedy) for gap in unsettled] == [
        ("logs", "export again after 2025-09-07T10:01:00.12345679Z, and run with --end 2025-09-07T10:00:00.12345679Z")
    ]
    earlier = gathered(tmp_path, end="2025-09-07T09:55:00Z")
    assert [gap for gap in earlier.gaps if gap.kind == "unsettled"] == [], "a window that had settled lacks nothing"


@pytest.mark.parametrize("printed", [as_array, as_lines])
def test_one_that_cannot_be_read_among_many(tmp_path: Path, printed: Callable[[Any], bytes]) -> None:
    """Entries are read thousands at a time: a bad one must not cost its neighbours, nor be counted at their place."""
    logs = [entry(insertId=f"{number:05d}") for number in range(5000)]
    logs[1234] |= {"httpRequest": {"status": "503", "latency": "1.5s"}}  # a number as text, which protobuf takes
    logs[2345] |= {"labels": {"a": []}}
    logs[4321] |= {"timestamp": "yesterday"}
    logs[4500] |= {"logName": f"projects/{STAGING.project}/logs/another"}
    write({"logs": logs}, tmp_path, printed)
    came = pulled(tmp_path)
    ids = [f"{number:05d}" for number in range(5000) if number not in (2345, 4321, 4500)]
    assert list(came.frames["logs"]["insert_id"]) == ids
    assert came.frames["logs"].iloc[1234][["http_request_status", "http_request_latency"]].tolist() == [503, 1.5]
    reason = "logs.json: 2 of 5000 values could not be read, the first is number 2346: labels has a wrong value"
    assert [gap.reason for gap in came.gaps if gap.frame == "logs"] == [reason]


def test_entries_of_others_are_passed_over(tmp_path: Path) -> None:
    """An export of a whole project holds its other services too, and they are not this incident."""
    other = {"type": "cloud_run_revision", "labels": {"location": STAGING.region, "service_name": "mail"}}
    job = {"type": "cloud_run_job", "labels": {}}
    log = f"projects/{STAGING.project}/logs/run.googleapis.com%2Fother"
    evidence = logs_of(tmp_path, entry(resource=other), entry(resource=job), entry(logName=log), entry(insertId="mine"))
    assert list(evidence.logs["insert_id"]) == ["mine"]


def test_split_entries_are_one_again(tmp_path: Path) -> None:
    """A traceback over 256 KiB comes in parts, in any order; a rule that reads one part would not know it."""
    parts = [
        entry(insertId=f"a-{number}", textPayload=text, split={"uid": "u", "index": number, "totalSplits": 3})
        for number, text in enumerate(["Trace", "back", " (most"])
    ]
    (row,) = logs_of(tmp_path, *parts[::-1]).logs.to_dict("records")
    assert (row["text"], row["insert_id"]) == ("Traceback (most", "a-0")
    (row,) = logs_of(tmp_path, parts[2], parts[0]).logs.to_dict("records")
    assert row["text"] == "Trace[…] (most"
    (gap,) = [gap for gap in pulled(tmp_path).gaps if gap.frame == "logs"]
    assert gap.reason == "1 of 1 entries that were too large and were split came without some of their parts"
    assert gap.remedy == command("logs", *SCOPE.values(), tmp_path)
    (row,) = logs_of(tmp_path, parts[1]).logs.to_dict("records")
    assert row["text"] == "[…]back[…]"


def test_no_secret_of_the_files_gets_in(broken: Played, tmp_path: Path) -> None:
    """The files hold environment values and tokens as they are; a run keeps none, in any frame or file."""
    write(broken.files["v1"], tmp_path / "export")
    assert SECRET.encode() in (tmp_path / "export" / "revisions.json").read_bytes()
    evidence = gathered(tmp_path / "export")
    save(evidence, tmp_path / "evidence")
    frames = {name: frame.to_csv() for name, frame in evidence.frames.items()}
    for secret in (SECRET, "u7f3a9c21e5"):
        assert [name for name, text in frames.items() if secret in text] == []
        assert secret.encode() not in b"".join(file.read_bytes() for file in (tmp_path / "evidence").iterdir())


def test_the_files_say_whose_they_are(broken: Played, tmp_path: Path) -> None:
    """Nobody types what the files say, and the run says that it was read there."""
    write(broken.files["v1"], tmp_path)
    for left_out in ((), ("revisions",), ("service", "revisions", "builds")):
        for kind in left_out:
            (tmp_path / f"{kind}.json").unlink(missing_ok=True)
        where, notes = service_of(Parameters.read({"source": f"export:{tmp_path}"}))
        assert where == tuple(SCOPE.values())
        assert notes == [
            f"service '{STAGING.service}', region 'us-central1', project 'drill-project': "
            f"read from the files of export:{tmp_path.name}"
        ]
    evidence = gather({"source": f"export:{tmp_path}", "region": STAGING.region}, environ={}, outputs=tmp_path)
    assert evidence.notes == (notes[0].replace(" region 'us-central1',", ""),)


def test_windows_count_from_the_newest_entry(healthy: Played, tmp_path: Path) -> None:
    """Everything without a window; with a relative one, the last part of what was exported, whatever the day."""
    write(healthy.files["v2"], tmp_path)
    whole = gathered(tmp_path)
    newest = max(whole.logs["timestamp"].max(), whole.audit["timestamp"].max())
    part = gathered(tmp_path, start="-1s")
    assert whole.scope.start == min(whole.logs["timestamp"].min(), whole.audit["timestamp"].min())
    assert part.scope.start == newest + pd.Timedelta(1, "ns") - pd.Timedelta("1s")
    assert 0 < len(part.logs) < len(whole.logs)


def test_probed_now_only_when_asked(healthy: Played, tmp_path: Path) -> None:
    """Last year's logs are never mixed with today's production, unless an endpoint is given."""
    write(healthy.files["v1"], tmp_path)
    recorded, now = gathered(tmp_path), gathered(tmp_path, endpoint="http://127.0.0.1:9")
    assert set(recorded.handshakes["verdict"].dropna()) == {"accepted", "refused"}
    assert set(recorded.handshakes["revision_name"]) == {GOOD}
    assert set(now.handshakes["verdict"].dropna()) == {"unreachable"}


def test_who_serves_may_move_during_a_deploy(healthy: Played, tmp_path: Path) -> None:
    """An export made while a deploy went on shows traffic that was about to change."""
    write(healthy.files["v1"], tmp_path)
    service = json.loads((tmp_path / "service.json").read_text())
    service["status"]["observedGeneration"] -= 1
    (tmp_path / "service.json").write_text(json.dumps(service))
    gap = gathered(tmp_path).gap("traffic")
    assert gap is not None
    assert gap.reason == f"service {STAGING.service!r} was being changed: its traffic statuses may have moved since"


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        (None, {}, "source 'export:DIR': there is no folder 'DIR'; give one that holds logs.json, service.json, "
                   "revisions.json, builds.json, iam.json, handshakes.json"),
        ({"other": []}, {}, "source 'export:DIR': folder 'DIR' holds none of logs.json, service.json, revisions.json, "
                            "builds.json, iam.json, handshakes.json; docs/export.md has the commands that write them"),
        ({"logs": [], "logs.json": []}, {}, "folder 'DIR' holds logs.json and logs.json.gz: keep the one that is meant"),
        ({"builds": []}, {"project": "", "region": "", "service": ""},
         "parameter 'service' is empty, and no file of export:DIR says it: give --service VALUE"),
        ({"logs": [entry(), entry(resource={"type": "cloud_run_revision", "labels": {"service_name": "mail"}})]},
         {"service": ""},
         f"parameter 'service' is empty, and logs.json holds '{STAGING.service}', 'mail': give --service VALUE"),
        ({"service": {"name": "projects/drill-project/locations/us-central1/services/chat"}}, {"service": "mail"},
         "parameter 'service' is 'mail': service.json of export:DIR holds 'chat'"),
        ({"logs": [entry()]}, {"start": "2024-01-01", "end": "2024-01-02"},
         "the window 2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z lies outside export:DIR, which holds "
         "2025-09-07T10:00:00.123456789Z to 2025-09-07T10:00:00.12345679Z"),
        ({"service": {"name": "projects/drill-project/locations/us-central1/services/a\x1bb"}}, {"service": ""},
         "parameter 'service' is 'a\\x1bb': a service's name is a-z, 0-9 and -, and starts with a letter"),
    ],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, files: dict[str, Any] | None, given: dict[str, str], message: str) -> None:
    """What only another command line or another folder mends is said before any kernel starts."""
    folder = tmp_path / "DIR"
    for name, held in (files or {}).items():
        write({name: held}, folder, end="json.gz" if name == "logs.json" else "json")
    if files and "logs.json" in files:
        (folder / "logs.json.json.gz").rename(folder / "logs.json.gz")
    with pytest.raises(UsageError) as refused:
        check(SCOPE | {"source": f"export:{folder}"} | given, environ={}, outputs=tmp_path)
    assert str(refused.value).replace(str(folder), "DIR") == message


def commands(page: str) -> list[list[str]]:
    """The words of each command in a page's code blocks."""
    lines = [
        line for block in re.findall(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE) for line in block.splitlines()
    ]
    return [shlex.split(line) for line in lines]


def test_the_page_has_the_commands_that_the_gaps_print() -> None:
    """One line for a file, wherever it is read: on the page before, or in the gap afterwards."""
    folder = Path("export")
    for kind in FILES:
        assert command(kind, "PROJECT", "REGION", "SERVICE", folder, "https://URL") in PAGE.splitlines()


def test_the_page_s_filters_and_commands_are_sound() -> None:
    """Whoever pastes a line at three in the morning must not find that it was never tried."""
    found = commands(PAGE)
    filters = [words[3] for words in found if words[:3] == ["gcloud", "logging", "read"]]
    assert len([lql.parse(text) for text in filters]) == 1
    ours = [words for words in found if words[0] == "incident"]
    assert [words[1] for words in ours] == ["probe", "run"]
    for words in ours:
        known = {name for parameter in main.commands[words[1]].params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_the_page_s_filter_takes_what_the_source_reads(broken: Played) -> None:
    """The filter that people are given must let through every entry that an answer rests on."""
    from google.cloud.logging_v2.types import LogEntry
    from google.protobuf import json_format

    words = shlex.split(command("logs", *SCOPE.values(), Path("export")))
    wanted = lql.parse(words[3])
    logs = broken.files["v1"]["logs"]
    read = [json_format.ParseDict(made, LogEntry.pb()(), ignore_unknown_fields=True) for made in logs]
    assert len([made for made in read if wanted(made)]) == len(logs) > 100


def test_the_written_entries_have_fields_that_clients_refuse(broken: Played) -> None:
    """A stand-in more regular than Google would prove nothing of the reading."""
    assert set(gcloud_files.UNKNOWN_TO_CLIENTS) <= {name for made in broken.files["v1"]["logs"] for name in made}

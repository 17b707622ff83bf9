"""`incident pull` as a person and a scheduler meet it: what is printed, exit codes, and the source that it makes."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner

from incident import platform
from incident.cli import main
from incident.cli.pull_progress import EVERY, Progress
from incident.drill.entries import LogStore, container_entry
from incident.drill.google_apis import GoogleApis
from incident.drill.scenario import load_scenario
from incident.drill.service import Service
from incident.scope import Parameters
from incident.sources.gather import gather
from incident.sources.pull_windows import Snapshot

START = 1_757_239_200_000_000_000  # 2025-09-07T10:00:00Z
COUNT = 2500


@pytest.fixture(scope="module")
def store() -> LogStore:
    """2,500 lines in an hour."""
    held, service = LogStore(), Service(load_scenario("staging"))
    for n in range(COUNT):
        origin = service.origin().at(revision="chat-00001-abc")
        held.add(container_entry(origin, platform.STDERR, f"line {n}", "DEFAULT", START + n * 1_400_000_001))
    return held


@pytest.fixture
def apis(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Google's APIs of the drill, which the command line finds by the environment."""
    with GoogleApis(store, Service(load_scenario("staging"))) as running:
        monkeypatch.setenv("INCIDENT_GCP_ENDPOINT", running.address)
        yield running


def words(apis: GoogleApis, folder: Path, *more: str) -> list[str]:
    """The command line of a pull of the hour."""
    service = apis.service
    where = ["--project", service.project, "--region", service.region, "--service", service.name]
    window = ["--start", "2025-09-07T10:00:00Z", "--end", "2025-09-07T11:00:00Z"]
    return ["pull", "--to", str(folder), "--what", "logs", *where, *window, *more]


def invoke(*given: str) -> tuple[int, str, str]:
    """The exit code, and what was printed on standard output and on standard error."""
    result = CliRunner().invoke(main, list(given))
    return result.exit_code, result.stdout, result.stderr


def test_whole(apis: GoogleApis, tmp_path: Path) -> None:
    """Three pages, three queries, an empty page before each, and one call for the revisions, whose secrets are not for the log."""
    code, out, err = invoke(*words(apis, tmp_path / "p"))
    assert (code, err) == (0, "")
    assert out == f"pulled 2,500 entries with 9 calls, whole: pull:{tmp_path / 'p'}\n"
    assert apis.calls == {"ListLogEntries": 3 + 5, "ListRevisions": 1}, (
        "ceil(2500 / 1000), one each for the two others, three empty ones"
    )
    logs = gather({"source": f"pull:{tmp_path / 'p'}"}, environ={}, outputs=tmp_path).logs
    assert list(logs["text"]) == [f"line {n}" for n in range(COUNT)]
    assert logs["timestamp"].iloc[1].nanosecond == 1


def test_with_gaps(apis: GoogleApis, tmp_path: Path) -> None:
    """What is missing is printed with the command that mends it, and is no success to a scheduler."""
    apis.permissions.denied.add("logging.logEntries.list")
    code, out, _ = invoke(*words(apis, tmp_path / "p"))
    assert code == 4
    assert out.splitlines()[0] == f"pulled 0 entries with 4 calls, with 2 gaps: pull:{tmp_path / 'p'}"
    assert out.splitlines()[3:] == [
        "gap on logs: reading logs of project 'drill-project' was refused (403): logging.logEntries.list is needed",
        "    to mend it: grant roles/logging.viewer to MEMBER, which is user:EMAIL or serviceAccount:EMAIL: "
        "gcloud projects add-iam-policy-binding drill-project --member=MEMBER --role=roles/logging.viewer "
        "--condition=None",
    ]


def test_json(apis: GoogleApis, tmp_path: Path) -> None:
    """A scheduler reads what came, what it cost and what is missing of it."""
    code, out, _ = invoke(*words(apis, tmp_path / "p", "--max-entries", "1500", "--json"))
    document = json.loads(out)
    assert (code, document["schema"], document["entries"]) == (4, 1, 1500)
    assert [gap["kind"] for gap in document["gaps"]] == ["capped"] * 3
    assert document["calls"] == sum(query["calls"] for query in document["queries"]) == sum(apis.calls.values())
    assert document["gaps"][0]["reason"] == (
        "--max-entries 1500 was reached: other entries of stderr before 2025-09-07T10:23:20.000001Z are missing, "
        "about 950"
    )


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_every_third_call_fails(apis: GoogleApis, tmp_path: Path, code: grpc.StatusCode) -> None:
    """The same answer from an API that is not well, and the quota that its refusals state."""
    quota = {"quota_limit": "ReadRequestsPerMinutePerProject", "quota_limit_value": "1200"}
    said = {"reason": "RATE_LIMIT_EXCEEDED", **quota} if code is grpc.StatusCode.RESOURCE_EXHAUSTED else {}
    apis.fault("ListLogEntries", code, "not now", every=3, **said)
    code, out, _ = invoke(*words(apis, tmp_path / "p"))
    assert (code, out.split(",")[0:2]) == (0, ["pulled 2", "500 entries with 12 calls"])
    logs = gather({"source": f"pull:{tmp_path / 'p'}"}, environ={}, outputs=tmp_path).logs
    assert list(logs["text"]) == [f"line {n}" for n in range(COUNT)]


@pytest.mark.parametrize(("more", "message"), [
    (["--what", "logs,log"], "--what holds 'log': use logs, service, revisions, builds, iam, with commas between them"),
    (["--service", "other"], "parameter 'service' is given twice, as 'drill-service' and as 'other': keep one"),
    (["--max-calls", "none"],
     "parameter 'max_calls' is 'none': give a whole number above 0, or leave it empty: there is no limit then"),
])  # fmt: skip
def test_wrong_usage(apis: GoogleApis, tmp_path: Path, more: list[str], message: str) -> None:
    """Wrong usage is one line, before anything is asked or written."""
    message = message.replace("drill-service", apis.service.name)
    assert invoke(*words(apis, tmp_path / "p", *more)) == (2, "", f"incident: {message}\n")
    assert (apis.calls, list(tmp_path.iterdir())) == ({}, [])


def test_interrupted(apis: GoogleApis, tmp_path: Path) -> None:
    """Whoever ends a pull learns that nothing is lost, and how to go on; and that is so."""
    for _ in range(58):  # the quota of a minute is nearly used up, so that the pull waits
        apis.calls.clear()
    apis.fault("ListLogEntries", grpc.StatusCode.UNAVAILABLE, "not now")
    command = [sys.executable, "-m", "incident", *words(apis, tmp_path / "p")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        while apis.calls.get("ListLogEntries", 0) < 2:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines() == [
        "incident: interrupted: waiting for calls that are under way, 30 s at most",
        f"incident: interrupted: what came is kept in {str(tmp_path / 'p')!r}, the same command goes on",
    ]
    apis.mend("ListLogEntries")
    assert invoke(*words(apis, tmp_path / "p"))[0] == 0


def test_a_token_that_expired(apis: GoogleApis, tmp_path: Path) -> None:
    """A pull that was left for a day goes on from its last entry, with no entry lost and none twice."""
    apis.fault("ListLogEntries", grpc.StatusCode.PERMISSION_DENIED, "no", every=7)
    assert invoke(*words(apis, tmp_path / "p"))[0] == 4
    apis.mend("ListLogEntries")
    apis.expire_tokens()
    assert invoke(*words(apis, tmp_path / "p"))[0] == 0
    evidence = gather({"source": f"pull:{tmp_path / 'p'}"}, environ={}, outputs=tmp_path)
    assert list(evidence.logs["text"]) == [f"line {n}" for n in range(COUNT)]


def test_a_run_reads_it(apis: GoogleApis, tmp_path: Path) -> None:
    """Relative times count from the newest entry, as of every recording; an unknown folder is named."""
    invoke(*words(apis, tmp_path / "p"))
    parameters = Parameters.read({"source": f"pull:{tmp_path / 'p'}", "start": "-1m"})
    evidence = gather(parameters, environ={}, outputs=tmp_path)
    assert len(evidence.logs) == 43
    assert evidence.scope.identity == (apis.service.project, apis.service.region, apis.service.name)


def test_lines_where_there_is_no_terminal() -> None:
    """A log of a scheduler gets a line every ten seconds, with the time that is left."""
    now, stream = 0.0, io.StringIO()
    with Progress(stream, clock=lambda: now) as progress:
        for n in range(1, 30):
            progress.tell(Snapshot(n * 1000, 60_000, n, 60))
            now += 1
    assert stream.getvalue().splitlines() == [
        "11,000 of about 60,000 entries, 11 calls (60 a minute at most), about 49 s left",
        "21,000 of about 60,000 entries, 21 calls (60 a minute at most), about 39 s left",
    ]
    assert EVERY == 10


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal() -> None:
    """A person sees entries, calls, the quota and the time left, and the bar is gone in the end."""
    stream = Terminal()
    with Progress(stream) as progress:
        progress.tell(Snapshot(1000, 4000, 1, 60))
        time.sleep(0.15)
        progress.tell(Snapshot(2000, 4000, 2, 60))
    text = stream.getvalue()
    assert "2000/4000 |" in text
    assert "2 calls, 60 a minute at most" in text
    assert text.rpartition("\r")[0].rstrip(" \r").endswith("at most")

"""The reduction by SQL against the same entries analysed here: BigQuery's emulator, by the official client.

The emulator is `bqemulator`, laid into build/bigquery by `make slow`; without it these tests are skipped. It bills
nothing, so what concerns bytes is in `test_analytics.py`.
"""

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

import incident
from incident.analysis.case import Case
from incident.analysis.requests import kind_counts, requests
from incident.answer import summary
from incident.evidence import Evidence, load
from incident.frames import rows_frame
from incident.scope import Parameters, Scope
from incident.sources import analytics
from incident.sources.clients import Clients
from incident.sources.cloud import Pull
from incident.sources.entries import one_of_each

pytestmark = pytest.mark.slow
INSTALLED = Path(__file__).parents[2] / "build" / "bigquery"
SAMPLES = Path(incident.__file__).parent / "samples"
PROJECT = "linked-project"
ONCE: Any = {"retry": None, "timeout": 30}

FIELD = bigquery.SchemaField
LATENCY = FIELD("latency", "RECORD", fields=[FIELD("seconds", "INTEGER"), FIELD("nanos", "INTEGER")])
REQUEST = [FIELD(name, "STRING") for name in ("request_method", "request_url", "user_agent", "protocol", "remote_ip")]
SCHEMA = [
    *(FIELD(name, "STRING") for name in ("log_name", "log_id", "insert_id", "severity", "text_payload", "trace", "span_id")),
    *(FIELD(name, "TIMESTAMP") for name in ("timestamp", "receive_timestamp")),
    *(FIELD(name, "JSON") for name in ("json_payload", "labels")),
    FIELD("resource", "RECORD", fields=[FIELD("type", "STRING"), FIELD("labels", "JSON")]),
    FIELD("http_request", "RECORD", fields=[*REQUEST, FIELD("status", "INTEGER"), LATENCY]),
]  # fmt: skip


@dataclass
class Emulator:
    """A running emulator; each set of entries is a dataset of its own."""

    url: str

    def linked(self, logs: pd.DataFrame) -> str:
        """The name of a dataset whose view holds the entries of a `logs` frame, each tenth of them twice."""
        client = bigquery.Client(PROJECT, credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url})
        name = f"logs_{uuid.uuid4().hex}"
        client.create_dataset(f"{PROJECT}.{name}", **ONCE)
        client.create_table(bigquery.Table(f"{PROJECT}.{name}._AllLogs", SCHEMA), **ONCE)
        rows = [stored(row) for row in logs.astype("object").where(logs.notna(), None).to_dict("records")]
        rows += rows[::10]
        for start in range(0, len(rows), 500):
            assert client.insert_rows_json(f"{PROJECT}.{name}._AllLogs", rows[start : start + 500], **ONCE) == []
        return name

    def pull(self, logs: pd.DataFrame, evidence: Evidence, **limits: str) -> tuple[pd.DataFrame, Pull]:
        """The frame `logs` that comes of these entries, and the pull with its gaps."""
        parameters = Parameters.read({"source": f"analytics:{PROJECT}.{self.linked(logs)}", **limits})
        pull = Pull(evidence.scope, Clients(bigquery_endpoint=self.url))
        return analytics.asking(parameters)(pull, [], 0.0), pull


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `logs` as Log Analytics stores the entry."""
    resource = {name: row[name] for name in ("service_name", "revision_name", "location")}
    took = row["http_request_latency"]
    request = {field.name: row[f"http_request_{field.name.removeprefix('request_')}"] for field in REQUEST}
    request |= {"status": row["http_request_status"]}
    request |= {"latency": None if took is None else {"seconds": int(took), "nanos": round(took % 1 * 1e9)}}
    kept = ("log_name", "insert_id", "severity", "trace", "span_id", "json_payload", "labels")
    return {name: row[name] for name in kept} | {
        "text_payload": None if row["json_payload"] else row["text"],
        "log_id": row["log_name"].partition("/logs/")[2].replace("%2F", "/"),
        "timestamp": row["timestamp"].isoformat(),
        "receive_timestamp": row["receive_timestamp"].isoformat() if row["receive_timestamp"] else None,
        "resource": {"type": "cloud_run_revision", "labels": json.dumps(resource)},
        "http_request": request if row["http_request_status"] else None,
    }


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulator on loopback."""
    program = INSTALLED / "python" / "bin" / "bqemulator"
    if not (INSTALLED / ".whole").exists():
        pytest.skip(f"bqemulator is not whole in {INSTALLED.parent.name}/{INSTALLED.name}: `make slow` lays it there")
    with socket.create_server(("127.0.0.1", 0)) as rest, socket.create_server(("127.0.0.1", 0)) as grpc:
        ports = rest.getsockname()[1], grpc.getsockname()[1]
    command = [program, "start", "--rest-port", str(ports[0]), "--grpc-port", str(ports[1]), "--project", PROJECT]
    log = INSTALLED / "emulator.log"
    with log.open("wb") as out:
        environ = os.environ | {"HOME": str(INSTALLED / "home")}
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        wait_for(ports[0], process, log)
        yield Emulator(f"http://127.0.0.1:{ports[0]}")
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the port takes a connection."""
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, log.read_text("utf-8")[-2000:]
        time.sleep(0.1)
    raise AssertionError("bqemulator did not listen within 30 s")


def at_microseconds(logs: pd.DataFrame) -> pd.DataFrame:
    """A frame as BigQuery keeps its times."""
    return logs.assign(timestamp=logs["timestamp"].dt.floor("us"))


def groups(logs: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """The sequence of error groups that an analysis finds in a frame, with its counts and times."""
    case = Case(replace(evidence, frames={**evidence.frames, "logs": logs}))
    return case.sequence


def sample(name: str) -> Evidence:
    """A packaged sample, its times as BigQuery keeps them."""
    evidence = load(SAMPLES / name / "evidence")
    return replace(evidence, frames={**evidence.frames, "logs": at_microseconds(evidence.logs)})


@pytest.mark.parametrize("name", ["staging", "staging-fixed"])
def test_the_samples_say_the_same(emulator: Emulator, name: str) -> None:
    """Where no group is larger than its sample, every entry comes back, and the whole summary is the same."""
    evidence = sample(name)
    logs, pull = emulator.pull(evidence.logs, evidence)
    assert pull.gaps == []
    pd.testing.assert_frame_equal(groups(logs, evidence), groups(evidence.logs, evidence))
    here, there = summary(evidence), summary(replace(evidence, frames={**evidence.frames, "logs": logs}))
    assert there == here


PEOPLE = ("ann", "bob", "cid", "dan", "eve", "fay")
TRACE = 'Traceback (most recent call last):\n  File "/srv/app/{0}.py", line {1}, in build\n    run({1})\n{2}'
ENDS = ("NameError: name 'Session' is not defined", "KeyError: 'room'")


def line(number: int, at: pd.Timestamp) -> dict[str, Any]:
    """One of several thousand entries of an application: plain, structured and multi-line text, requests, exits."""
    made: dict[str, Any] = {
        "log_name": "projects/my-project/logs/run.googleapis.com%2Fstderr", "timestamp": at, "insert_id": f"{number:06d}",
        "receive_timestamp": at, "severity": "DEFAULT", "service_name": "chat", "location": "us-central1",
        "revision_name": f"chat-0000{number % 2 + 1}-abc", "instance_id": f"00ab{number % 5}",
    }  # fmt: skip
    made["labels"] = json.dumps({"instanceId": made["instance_id"]})
    kind = number % 10
    if kind < 3:
        words = ("ERROR: ", "", "[7] [CRITICAL] ")[number % 3]
        return made | {
            "text": f"{at:%Y-%m-%d %H:%M:%S} {words}session {number} of user {PEOPLE[number // 30 % 6]} lost"
        }
    if kind == 3:
        payload = {
            "msg": f"pool {number} is full",
            "level": ("error", 50, "info")[number % 3],
            "logger": f"db.{number % 2}",
        }
        return made | {"json_payload": json.dumps(payload, sort_keys=True)}
    if kind == 4:
        text = TRACE.format(("agents", "rooms")[number % 2], number, ENDS[number // 10 % 2])
        return made | {"text": text, "severity": "ERROR"}
    if kind == 5:
        system = made["log_name"].replace("stderr", "varlog%2Fsystem")
        return made | {"log_name": system, "text": f"Container called exit({number % 3}).", "severity": "WARNING"}
    status = (101, 200, 403, 503)[number % 4]
    return made | {
        "log_name": made["log_name"].replace("stderr", "requests"), "trace": f"projects/my-project/traces/{number:032x}",
        "http_request_method": "GET", "http_request_status": status, "http_request_latency": number % 7 + 0.25,
        "http_request_url": f"https://c.example/rooms/{number}/{'ws' if number % 3 else 'deadbeef01/log'}?token={number}",
        "http_request_user_agent": f"{('browser', 'staging-e2e')[number % 2]}/{number} (x)", "severity": "INFO",
    }  # fmt: skip


def busy(count: int) -> pd.DataFrame:
    """Some thousand entries of an hour, and a traceback that came a line an entry among another instance's lines."""
    start = pd.Timestamp("2025-09-07T10:00:00.000123Z")
    rows = [line(number, start + number * pd.Timedelta("617ms") * 5000 / count) for number in range(count)]
    plain = rows[0] | {"revision_name": "chat-00001-abc"}
    for place, text in enumerate(TRACE.format("split", 3, "ValueError: no such agent\nafter it").split("\n")):
        at = start + pd.Timedelta("10min") + place * pd.Timedelta("30us")
        labels = json.dumps({"instanceId": "00ff"})
        rows.append(
            plain | {"timestamp": at, "insert_id": f"s{place}", "text": text, "instance_id": "00ff", "labels": labels}
        )
        rows.append(plain | {"timestamp": at, "insert_id": f"o{place}", "text": "other instance"})
    return one_of_each(rows_frame("logs", rows), "logs")


def known(logs: pd.DataFrame) -> Evidence:
    """Evidence with these entries, of a service of which nothing else is known."""
    scope = Scope("my-project", "us-central1", "chat", "", pd.Timestamp("2025-09-07T10:00:00Z"), pd.Timestamp("2025-09-07T11:00:00Z"))  # fmt: skip
    return Evidence(scope, scope.end + pd.Timedelta("1h"), {"logs": logs})


COUNTED = [
    "kind",
    "title",
    "count",
    "first_seen_time",
    "last_seen_time",
    "revisions",
    "representative",
    "group",
]


@pytest.mark.parametrize(("rows", "whole"), [("50000", True), ("500", False)])
def test_the_groups_of_thousands_of_entries(emulator: Emulator, rows: str, whole: bool) -> None:
    """Same groups, order, counts and times; where rows are few each stands for several, and none is counted twice."""
    logs = busy(6000)
    evidence = known(logs)
    came, pull = emulator.pull(logs, evidence, max_entries=rows)
    assert pull.gaps == []
    assert int(came["entry_count"].sum()) == len(logs) - 3  # a traceback of four lines is one row
    assert (len(came) == len(logs) - 3) == whole
    found, expected = (Case(known(made)).groups[COUNTED] for made in (came, logs))
    assert len(found) > 10
    pd.testing.assert_frame_equal(found, expected)
    if whole:
        pd.testing.assert_frame_equal(groups(came, evidence), groups(logs, evidence))


def test_requests_are_counted_the_same(emulator: Emulator) -> None:
    """Rates by revision and kind of request are what a change is judged by: a reduction must not move them."""
    logs = busy(6000)
    came, _ = emulator.pull(logs, known(logs), max_entries="1000")
    scope = known(logs).scope
    found, expected = kind_counts(requests(came, scope)), kind_counts(requests(logs, scope))
    pd.testing.assert_frame_equal(found, expected, check_categorical=False)
    assert len(came) < 1500


def test_what_is_left_out_is_a_gap(emulator: Emulator) -> None:
    """Groups that the rows do not hold are the least useful ones, and never left out in silence."""
    logs = busy(2000)
    came, pull = emulator.pull(logs, known(logs), max_entries="20")
    [gap] = pull.gaps
    assert gap.kind == "capped"
    assert set(came["severity"]) <= {"ERROR", "WARNING", "DEFAULT", "INFO"}
    missing = len(logs) - 3 - int(came["entry_count"].sum())
    assert gap.reason.endswith(f"of the 20 rows that may come: {missing:,} entries are missing")
    assert len(pull.queries) == 3


def test_what_is_not_there_is_said(emulator: Emulator) -> None:
    """The client's own error of an absent dataset is a gap, soon: it must not wait and try again."""
    pull = Pull(known(busy(10)).scope, Clients(bigquery_endpoint=emulator.url))
    began = time.monotonic()
    analytics.asking(Parameters.read({"source": f"analytics:{PROJECT}.nothing"}))(pull, [], 0.0)
    [gap] = pull.gaps
    assert (gap.frame, gap.kind) == ("logs", "absent")
    assert time.monotonic() - began < 10

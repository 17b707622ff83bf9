"""What is missing reaches the verdict: a gap, its remedy, and causes that nobody calls ruled out."""

from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest

from incident.answer import summary
from incident.causes import CAUSES
from incident.scope import Parameters
from incident.sources.calls import Calls, Pace
from incident.sources.gather import gather
from incident.sources.pulling import pull_to

SCOPE = {"project": "my-project", "region": "us-central1", "service": "chat",
         "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"}  # fmt: skip
DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def healthy(google: Any, make: Any) -> Any:
    """A service whose sockets open all hour, on the revision that serves."""
    google.filters, google.page = True, 20
    google.service.latest_ready_revision = f"{make.NAME}/revisions/chat-00001-abc"
    google.service.traffic_statuses = [{"percent": 100}]
    for minute in range(60):
        google.entries += [make.entry("run.googleapis.com/stderr", f"2025-09-07T10:{minute:02d}:01Z", text_payload="up"),
                           make.request_entry(f"2025-09-07T10:{minute:02d}:30Z", status=101, request_url="https://c/ws")]  # fmt: skip
    return google


def found(google: Any, tmp_path: Path, **limits: str) -> dict[str, Any]:
    """The summary of what a pull brought."""
    calls = Calls(first_pause=0.001, longest_pause=0.002, budget=0.05, pace=Pace(most=10_000))
    environ = {"INCIDENT_GCP_ENDPOINT": google.address}
    parameters = Parameters.read({"source": "cloud", **SCOPE, **limits})
    pull_to(tmp_path / "p", parameters, environ=environ, now=lambda: pd.Timestamp("2025-09-07T12:00:00Z"), calls=calls)
    return summary(gather({"source": f"pull:{tmp_path / 'p'}"}, environ={}, outputs=tmp_path))


def gap(result: dict[str, Any], frame: str) -> dict[str, str]:
    """The gap on one frame."""
    return next(gap for gap in result["gaps"] if gap["frame"] == frame)


def undecided(result: dict[str, Any], frame: str) -> set[str]:
    """The statuses of the causes that read a frame."""
    readers = {rule.name for rule in CAUSES if frame in rule.reads}
    return {cause["status"] for cause in result["causes"] if cause["cause"] in readers}


def test_nothing_missing(healthy: Any, tmp_path: Path) -> None:
    """The same service with all of its evidence is well, so that the tests below show what the gap does."""
    result = found(healthy, tmp_path)
    assert result["status"] == "ok", result["because"]


@pytest.mark.parametrize(
    ("method", "frame", "status", "code"),
    [
        ("ListLogEntries", "logs", "uncertain", DENIED),
        ("ListLogEntries", "logs", "uncertain", grpc.StatusCode.UNAVAILABLE),
        ("ListRevisions", "revisions", "uncertain", DENIED),
        ("ListRevisions", "revisions", "uncertain", grpc.StatusCode.NOT_FOUND),
        ("ListBuilds", "builds", "ok", DENIED),
    ],
)
def test_a_call_that_fails(healthy: Any, tmp_path: Path, method: str, frame: str, status: str, code: Any) -> None:
    """Refused, absent and down are three things, and none of them is an all-clear."""
    healthy.faults[method] = code
    result = found(healthy, tmp_path)
    kind = {DENIED: "refused", grpc.StatusCode.NOT_FOUND: "absent"}.get(code, "partial")
    assert gap(result, frame)["kind"] == kind
    assert gap(result, frame)["remedy"]
    assert result["status"] == status
    assert undecided(result, frame) <= {"uncertain", "skipped", "failed"}


@pytest.mark.parametrize(
    ("limit", "enough"),
    [({"max_entries": "70"}, "how many would be enough is not known"), ({"max_calls": "9"}, "at least 10")],
)
def test_a_limit(healthy: Any, tmp_path: Path, limit: dict[str, str], enough: str) -> None:
    """A log that was read in part proves nothing absent; what is known of what would have been enough is said."""
    result = found(healthy, tmp_path, **limit)
    [name], [value] = limit, limit.values()
    option = f"--{name.replace('_', '-')}"
    assert gap(result, "logs")["kind"] == "capped"
    assert gap(result, "logs")["reason"].startswith(f"{option} {value} was reached: other request entries before 2025-")
    assert gap(result, "logs")["remedy"] == f"give a higher {option} ({enough}), or a shorter window"
    assert result["status"] == "uncertain"
    assert undecided(result, "logs") <= {"uncertain", "skipped"}
    assert not [gap for gap in result["gaps"] if gap["kind"] == "silent"], "the limit alone made the silence"

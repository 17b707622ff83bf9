"""Evidence that misleads: noise, other services, quotations, clocks, old errors. The answer must be the same, or humbler."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.hurt import FRAMES as HURT

from incident import gather, summary
from incident.frames import FRAMES, frame, rows_frame

NOISE = 10_000
QUOTED = [
    "Memory limit of 512 MiB exceeded with 530 MiB used. Consider increasing the memory limit",
    "Container called exit(3).",
    "Uncaught signal: 11, pid=1, tid=1, fault_addr=0.",
    "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization header.",
    "The request was aborted because there was no available instance.",
    'Default STARTUP TCP probe failed 1 time consecutively for container "chat" on port 8080.',
    "ConnectionRefusedError: [Errno 111] Connection refused",
    "Traceback (most recent call last):\n  File \"/app/app/db.py\", line 4, in connect\nNameError: name 'x' is not defined",
    "WARNING:  No supported WebSocket library detected.",
]


@pytest.fixture(scope="module")
def broken():
    """The packaged sample's run while the service was broken."""
    return gather({"source": "sample:staging"})


@pytest.fixture(scope="module")
def fixed():
    """The packaged sample's run after the fix."""
    return gather({"source": "sample:staging-fixed"})


def framed(rows):
    """Rows of the frame `logs` as a frame again."""
    return rows_frame("logs", rows.astype("object").where(rows.notna(), None).to_dict("records"))


def with_logs(evidence, rows):
    """The evidence with more log entries, oldest first, each a copy of one of the service's with other values."""
    like = evidence.logs[evidence.logs["http_request_status"].isna() & evidence.logs["instance_id"].notna()].iloc[-1]
    more = pd.DataFrame([like] * len(rows)).reset_index(drop=True).assign(**pd.DataFrame(rows))
    more["insert_id"], more["probe_id"] = [f"more-{at:06d}" for at in range(len(rows))], None
    logs = pd.concat([evidence.logs, framed(more)], ignore_index=True).sort_values("timestamp", kind="stable")
    return replace(evidence, frames={**evidence.frames, "logs": framed(logs)})


def causes(evidence):
    """What was found: each cause with its status, and whether it is active, and by what."""
    return {
        cause["cause"]: (cause["status"], cause["active"], cause["introduced_by"], cause["mended_by"])
        for cause in summary(evidence)["causes"]
    }


def moments(evidence, count):
    """So many times spread over the window's entries."""
    times = evidence.logs["timestamp"]
    return pd.to_datetime(np.linspace(times.min().value, times.max().value, count).astype("int64"), utc=True)


def test_noise(broken):
    """Twelve entries that matter lie among ten thousand of a service that talks much."""
    words = ["joined room", "left room", "saved draft", "GET /metrics", "cache miss for", "sent batch to"]
    rows = [
        {"timestamp": time, "text": f"INFO {words[at % 6]} {at * 7919 % 1009} user{at % 97}", "severity": "INFO"}
        for at, time in enumerate(moments(broken, NOISE))
    ]
    assert causes(with_logs(broken, rows)) == causes(broken)
    quiet, loud = (summary(evidence)["error_sequence"] for evidence in (broken, with_logs(broken, rows)))
    assert [row["title"] for row in loud] == [row["title"] for row in quiet]


def test_another_service_of_the_project(fixed):
    """Its errors are somebody else's outage."""
    other = gather({"source": "sample:staging"}).logs
    other = other.assign(
        service_name="checkout", insert_id="other-" + other["insert_id"], revision_name="checkout-00001-aaa",
        timestamp=other["timestamp"] + (fixed.logs["timestamp"].max() - other["timestamp"].max()),
    )  # fmt: skip
    logs = pd.concat([fixed.logs, other], ignore_index=True)
    mixed = replace(fixed, frames={**fixed.frames, "logs": framed(logs)})
    assert summary(mixed)["error_sequence"] == summary(fixed)["error_sequence"]
    assert causes(mixed) == causes(fixed)


@pytest.mark.parametrize("text", QUOTED)
def test_what_a_user_wrote(fixed, text):
    """A chat service logs what people write to each other, and during an outage they write of errors."""
    rows = [
        {"timestamp": time, "text": f'user 7 in room lobby: "{text}"', "severity": "INFO"}
        for time in moments(fixed, 40)
    ]
    assert causes(with_logs(fixed, rows)) == causes(fixed)


def test_clocks_and_order(broken):
    """Entries come in the order in which they arrived, from machines whose clocks differ."""
    shuffled = broken.logs.sample(frac=1, random_state=7)
    mixed = replace(broken, frames={**broken.frames, "logs": shuffled})
    assert summary(mixed) == summary(broken)


def test_nothing_but_audit_entries(broken):
    """After thirty days the logs are gone and the audit entries stay: that is not peace."""
    kept = {name: broken.frames[name] if name == "audit" else frame(name) for name in FRAMES}
    left = replace(broken, frames=kept, complete=frozenset(), gaps=()).with_gaps()
    told = summary(left)
    assert told["status"] == "uncertain"
    assert {cause["status"] for cause in told["causes"]} == {"uncertain"}
    assert {gap["frame"] for gap in told["gaps"]} >= set(HURT) - {"audit"}


def test_an_error_older_than_every_deploy(evidence):
    """Nothing that was deployed in the window brought what was there before it."""
    url, text = "https://chat/ws", "ConnectionRefusedError: [Errno 111] Connection refused"
    rows = []
    for at in range(200):
        time, revision = f"10:{at // 10:02d}:{at % 10 * 5:02d}", "chat-00001-aaa" if at < 100 else "chat-00002-bbb"
        rows.append(
            {"log": "requests", "at": time, "revision": revision, "instance": f"i{at}", "status": 500, "url": url}
        )
        rows.append({"log": "stderr", "at": time, "revision": revision, "instance": f"i{at}", "text": f"ERROR {text}"})
    revisions = [
        {"revision_name": "chat-00001-aaa", "create_time": "09:00:00", "traffic_start_time": "09:00:10", "ready": True},
        {"revision_name": "chat-00002-bbb", "create_time": "10:09:50", "traffic_start_time": "10:09:58", "ready": True},
    ]
    traffic = [{"time": "10:59:00", "revision_name": "chat-00002-bbb", "percent": 100}]
    told = summary(evidence({"frames": {"logs": rows, "revisions": revisions, "traffic": traffic}}))
    first = told["causes"][0]
    assert (first["cause"], first["status"], first["introduced_by"]) == ("dependency-unreachable", "failed", None)
    assert [change["effect"] for change in told["changes"]] == ["none"]

"""The order of errors, and what follows from what."""

from pathlib import Path

import pytest

from incident.analysis.case import Case

INCIDENT = Path(__file__).parents[1] / "incident.yaml"


def by_title(case):
    """The sequence's rows by title, with the title of what each follows."""
    titles = dict(zip(case.sequence["group"], case.sequence["title"], strict=True))
    return {
        row["title"]: (row["order"], titles.get(row["follows"]), row["follows_count"])
        for row in case.sequence.to_dict("records")
    }


def test_the_incident(evidence):
    """The 403 came first; the 503 is first by clock in its second, and still follows from the crash."""
    rows = by_title(Case(evidence(INCIDENT)))
    assert rows == {
        "HTTP 403 on /ws": (1, None, 0),
        "HTTP 503 on /ws · malformed response": (2, "NameError: DatabaseSessionManager", 24),
        "NameError: DatabaseSessionManager": (3, None, 0),
        "Container called exit(3)": (4, "NameError: DatabaseSessionManager", 12),
    }


def test_the_reason_is_said(evidence):
    """An order alone is no consequence: the reader must see what else speaks for it."""
    sequence = Case(evidence(INCIDENT)).sequence
    near = "on the same instance, or in the same trace, at most 60 s before"
    assert dict(zip(sequence["title"], sequence["follows_because"], strict=True)) == {
        "HTTP 403 on /ws": "",
        "HTTP 503 on /ws · malformed response": "the platform says that the instance failed, which ended: "
        f"Container called exit(3); {near}",
        "NameError: DatabaseSessionManager": "",
        "Container called exit(3)": f"the instance ended after it; {near}",
    }


def test_an_error_in_the_same_trace_leads(evidence):
    """An application that writes the request's trace names the request that its error failed, on whatever instance."""
    base = {"revision": "chat-00001-aaa", "trace": "projects/p/traces/1"}
    rows = [
        base | {"log": "stderr", "at": "10:00:00.5", "instance": "a", "text": "ERROR pool exhausted"},
        base | REFUSED | {"at": "10:00:00", "instance": "b", "status": 500},
        base | {"log": "stderr", "at": "10:00:30", "instance": "b", "text": "ERROR pool exhausted", "trace": None},
    ]
    made = by_title(Case(evidence({"frames": {"logs": rows}})))
    assert made["HTTP 500 on /ws"][1] == "pool exhausted"


CRASH = {"log": "varlog%2Fsystem", "severity": "WARNING", "text": "Container called exit(3)."}
REFUSED = {"log": "requests", "status": 503, "url": "https://chat/ws", "latency": 2.0}


@pytest.mark.parametrize(
    ("crash", "request_", "follows"),
    [
        ({"at": "10:00:01", "instance": "a"}, {"at": "10:00:00", "instance": "a"}, True),
        ({"at": "10:00:01", "instance": "a"}, {"at": "10:00:00", "instance": "b"}, True),
        ({"at": "10:00:03", "instance": "a"}, {"at": "10:00:00", "instance": "a"}, False),
        ({"at": "10:00:01", "instance": "a"}, {"at": "10:05:00", "instance": "a"}, False),
        ({"at": "10:00:01", "instance": "a"}, {"at": "10:00:00"}, True),
        ({"at": "10:00:01", "instance": "a", "revision": "chat-00002-bbb"}, {"at": "10:00:00"}, False),
    ],
)
def test_follows(evidence, crash, request_, follows):
    """Within a minute before the request's end, on its instance; on its revision where that instance is not known."""
    rows = [{"revision": "chat-00001-aaa"} | CRASH | crash, {"revision": "chat-00001-aaa"} | REFUSED | request_]
    made = by_title(Case(evidence({"frames": {"logs": rows}})))
    assert made["HTTP 503 on /ws"][1:] == (("Container called exit(3)", 1) if follows else (None, 0))


def test_a_line_that_repeats_the_message_follows_the_exception(evidence):
    """Frameworks log the message just before the traceback: that line is no cause of it."""
    text = (
        "Traceback (most recent call last):\n  File \"/srv/app/a.py\", line 1, in f\nNameError: name 'x' is not defined"
    )
    rows = [
        {"log": "stderr", "at": "10:00:00", "text": "ERROR start failed: name 'x' is not defined"},
        {"log": "stderr", "at": "10:00:00.1", "text": text},
    ]
    made = by_title(
        Case(evidence({"frames": {"logs": [{"revision": "chat-00001-aaa", "instance": "a"} | row for row in rows]}}))
    )
    assert made["start failed: name 'x' is not defined"][1] == "NameError: x"
    assert made["NameError: x"][1] is None


def test_background_is_set_apart_and_numbered_last(evidence):
    """What three revisions show alike was not brought by a change; the path asked about is never background."""
    rows = []
    for number in (1, 2, 3):
        base = {"log": "requests", "revision": f"chat-0000{number}-aaa", "instance": f"i{number}"}
        rows += [base | {"at": f"10:0{number}:00", "status": 404, "url": "https://chat/favicon.ico"}]
        rows += [base | {"at": f"10:0{number}:01", "status": 403, "url": "https://chat/ws"}]
    sequence = Case(evidence({"frames": {"logs": rows}})).sequence
    assert list(sequence[["title", "background", "order"]].itertuples(index=False, name=None)) == [
        ("HTTP 403 on /ws", False, 1),
        ("HTTP 404 on /favicon.ico", True, 2),
    ]

"""Which entries are errors, and which are the same one."""

import json
from pathlib import Path

import pandas as pd
import pytest

from incident.analysis.case import Case
from incident.analysis.errors import looks_like_error

INCIDENT = Path(__file__).parents[1] / "incident.yaml"
MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error."
)


def groups(evidence, *logs):
    """The groups of some entries of one instance, as (kind, title, count)."""
    rows = [
        {"at": f"10:{at:02d}:00", "revision": "chat-00001-aaa", "instance": "one"} | row for at, row in enumerate(logs)
    ]
    made = Case(evidence({"frames": {"logs": rows}})).groups
    return list(made[["kind", "title", "count"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"log": "requests", "status": 403, "url": "https://chat/ws?token=x"}, ("request", "HTTP 403 on /ws")),
        ({"log": "requests", "status": 503, "url": "https://chat/ws", "text": MALFORMED}, ("request", "HTTP 503 on /ws · malformed response")),
        ({"log": "requests", "status": 404, "url": "https://chat/rooms/83712/x"}, ("request", "HTTP 404 on /rooms/*/x")),
        ({"log": "requests", "status": 200, "url": "https://chat/ws"}, ("request", "HTTP 200 on /ws")),
        ({"log": "requests", "status": 500, "url": "https://chat/x", "method": "POST"}, ("request", "HTTP 500 on POST /x")),
        ({"log": "varlog%2Fsystem", "severity": "WARNING", "text": "Container called exit(3)."}, ("system", "Container called exit(3)")),
        ({"log": "varlog%2Fsystem", "severity": "WARNING", "text": "Container terminated on signal 9."}, ("system", "Container terminated on signal *.")),
        ({"log": "stderr", "text": "[2025-09-07 10:00:01 +0000] [7] [ERROR] Reason: Worker failed to boot."}, ("line", "Reason: Worker failed to boot.")),
        ({"log": "stderr", "severity": "ERROR", "text": "lost 31 of 40"}, ("line", "lost * of *")),
    ],
)  # fmt: skip
def test_errors(evidence, row, expected):
    """Severity alone decides nothing: an exit is a WARNING and plain standard error is DEFAULT."""
    assert groups(evidence, row) == [(*expected, 1)]


@pytest.mark.parametrize(
    "row",
    [
        {"log": "requests", "status": 101, "url": "https://chat/ws"},
        {"log": "requests", "status": 304, "url": "https://chat/x"},
        {"log": "varlog%2Fsystem", "severity": "INFO", "text": "Container called exit(0)."},
        {
            "log": "varlog%2Fsystem",
            "severity": "INFO",
            "text": "Starting new instance. Reason: AUTOSCALING - Instance started due to…",
        },
        {"log": "stderr", "text": "[7] [INFO] Listening at: http://0.0.0.0:8080 (1)"},
        {"log": "stdout", "text": "the user wrote: no error here"},
    ],
)
def test_no_errors(evidence, row):
    """What every healthy service writes must not fill the page at 3 a.m."""
    assert groups(evidence, row) == []


def test_the_same_line_with_other_values_is_one_group(evidence):
    """Ids and counts vary; the bug does not."""
    lines = [{"log": "stderr", "text": f"ERROR worker {n} lost 0x{n:08x}"} for n in (1, 22, 333)]
    assert groups(evidence, *lines) == [("line", "worker * lost *", 3)]


def test_words_that_vary_are_one_group(evidence):
    """A name is no number, and yet ten users' names are one bug."""
    lines = [{"log": "stderr", "text": f"ERROR session of user {name} lost"} for name in "ann bob cid dan eve".split()]
    assert groups(evidence, *lines) == [("line", "session of user * lost", 5)]


def test_structured_lines_are_told_apart_by_their_logger(evidence):
    """The same words of two loggers are two bugs, and a level in the document counts as a severity does."""
    rows = [
        {
            "log": "stdout",
            "json_payload": json.dumps({"msg": f"pool of {n} is full", "logger": logger, "level": level}),
        }
        for n, (logger, level) in enumerate([("db", "error"), ("db", "error"), ("cache", "error"), ("db", "info")])
    ]
    assert groups(evidence, *rows) == [("line", "db: pool of * is full", 2), ("line", "cache: pool of * is full", 1)]


def test_a_stack_trace_in_a_document(evidence):
    """A structured logger's stack trace is the same bug as one on standard error."""
    stack = "Error: no room 7\n    at join (/app/rooms.js:3:1)"
    rows = [
        {"log": "stdout", "json_payload": json.dumps({"msg": "request failed", "level": 50, "err": {"stack": stack}})},
        {"log": "stderr", "text": stack.replace("7", "31").replace(":3:", ":4:")},
    ]
    assert groups(evidence, *rows) == [("exception", "Error: no room 7", 2)]


def test_another_method_is_another_group(evidence):
    """A page that cannot be read and a message that cannot be sent are two failures."""
    rows = [{"log": "requests", "status": 500, "url": "https://chat/x", "method": m} for m in ("GET", "POST", "GET")]
    assert groups(evidence, *rows) == [("request", "HTTP 500 on /x", 2), ("request", "HTTP 500 on POST /x", 1)]


def test_group_ids_are_stable(evidence):
    """Archived runs name groups by id: the same error has the same id in every run."""
    first, second = (Case(evidence(INCIDENT)).groups["group"].to_list() for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_no_logs(evidence):
    """Empty evidence must not crash: it is when the tool is needed most."""
    case = Case(evidence({"frames": {}}))
    assert (len(case.entries), len(case.groups), len(case.sequence)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "is_error"),
    [
        ("CRITICAL db gone", True),
        ("level=ERROR msg=x", True),
        ("Failed to bind", True),
        ("ValueError: bad", True),
        ("an error page was shown", False),
        ("ERRORS_TOTAL 0", False),
    ],
)
def test_looks_like_error(text, is_error):
    """Words in the middle of a sentence are prose."""
    assert looks_like_error(pd.Series([text])).to_list() == [is_error]

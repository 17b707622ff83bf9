"""Which entries are errors, and which are the same one."""

from pathlib import Path

import pytest

from incident.analysis.case import Case
from incident.analysis.errors import constant_part, looks_like_error

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
    ("text", "part"),
    [
        ("", ""),
        ("ERROR: x=1.5", "x=*"),
        ("ERROR", "ERROR"),
        ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff gone\nmore", "id * gone"),
    ],
)
def test_constant_part(text, part):
    """What is left is what two entries of one bug share; a line that is all prefix stays itself."""
    assert constant_part(text) == part


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
    assert looks_like_error(text) is is_error

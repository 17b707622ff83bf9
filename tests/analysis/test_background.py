"""Old errors are set apart, and nothing that belongs to the incident is."""

import pytest

from incident.analysis.case import Case

OPEN = {"log": "requests", "url": "https://chat/ws", "status": 101, "revision": "chat-00001-aaa", "instance": "one"}
FAIL = OPEN | {"status": 503}
LINE = {"log": "stderr", "revision": "chat-00001-aaa", "instance": "one"}


def background(evidence, *logs):
    """Each group's title and whether it is background, before an outage of handshakes from 10:30 on."""
    outage = [OPEN | {"at": "10:00:00", "repeat": 600}, FAIL | {"at": "10:30:00", "repeat": 200, "instance": "two"}]
    sequence = Case(evidence({"frames": {"logs": [*outage, *logs]}})).sequence
    return dict(zip(sequence["title"], sequence["background"], strict=True))


@pytest.mark.parametrize(
    ("before", "during", "expected"),
    [(30, 10, True), (30, 25, False), (4, 1, False), (0, 10, False), (30, 0, True)],
    ids=["the same rate", "more often", "too few to know", "new", "none in the outage"],
)
def test_an_old_error_at_the_same_rate_is_set_apart(evidence, before, during, expected):
    """Three times the requests before the outage carried three times the errors: they are not the outage."""
    text = "ERROR cache miss storm"
    logs = [
        LINE | {"at": "10:05:00", "text": text, "repeat": before},
        LINE | {"at": "10:31:00", "text": text, "repeat": during},
    ]
    assert background(evidence, *logs)["cache miss storm"] is expected


def test_what_failing_handshakes_follow_is_never_set_apart(evidence):
    """A fault that was harmless for an hour and then took the service down is the incident, however even its rate."""
    text = "ERROR pool exhausted"
    logs = [LINE | {"at": "10:05:00", "text": text, "repeat": 6}]
    logs += [LINE | {"at": f"10:{minute}:00", "instance": "two", "text": text} for minute in (30, 31, 32)]
    assert background(evidence, *logs)["pool exhausted"] is False

"""Whether a failure still goes on: for how long, and for how many requests, it has been quiet."""

import pandas as pd
import pytest

from incident.analysis.ongoing import still_failing

START = pd.Timestamp("2025-09-07T10:00:00Z")
NO_PROBES = pd.DataFrame({"verdict": [], "revision_name": [], "time": pd.to_datetime([], utc=True)})


def at(seconds):
    """A moment of the window."""
    return START + pd.Timedelta(seconds, unit="s")


def goes_on(answers):
    """Whether it goes on, of one revision's handshakes as (second, failed)."""
    rows = pd.DataFrame(
        [
            {"timestamp": at(s), "failed": bad, "revision_name": "r", "request_kind": "GET /ws", "websocket": True}
            for s, bad in answers
        ]
    )
    return still_failing(rows[rows["failed"]], rows, ["GET /ws"], ["r"], NO_PROBES)


BURST = [(second / 10, second % 20 == 0) for second in range(100)]
"""Ten seconds of a service that fails each twentieth request."""


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([(60 + second, False) for second in range(12)], True),  # a pause, and fewer requests than went well before
        ([(60 + second, False) for second in range(40)], False),
        ([(8.1 + second / 1000, False) for second in range(40)], True),  # many requests, and no time
        ([(60, True)], True),
        ([], True),
    ],
)
def test_a_pause_without_requests_is_no_end(after, expected):
    """A service that breaks at each twentieth request has not mended because nobody asked for a minute."""
    assert goes_on([row for row in BURST if row[0] <= 8] + after) is expected

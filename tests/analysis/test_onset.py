"""When requests began to fail beyond the usual."""

import pandas as pd
import pytest

from incident.analysis.onset import incident

START = pd.Timestamp("2025-09-07T10:00:00Z")


def requests(*runs):
    """Requests one second apart: each run is (kind, outcomes), an outcome `x` failed and `.` did not."""
    rows = [(kind, outcome == "x") for kind, outcomes in runs for outcome in outcomes]
    frame = pd.DataFrame(rows, columns=["request_kind", "failed"])
    return frame.assign(ended=[START + pd.Timedelta(seconds=n) for n in range(len(rows))], weight=1)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([("a", "." * 30 + "x" * 20)], (30, 49)),
        ([("a", "." * 30 + "x" * 20 + "." * 30)], (30, 49)),
        ([("a", "." * 30 + "x.xxx" * 6 + "." * 30)], (30, 59)),
        ([("a", "x" * 60)], None),
        ([("a", "." * 60)], None),
        ([("a", "x" * 60), ("b", "." * 60)], None),
        ([("a", "." * 30 + "xx" + "." * 30)], None),
        ([("always", "x" * 40), ("b", "." * 40 + "x" * 20)], (80, 99)),
        ([], None),
    ],
    ids=[
        "until the end",
        "mended",
        "most",
        "always",
        "never",
        "two kinds",
        "two of many",
        "beside one that always fails",
        "no request",
    ],
)
def test_the_incident_is_what_failed_beyond_the_usual(runs, expected):
    """An onset that is only a change in who calls, or two stray failures, would set the wrong errors apart."""
    found = incident(requests(*runs))
    assert (found and tuple((at - START).total_seconds() for at in found)) == expected


def test_a_row_may_stand_for_many_requests():
    """A source that reduces entries to samples must give the onset that the entries give."""
    whole = requests(("a", "." * 30 + "x" * 20))
    sampled = whole.iloc[[0, 29, 30, 49]].assign(weight=[29, 1, 19, 1])
    assert incident(sampled) == incident(whole)

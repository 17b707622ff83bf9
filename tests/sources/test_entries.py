"""What becomes of the frame of some entries: each once, in order, and our own probes' entries marked."""

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from incident import frames
from incident.sources import entries

AGENTS = st.sampled_from(
    [None, "browser", "incident/0.1.0 (probe 1f)", "incident/9 (probe 2e)", "incident/1 (probe 3) x"]
)
TRACES = st.sampled_from([None, "projects/p/traces/aa", "projects/p/traces/bb", "projects/p/traces/cc", "dd"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "log_name": st.sampled_from(["requests", "stderr"]), "timestamp": st.sampled_from([None, 1, 2, 3]),
            "insert_id": st.sampled_from(["x", "y"]), "http_request_user_agent": AGENTS, "trace": TRACES,
        }
    ),
    max_size=8,
)  # fmt: skip


def logs(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The frame `logs` of some rows, whose texts number them in the order they came."""
    return frames.rows_frame("logs", [row | {"text": str(number)} for number, row in enumerate(rows)])


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_one_of_each(rows: list[dict[str, Any]]) -> None:
    """Only ties are looked at, since real entries come in order: that must give what looking at all of them gives."""
    came = logs(rows)
    once = came.drop_duplicates(["log_name", "timestamp", "insert_id"])
    expected = once.sort_values(["timestamp", "insert_id"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(entries.one_of_each(came, "logs"), expected)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.dictionaries(st.sampled_from(["aa", "cc", "dd"]), st.just("own")))
def test_our_own_entries(rows: list[dict[str, Any]], own: dict[str, str]) -> None:
    """An entry of a probe that went unmarked would be evidence against the service: by agent, by trace, by its request."""
    agents = {"incident/0.1.0 (probe 1f)": "1f", "incident/9 (probe 2e)": "2e"}
    traces = [(row["trace"] or "").rpartition("/")[2] for row in rows]
    direct = [
        agents.get(row["http_request_user_agent"], own.get(trace)) for row, trace in zip(rows, traces, strict=True)
    ]
    of_trace = {trace: probe for trace, probe in zip(traces, direct, strict=True) if probe and trace}
    marked = entries.probes_marked(logs(rows), own)
    found = [None if pd.isna(probe) else probe for probe in marked["probe_id"]]
    assert found == [probe or of_trace.get(trace) for probe, trace in zip(direct, traces, strict=True)]
    frames.validated("logs", marked)

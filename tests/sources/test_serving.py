"""When revisions took traffic."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from incident.frames import rows_frame
from incident.sources.serving import traffic_times

REQUESTS, SYSTEM_EVENT = "run.googleapis.com%2Frequests", "cloudaudit.googleapis.com%2Fsystem_event"


def at(minute: int) -> pd.Timestamp:
    """A minute of the incident."""
    return pd.Timestamp("2025-09-07T10:00:00Z") + pd.Timedelta(minute, unit="min")


def revisions(*names: str) -> pd.DataFrame:
    """Revisions made a minute apart, in this order."""
    return rows_frame("revisions", [{"revision_name": name, "create_time": at(n)} for n, name in enumerate(names)])


def requests(*served: tuple[str, int], **fields: Any) -> pd.DataFrame:
    """Request entries: which revision served, and in which minute."""
    entry = {"log_name": f"projects/p/logs/{REQUESTS}", "http_request_url": "https://chat.a.run.app/ws"} | fields
    return rows_frame("logs", [entry | {"revision_name": name, "timestamp": at(n)} for name, n in served])


def times(
    revisions: pd.DataFrame,
    logs: pd.DataFrame,
    serving: Mapping[str, int],
    events: tuple[tuple[str, int], ...] = (),
    ready: Mapping[str, pd.Timestamp] | None = None,
) -> dict[str, tuple[Any, Any]]:
    """Start and end by revision, in minutes; None where there is none."""
    traffic = rows_frame("traffic", [{"time": at(99), "revision_name": n, "percent": p} for n, p in serving.items()])
    message = "Ready condition status changed to True for Revision {} with message: Deploying revision succeeded in 9s."
    audit = rows_frame("audit", [{"timestamp": at(n), "status_message": message.format(name)} for name, n in events])
    found = traffic_times(revisions, traffic, logs, audit, ready or {}).set_index("revision_name")
    minutes = (found[["traffic_start_time", "traffic_end_time"]] - at(0)).apply(lambda c: c.dt.total_seconds() / 60)
    return {name: tuple(None if pd.isna(v) else v for v in row) for name, *row in minutes.itertuples()}


def test_one_after_the_other() -> None:
    """A revision's traffic begins with its first request and ends where the next one's begins."""
    served = requests(("a", 10), ("a", 12), ("b", 20), ("a", 21), ("c", 30))
    assert times(revisions("a", "b", "c"), served, {"c": 100}) == {"a": (10, 20), "b": (20, 30), "c": (30, None)}


def test_readiness_counts_for_who_serves_now() -> None:
    """A revision that has the traffic and no request yet took it when it became ready; a former one's is unknown."""
    ready = {"a": at(1), "b": at(15)}
    assert times(revisions("a", "b"), requests(("a", 10)), {"b": 100}, ready=ready) == {"a": (10, 15), "b": (15, None)}


def test_a_system_event_says_readiness_too() -> None:
    """The earlier of the two sources holds: Ready's last transition moves when a revision is retired and comes back."""
    found = times(revisions("a"), requests(), {"a": 100}, events=(("a", 14),), ready={"a": at(40)})
    assert found == {"a": (14, None)}


def test_a_revision_without_traffic() -> None:
    """One that never served has no times, whatever was said of its readiness; nor has one with 0 percent and a tag."""
    found = times(revisions("a", "b"), requests(("a", 10)), {"a": 100, "b": 0}, events=(("b", 12),))
    assert found == {"a": (10, None), "b": (None, None)}


def test_a_split_ends_nobody() -> None:
    """Both revisions of a split serve now, so neither has ended."""
    assert times(revisions("a", "b"), requests(("a", 10), ("b", 20)), {"a": 50, "b": 50}) == {
        "a": (10, None), "b": (20, None),
    }  # fmt: skip


def test_the_way_back() -> None:
    """After a way back to an older revision the newer one has ended: with its own last request, for want of better."""
    served = requests(("a", 10), ("b", 20), ("b", 24), ("a", 30))
    assert times(revisions("a", "b"), served, {"a": 100}) == {"a": (10, None), "b": (20, 24)}


def test_requests_that_are_no_traffic() -> None:
    """Our own probes, and requests by a tag's own URL, reach a revision that has no share of the traffic."""
    ours = requests(("a", 10), probe_id="1f")
    tagged = requests(("a", 11), http_request_url="https://canary---chat-7gq2x.a.run.app/ws")
    nothing = {"a": (None, None)}
    assert times(revisions("a"), ours, {}) == nothing
    assert times(revisions("a"), tagged, {}) == nothing


def test_nothing_known() -> None:
    """Empty frames give empty columns of the right type."""
    assert times(revisions(), requests(), {}) == {}

"""When each revision took traffic, and when it stopped: one rule for every source.

Reads: request entries, the service's traffic statuses, and when revisions became ready. Cannot tell: a share of
traffic that brought no request, or a split that was changed and changed back between two requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from incident import platform

TAG_URL = re.compile(r"^\w+://[^/]*---")
"""A tag's own URL, `https://TAG---SERVICE-….run.app`: it reaches its revision without any share of traffic."""

NO_READY_TIMES: Mapping[str, pd.Timestamp] = {}


def traffic_times(
    revisions: pd.DataFrame,
    traffic: pd.DataFrame,
    logs: pd.DataFrame,
    audit: pd.DataFrame,
    ready_times: Mapping[str, pd.Timestamp] = NO_READY_TIMES,
) -> pd.DataFrame:
    """`revisions` with `traffic_start_time` and `traffic_end_time`, UTC, oldest revision first.

    A start is the first request entry that is not our own probe's; for a revision that the service's traffic names
    now, its readiness if that is earlier: the system event, or `ready_times` (Ready's last transition in the Admin
    API). An end is the start of the next revision that took traffic; the revision's own last request where none took
    traffic after it, as after a way back to an older one; null while the traffic statuses still name it. A revision
    that is not named and left no request has neither. Ties in start are broken by `create_time`.
    """
    named = set(traffic.loc[traffic["percent"].fillna(0) > 0, "revision_name"].dropna())
    requests = _requests(logs)
    firsts, lasts = (_extremes(requests, how) for how in ("min", "max"))
    ready = _earliest(_ready_events(audit), ready_times)
    starts = _earliest(firsts, {name: time for name, time in ready.items() if name in named})
    ordered = revisions.sort_values("create_time", kind="stable", ignore_index=True)
    names = sorted((name for name in ordered["revision_name"] if name in starts), key=lambda name: starts[name])
    nexts = {name: starts[after] for name, after in pairwise(names)}
    ends = {name: nexts.get(name, lasts.get(name)) for name in names if name not in named}
    return ordered.assign(
        traffic_start_time=_times(ordered["revision_name"], starts),
        traffic_end_time=_times(ordered["revision_name"], ends),
    )


def _requests(logs: pd.DataFrame) -> pd.DataFrame:
    """The entries of requests that came by the service's own share of traffic."""
    ending = platform.REQUESTS.replace("/", "%2F")
    by_tag = logs["http_request_url"].str.match(TAG_URL.pattern).fillna(False).astype(bool)
    is_request = logs["log_name"].astype("str").str.endswith(ending).astype(bool)
    return logs[is_request & ~by_tag & logs["probe_id"].isna() & logs["revision_name"].notna()]


def _extremes(requests: pd.DataFrame, how: str) -> dict[str, pd.Timestamp]:
    return dict(requests.groupby("revision_name", observed=True)["timestamp"].agg(how))


def _ready_events(audit: pd.DataFrame) -> dict[str, pd.Timestamp]:
    """When each revision was first said to be ready by a system event."""
    said = audit["status_message"].str.extract(platform.READY_TRUE.fragment, re.IGNORECASE | re.DOTALL)
    ready = audit.assign(kind=said["kind"], name=said["name"]).query("kind == 'Revision'")
    return dict(ready.groupby("name")["timestamp"].min())


def _earliest(*all_times: Mapping[str, pd.Timestamp]) -> dict[str, pd.Timestamp]:
    merged: dict[str, pd.Timestamp] = {}
    for times in all_times:
        for name, time in times.items():
            merged[name] = min(time, merged.get(name, time))
    return merged


def _times(names: pd.Series, times: Mapping[str, pd.Timestamp]) -> pd.Series:
    return pd.to_datetime(names.map(dict(times)), utc=True).astype("datetime64[ns, UTC]")

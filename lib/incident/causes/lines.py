"""Which log entries a rule may read a text in, and which requests they belong to.

The platform writes of an instance in one log and of a request in another; an application writes in the rest. A user's
chat message may hold any text at all, so a text of the platform's counts only in the platform's own log.
"""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.searching import found_in

SYSTEM = platform.log_name("", platform.SYSTEM).removeprefix("projects//logs/")
REQUESTS = platform.log_name("", platform.REQUESTS).removeprefix("projects//logs/")
SERVER_ERROR = 500
SLACK = pd.Timedelta("100ms")
"""The clocks of a container's lines and of its requests' entries differ by less."""


def system_lines(case: Case, *texts: platform.PlatformText) -> pd.DataFrame:
    """The entries of the platform's own log on instances that hold one of some texts."""
    logs = case.evidence.service_logs
    own = logs[_in_log(logs, SYSTEM) & logs["text"].notna()]
    return own[found_in(own["text"], *texts)]


def application_lines(case: Case, text: platform.PlatformText) -> pd.DataFrame:
    """The entries that the application wrote itself and that hold a text."""
    logs = case.evidence.service_logs
    own = logs[~_in_log(logs, SYSTEM, REQUESTS) & logs["http_request_status"].isna() & logs["text"].notna()]
    return own[found_in(own["text"], text)]


def on_instances(requests: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The requests that an instance of some entries had."""
    return requests[requests["instance_id"].isin(rows["instance_id"].dropna())]


def within(requests: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Whether one of some entries falls into each request's life: of its trace, or on its instance while it lasted."""
    times = {instance: part.sort_values() for instance, part in rows.groupby("instance_id", observed=True)["timestamp"]}
    traces = set(rows["trace"].dropna())
    found = [
        trace in traces or _any_between(times.get(instance), start - SLACK, end + SLACK)
        for instance, trace, start, end in zip(
            requests["instance_id"], requests["trace"], requests["timestamp"], requests["ended"], strict=True
        )
    ]
    return pd.Series(found, index=requests.index, dtype="bool")


def of_requests(rows: pd.DataFrame, requests: pd.DataFrame) -> pd.DataFrame:
    """Those of some entries that fall into the life of one of some requests: of its trace, or on its instance."""
    traces = set(requests["trace"].dropna())
    lives = {
        instance: (part["timestamp"] - SLACK, part["ended"].cummax() + SLACK)
        for instance, part in requests.sort_values("timestamp").groupby("instance_id", observed=True)
    }
    inside = [
        trace in traces or _is_within(lives.get(instance), time)
        for trace, instance, time in zip(rows["trace"], rows["instance_id"], rows["timestamp"], strict=True)
    ]
    return rows[pd.Series(inside, index=rows.index, dtype="bool")]


def _is_within(lives: tuple[pd.Series, pd.Series] | None, time: pd.Timestamp) -> bool:
    """Whether some life had begun by then and any of those that had was not over."""
    if lives is None:
        return False
    begun = int(lives[0].searchsorted(time, side="right"))
    return begun > 0 and bool(lives[1].iloc[begun - 1] >= time)


def _any_between(times: pd.Series | None, start: pd.Timestamp, end: pd.Timestamp) -> bool:
    if times is None:
        return False
    return bool(times.searchsorted(start) < times.searchsorted(end, side="right"))


def _in_log(logs: pd.DataFrame, *endings: str) -> pd.Series:
    """Whether each entry is in a log whose name ends so; logs are few, and entries many."""
    names = [name for name in logs["log_name"].unique() if str(name).endswith(endings)]
    return logs["log_name"].isin(names)

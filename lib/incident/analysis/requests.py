"""Request entries as a table of requests: what was asked, by whom, of which revision, and whether it failed.

Reads the `logs` frame without our own probes. A handshake is a request on the scope's WebSocket path; it failed when
it was not answered 101, any other request when its status is 400 or more. A socket that is still open has no entry
yet, so these counts cannot tell how many are connected now.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

import pandas as pd

from incident import platform
from incident.scope import Scope

SWITCHING_PROTOCOLS = 101
PLATFORM_TEXTS = tuple(text for text in platform.TEXTS if text.log == platform.REQUESTS)

CLIENT = re.compile(r"^([^/\s(]{1,40})")
VARIABLE_SEGMENT = re.compile(r"[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+|[^/]{33,}", re.IGNORECASE)


def requests(logs: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """One row a request, oldest first: the columns of `logs` and these.

    `path` its shape (ids replaced by `*`), `client` the first product of its user agent, `request_kind` method, path
    and client, `websocket` whether it was a handshake, `failed`, `ended` when its entry was written (its start and
    its latency), `weight` how many entries the row stands for.

    A kind names the client because clients differ: a browser's token may be accepted where a test's header is not,
    and a change in who calls must not look like a change in how they are answered.
    """
    rows = logs[logs["http_request_status"].notna()].copy()
    rows["path"] = _distinct(_without_query(rows["http_request_url"]), path_shape)
    rows["client"] = _distinct(rows["http_request_user_agent"], client)
    rows["request_kind"] = rows["http_request_method"].astype("str") + " " + rows["path"] + " by " + rows["client"]
    rows["websocket"] = rows["path"] == scope.websocket_path
    refused = rows["http_request_status"] >= 400
    rows["failed"] = refused.mask(rows["websocket"], rows["http_request_status"] != SWITCHING_PROTOCOLS).astype(bool)
    rows["ended"] = rows["timestamp"] + pd.to_timedelta(rows["http_request_latency"].fillna(0), unit="s")
    rows["platform_text"] = _distinct(rows["text"], platform_text)
    rows["weight"] = weight(rows)
    return rows.reset_index(drop=True)


def weight(logs: pd.DataFrame) -> pd.Series:
    """How many entries each row stands for: one, or what a source that reduces entries to samples says."""
    if "entry_count" not in logs:
        return pd.Series(1, index=logs.index, dtype="int64")
    return logs["entry_count"].fillna(1).astype("int64")


def settled(requested: pd.DataFrame, pulled: pd.Timestamp, refusing: Collection[str]) -> pd.Series:
    """Whether each request began so long ago that, had it become a socket, its entry would be there by now.

    A socket's entry is written when it ends, a refusal's at once: counted too early, refusals are all there is. How
    long is told by the longest socket of the same kind in the window. On a revision in `refusing`, where our own
    handshakes fail, there is nothing to wait for.
    """
    opened = requested[requested["http_request_status"] == SWITCHING_PROTOCOLS]
    longest = opened.groupby("request_kind")["http_request_latency"].max()
    held = pd.to_timedelta(requested["request_kind"].map(longest).fillna(0), unit="s")
    in_time = requested["timestamp"] + held <= pulled
    return ~requested["websocket"] | in_time | requested["revision_name"].isin(refusing)


def path_shape(url: object) -> str:
    """A URL's path with what varies between calls replaced by `*`.

    >>> path_shape("wss://chat.example/rooms/8731/ws?token=x")
    '/rooms/*/ws'
    """
    try:
        path = urlsplit(str(url)).path if isinstance(url, str) else ""
    except ValueError:
        path = ""
    return "/".join("*" if VARIABLE_SEGMENT.fullmatch(part) else part for part in path.split("/")) or "/"


def _without_query(urls: pd.Series) -> pd.Series:
    """URLs up to their query: nearly each has one of its own, and few paths are left without it."""
    return urls.str.replace(r"[?#].*", "", regex=True)


def client(user_agent: object) -> str:
    """The first product of a user agent, without its version.

    >>> client("staging-e2e/1.4 (ci)"), client(None)
    ('staging-e2e', 'unnamed client')
    """
    found = CLIENT.match(user_agent) if isinstance(user_agent, str) else None
    return found[1] if found else "unnamed client"


def platform_text(text: object) -> str:
    """The name of the platform's own sentence in a request entry, empty where the platform said nothing."""
    if not isinstance(text, str) or not text:
        return ""
    return next((known.name for known in PLATFORM_TEXTS if known.search(text)), "")


def kind_counts(requested: pd.DataFrame) -> pd.DataFrame:
    """Requests by `revision_name` and `request_kind`: columns `count` and `failed`, as whole numbers of entries."""
    weighed = requested.assign(failed=requested["failed"] * requested["weight"])
    counted = weighed.groupby(["revision_name", "request_kind"], observed=True)
    totals = counted.agg(count=("weight", "sum"), failed=("failed", "sum"))
    return totals.reset_index().astype({"count": int, "failed": int})


def _distinct(column: pd.Series, function: object) -> pd.Series:
    """`function` of each value, called once for each distinct one."""
    values = column.astype("object")
    return values.map({value: function(value) for value in values.unique()}).astype("str")  # type: ignore[operator]

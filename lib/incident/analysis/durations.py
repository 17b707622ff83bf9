"""How long sockets lived, and whether they end where the request timeout ends them.

Reads the entries of sockets that have ended (status 101, whose latency is the socket's life) and the revisions'
settings. Cloud Run ends a socket at the revision's request timeout; an entry within a second of it, or within a tenth
of a short one, is taken for such an end. It cannot tell who ended a socket before that: the client, the application
or a proxy. A socket that is still open has no entry, so those opened less than one timeout before the window's end are not
all there.
"""

from __future__ import annotations

import json

import pandas as pd

NEAR_S, NEAR_PART = 1.0, 0.1

COLUMNS = {
    "timestamp": "datetime64[ns, UTC]", "revision_name": "str", "request_kind": "str", "client": "str",
    "duration_s": "float64", "timeout_s": "float64", "at_timeout": "bool", "weight": "int64",
}  # fmt: skip


def durations(opened: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """One row a socket that has ended, oldest first, with COLUMNS and the keys of its log entry.

    `duration_s` is its life and `timeout_s` its revision's request timeout, in seconds, null where it is not known;
    `at_timeout` is whether it ended there.
    """
    limits = {name: timeout(text) for name, text in zip(revisions["revision_name"], revisions["settings"], strict=True)}
    sockets = opened[opened["http_request_latency"].notna()].copy()
    sockets["duration_s"] = sockets["http_request_latency"].astype("float64")
    sockets["timeout_s"] = sockets["revision_name"].astype("object").map(limits).astype("float64")
    near = (sockets["timeout_s"] * NEAR_PART).clip(upper=NEAR_S)
    sockets["at_timeout"] = (sockets["duration_s"] - sockets["timeout_s"]).abs() <= near
    return sockets.sort_values("timestamp", kind="stable")


def timeout(settings: object) -> float | None:
    """The request timeout in a revision's settings, in seconds.

    >>> timeout('{"timeout_s": 300.0}')
    300.0
    """
    found = json.loads(settings).get("timeout_s") if isinstance(settings, str) and settings else None
    return float(found) if isinstance(found, int | float) else None

"""What the probe saw of each handshake beside what the service's own log says of it, and which layer refused.

Reads `handshakes`, the log's side of them (`analysis.sides`), and the platform's sentences in request entries. An entry
with such a sentence is the platform's answer; one with an instance and without a sentence the application's; one of
another status was changed on its way back. Where the log is silent nothing is claimed, unless it had settled: then the
answer came from something before the service. Cannot tell: which of several proxies that was, or who ended an accepted
connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from incident.analysis.changes import short_name
from incident.analysis.requests import SWITCHING_PROTOCOLS, platform_text
from incident.analysis.rows import telling
from incident.analysis.sides import sides
from incident.evidence import Evidence
from incident.sources.handshake_rows import OwnEntries

APPLICATION, PLATFORM = "application", "platform"
BETWEEN, BEFORE = "proxy in between", "before the service"

LAYER_WORDS = {
    APPLICATION: "the application", PLATFORM: "the platform", BETWEEN: "a proxy in between",
    BEFORE: "something before the service",
}  # fmt: skip
"""Each layer as a sentence names it."""

LOG_SIDE = {
    "seen": "seen", "matched": "matched", "instance_id": "instance_id", "log_status": "log_status",
    "log_latency_s": "log_latency_s", "log_because": "because", "observed": "observed",
}  # fmt: skip
"""The columns that the log's side adds, by the name of each in `sides`."""

SHORT_INSTANCE = 12
"""Instance ids have some 160 letters; so many of the first tell the instances of a service apart."""


def both_sides(evidence: Evidence) -> pd.DataFrame:
    """The columns of `handshakes`, as they were tried, and what the log has of each.

    `seen`, `matched`, `instance_id`, `log_status`, `log_latency_s` (seconds), `log_because` and `observed` as in
    `sides`; `platform_says` the platform's own sentence in the entry, else empty; `refused_by` one of application,
    platform, proxy in between, before the service, and empty where nothing was refused or the log does not say;
    `server_s` the log's latency, null of an opened socket, whose latency is its life, and of another try.
    """
    rows, known = evidence.handshakes.copy(), sides(evidence)
    for column, name in LOG_SIDE.items():
        rows[column] = known[name].array
    rows["revision_name"] = rows["revision_name"].where(rows["revision_name"].notna(), known["revision_name"].array)
    own = OwnEntries.of(evidence.logs)
    rows["platform_says"] = pd.Series([_platform_says(own, row) for row in rows.to_dict("records")], rows.index, "str")
    records = rows.to_dict("records")
    rows["refused_by"] = pd.Series(list(map(refused_by, records)), rows.index, "str")
    rows["server_s"] = pd.Series([_server_seconds(row) for row in records], rows.index, "float64")
    return rows


def of_the_endpoint(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of some rows that judge the run: without the same checks at other places."""
    return rows[rows["place"].isna() | (rows["place"] == "endpoint")].reset_index(drop=True)


def refused_by(row: Mapping[str, Any]) -> str:
    """The layer that refused one handshake, as far as the log says; empty where it does not, or nothing was refused.

    >>> row = {"kind": "websocket", "verdict": "refused", "http_status": 403, "attempts": 1, "platform_says": ""}
    >>> log = {"seen": "seen", "matched": "trace", "log_status": 403, "instance_id": "00ab"}
    >>> refused_by(row | log), refused_by(row | log | {"instance_id": None})
    ('application', '')
    >>> refused_by(row | log | {"platform_says": "The request was not authorized"})
    'platform'
    >>> refused_by(row | log | {"log_status": 101}), refused_by(row | {"seen": "not seen"})
    ('proxy in between', 'before the service')
    """
    if not _refused(row):
        return ""
    if row["seen"] == "not seen":
        return BEFORE
    if row["seen"] != "seen" or _of_another_try(row) or pd.isna(row["log_status"]):
        return ""
    if row["log_status"] != row["http_status"]:
        return BETWEEN
    if row["platform_says"]:
        return PLATFORM
    return APPLICATION if isinstance(row["instance_id"], str) else ""


def seen_by_the_log(rows: pd.DataFrame) -> pd.DataFrame:
    """Both sides as a table for people, one row a handshake, from the rows of `both_sides`.

    Columns `check`, `place`, `expected`, `probe saw`, `log has it`, `log status`, `log latency`, `revision`,
    `instance` (the first letters of its id), `refused by`, `matched by`. `place` and `refused by` are left out where
    they say nothing: all are of the endpoint, or none was refused by a known layer.
    """
    table = pd.DataFrame({
        "check": rows["name"], "place": rows["place"].astype("object").fillna("endpoint"),
        "expected": rows["expected"], "probe saw": rows["observed"], "log has it": rows["seen"],
        "log status": rows["log_status"], "log latency": [_latency(row) for row in rows.to_dict("records")],
        "revision": [short_name(name) if isinstance(name, str) else "" for name in rows["revision_name"]],
        "instance": [_short_instance(name) for name in rows["instance_id"]], "refused by": rows["refused_by"],
        "matched by": rows["matched"],
    })  # fmt: skip
    return telling(table, {"place": "endpoint", "refused by": ""})


def _refused(row: Mapping[str, Any]) -> bool:
    if row["kind"] == "http":
        return not pd.isna(row["http_status"]) and int(row["http_status"]) >= 400
    return bool(row["verdict"] == "refused")


def _of_another_try(row: Mapping[str, Any]) -> bool:
    """All tries of a check bear one probe id, and only the trace is of the last one, which the row is of."""
    return bool(row["matched"] != "trace" and not pd.isna(row["attempts"]) and row["attempts"] > 1)


def _server_seconds(row: Mapping[str, Any]) -> float | None:
    of_this = row["seen"] == "seen" and not _of_another_try(row) and not pd.isna(row["log_latency_s"])
    if not of_this or pd.isna(row["log_status"]) or row["log_status"] == SWITCHING_PROTOCOLS:
        return None
    return float(row["log_latency_s"]) if row["log_status"] == row["http_status"] else None


def _platform_says(own: OwnEntries, row: Mapping[str, Any]) -> str:
    """The text of a handshake's entry where it is one that only the platform writes."""
    entry, _ = own.of_probe(row["trace_id"], row["probe_id"])
    return str(entry["text"]) if entry is not None and platform_text(entry["text"]) else ""


def _short_instance(name: object) -> str:
    if not isinstance(name, str):
        return ""
    return name if len(name) <= SHORT_INSTANCE else f"{name[:SHORT_INSTANCE]}…"


def _latency(row: Mapping[str, Any]) -> str:
    """The latency in milliseconds; of a socket, how long it was open."""
    if pd.isna(row["log_latency_s"]):
        return ""
    is_open = not pd.isna(row["log_status"]) and row["log_status"] == SWITCHING_PROTOCOLS
    return f"{row['log_latency_s'] * 1000:,.0f} ms{' open' if is_open else ''}"

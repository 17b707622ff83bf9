"""Where the time of each handshake went: what every stage took, where it stopped, and what the service says it took.

Reads the rows of `analysis.both_sides`. The stages are those of the last try, and their sum is its total; the hold
after it is a choice of the check's and no part of it. The wait for the status holds the way there and back and the
service's own time, which the log's latency tells apart where there is one. Cannot tell: how long earlier tries took.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from incident.analysis.both_sides import both_sides, of_the_endpoint
from incident.analysis.rows import STATE_ORDER, code, telling
from incident.evidence import Evidence

STAGES = ("resolve", "connect", "tls", "status", "headers", "open")
"""The stages that are timed, in their order; sending the request counts with the wait for the status."""

SECONDS = tuple(f"{stage}_s" for stage in STAGES)

COLUMNS = (
    "probe_id", "time", "name", "kind", "verdict", "stage", "attempts", "code", "rank", *SECONDS, "total_s", "longest",
    "stopped", "server_s",
)  # fmt: skip


def timings(evidence: Evidence) -> pd.DataFrame:
    """One row a handshake of the endpoint that has a timing, in the order they were tried.

    Columns of `handshakes`, `code` and `rank` as in `handshake_rows`; `resolve_s` to `open_s` in seconds, null where a
    stage was not reached; `total_s` their sum; `longest` the stage that took most, the earlier one of two; `stopped`
    the stage in which no answer came, empty where one did; `server_s` the latency by the log, where it is at most the
    wait for the status.
    """
    rows = of_the_endpoint(both_sides(evidence)).sort_values("time", kind="stable", ignore_index=True)
    made = [row for row in map(_timed, rows.to_dict("records")) if row is not None]
    numbers = dict.fromkeys((*SECONDS, "total_s", "server_s"), "float64")
    return pd.DataFrame(made, columns=list(COLUMNS)).astype(numbers)


def stage_table(times: pd.DataFrame) -> pd.DataFrame:
    """Timings as a table for people, in milliseconds: `check`, each stage, `total`, `by the log`.

    `tries` and `stopped in`, and a stage that none reached, are left out where they say nothing.
    """
    names = [*(stage.replace("tls", "TLS") for stage in STAGES), "total", "by the log"]
    columns = (*SECONDS, "total_s", "server_s")
    timed = {f"{name}, ms": times[column].map(_thousandths) for name, column in zip(names, columns, strict=True)}
    table = pd.DataFrame({"check": times["name"], "tries": times["attempts"], **timed, "stopped in": times["stopped"]})
    return telling(table, {"tries": 1, "stopped in": ""} | dict.fromkeys(timed, ""))


def _timed(row: Mapping[str, Any]) -> dict[str, Any] | None:
    took = _stages(row["timings"])
    if not took:
        return None
    known = {name: row[name] for name in ("probe_id", "time", "name", "kind", "verdict", "stage", "attempts")}
    made = known | {f"{stage}_s": seconds for stage, seconds in took.items()} | {
        "code": code(row), "rank": STATE_ORDER.get(row["status"], 1), "total_s": sum(took.values()),
        "longest": max(took, key=lambda stage: took[stage]), "stopped": _stopped(row),
    }  # fmt: skip
    # A latency beyond the wait has the sending of the body in it, and what it was without is not known.
    return made | ({"server_s": row["server_s"]} if row["server_s"] <= took.get("status", 0) else {})


def _stages(text: object) -> dict[str, float]:
    """What each stage took that was reached; what is no number is left out: an export is written by anybody."""
    try:
        read = json.loads(text) if isinstance(text, str) and text else {}
    except ValueError:
        return {}
    found = {stage: read.get(f"{stage}_s") for stage in STAGES} if isinstance(read, dict) else {}
    return {stage: float(took) for stage, took in found.items() if took is not None and _is_time(took)}


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _stopped(row: Mapping[str, Any]) -> str:
    """The stage in which no answer came; the request is sent while the wait for the status is timed already."""
    answered = not pd.isna(row["http_status"]) and row["verdict"] != "unreachable"
    stage = {"request": "status"}.get(row["stage"], row["stage"])
    return "" if answered or stage not in STAGES else str(stage)


def _thousandths(seconds: float) -> float | None:
    return None if pd.isna(seconds) else round(seconds * 1000, 2 if seconds < 0.01 else 1)

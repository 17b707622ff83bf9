"""Evidence for tests, read from small YAML files: adding a case is adding a file.

A file holds `frames`, each a list of rows by column name. `at` in a row of logs is the time of day; `repeat: N` makes N
rows one second apart, each with an insert id of its own; `{n}` in a text is the number of the repetition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from incident.evidence import Evidence
from incident.findings import Gap
from incident.frames import FRAMES, TIME, rows_frame
from incident.scope import Scope

DAY = "2025-09-07"
SHORT = {
    "log": "log_name",
    "at": "timestamp",
    "revision": "revision_name",
    "instance": "instance_id",
    "status": "http_request_status",
    "url": "http_request_url",
    "agent": "http_request_user_agent",
    "latency": "http_request_latency",
    "method": "http_request_method",
}


def moment(time: str) -> pd.Timestamp:
    """A time of the day that all cases happen on, UTC."""
    return pd.Timestamp(f"{DAY}T{time}Z")


def read_evidence(case: dict[str, Any]) -> Evidence:
    """The evidence that a case's mapping describes; frames that it does not name are vouched for and empty."""
    frames = {name: rows_frame(name, _rows(name, rows)) for name, rows in case.get("frames", {}).items()}
    scope = Scope("my-project", "us-central1", "chat", "", moment("10:00:00"), moment("11:00:00"))
    return Evidence(
        scope,
        pulled=moment(case.get("pulled", "12:00:00")),
        frames=frames,
        gaps=tuple(Gap(**gap) for gap in case.get("gaps", ())),
        complete=frozenset(FRAMES) - set(case.get("not_vouched", ())),
        before=case.get("before"),
    ).with_gaps()


def _rows(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for row in rows:
        for number in range(row.get("repeat", 1)):
            made.append(_row(name, row, number) | ({"insert_id": f"{len(made):05d}"} if name == "logs" else {}))
    return sorted(made, key=lambda row: row["timestamp"]) if name == "logs" else made


def _row(name: str, row: dict[str, Any], number: int) -> dict[str, Any]:
    row = {column: value for column, value in row.items() if column != "repeat"}
    if name == "logs":
        log = row["log"]
        defaults = {"severity": "DEFAULT"} | ({"http_request_method": "GET"} if log == "requests" else {})
        named = {SHORT.get(column, column): value for column, value in row.items()}
        row = defaults | named | {"log_name": f"projects/my-project/logs/run.googleapis.com%2F{log}"}
    return {column: _value(name, column, value, number) for column, value in row.items()}


def _value(name: str, column: str, value: Any, number: int) -> Any:
    if FRAMES[name].columns.get(column) == TIME and isinstance(value, str):
        return moment(value) + pd.Timedelta(number if name == "logs" else 0, unit="s")
    return value.replace("{n}", str(number)) if isinstance(value, str) else value


@pytest.fixture
def evidence():
    """A function from a YAML file, a YAML text or a mapping to evidence."""

    def read(case: Path | str | dict[str, Any]) -> Evidence:
        text = case.read_text(encoding="utf-8") if isinstance(case, Path) else case
        return read_evidence(yaml.safe_load(text) if isinstance(text, str) else text)

    return read

"""What the tables of the charts hold, as frames: one row a revision with what it changed and did, one a handshake.

Reads the frames of a case. Decides which counts stand beside a change, where a number that no revision bears belongs,
and which handshakes come first; a chart only places what is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from incident.analysis.changes import NUMBER, short_name
from incident.handshake import RULES, observed

REVISION_COLUMNS = (
    "revision_name", "number", "time", "state", "count", "fields", "image", "previous_image", "compared_number",
    "confounded", "on", "opened", "opened_before", "failed", "failed_before", "build_start", "build_end",
)  # fmt: skip

STATE_ORDER = {"failed": 0, "uncertain": 1, "skipped": 1, "ok": 2}

KNOWN_RULE = RULES["status-101"].words.partition("{detail}")[2]
"""What the probe adds to every refusal; it need not be read in each of them."""


def revision_rows(
    revisions: pd.DataFrame, changes: pd.DataFrame, requested: pd.DataFrame, missing: Iterable[str],
    builds: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """One row a revision, oldest first, and one for each number that no revision bears, in its place.

    Columns `revision_name`, `number`, `time`, `state` (before, broke, fixed, none, unknown, missing), `count` of its
    requests, `fields` it changed, `image` and `previous_image` in short, `compared_number`, `confounded`, and the
    counts of (some, tries) that stand beside a change: `opened`, `opened_before`, `failed`, `failed_before`, the last
    two over the kinds of request in `on`; `build_start` and `build_end` of the build that it was the first to use.
    """
    known = revisions.sort_values(["create_time", "revision_name"], ignore_index=True).to_dict("records")
    change = {row["revision_name"]: row for row in changes.to_dict("records")}
    images = {row["revision_name"]: short_image(row) for row in known}
    first = {row["build_id"]: row["revision_name"] for row in reversed(known)}
    made = {first[row["build_id"]]: row for row in builds.to_dict("records") if row["build_id"] in first}
    rows = [_revision_row(row, change.get(row["revision_name"]), requested, images, made) for row in known]
    for name in missing:
        rows.insert(_place(rows, name), {"revision_name": name, "number": missing_number(name), "state": "missing"})
    return pd.DataFrame(rows, columns=list(REVISION_COLUMNS))


def missing_number(name: str) -> str:
    """The number of a revision that does not exist: `00138` of `chat-00138`."""
    return name.rpartition("-")[2]


def short_image(revision: Mapping[str, Any]) -> str:
    """What people call an image: its commit's first seven digits, else its digest's, else its name's end.

    >>> short_image({"commit": None, "image_digest": "sha256:0123456789", "image": "r/chat"})
    '0123456'
    """
    commit, digest, image = (
        value if isinstance(value := revision[name], str) else "" for name in ("commit", "image_digest", "image")
    )
    return (commit or digest.rpartition(":")[2])[:7] or image.rpartition("/")[2]


def handshake_rows(handshakes: pd.DataFrame) -> pd.DataFrame:
    """Handshakes in the order a reader needs: failed, undecided, as expected; within each as they were tried.

    The columns of `handshakes` and `rank` (0, 1, 2), `code` (the status, the close code, or `none`), `without_tls`.
    """
    rank = handshakes["status"].astype("object").map(lambda status: STATE_ORDER.get(status, 1)).astype(int)
    codes = [code(row) for row in handshakes.to_dict("records")]
    plain = [_without_tls(text) for text in handshakes["timings"]]
    rows = handshakes.assign(rank=rank, code=codes, without_tls=plain)
    return rows.sort_values("rank", kind="stable", ignore_index=True)


def check_table(handshakes: pd.DataFrame) -> pd.DataFrame:
    """Handshakes as a table for people, in the order of `handshake_rows`: what was expected beside what was observed.

    Columns `check`, `expected`, `observed`, `status`, `stopped at` (empty where it is as expected), `rule`, `headers
    sent` (names alone), `tries`, `why`; from `stopped at` to `tries` a column is left out where it says nothing.
    """
    rows = handshake_rows(handshakes)
    records = rows.to_dict("records")
    table = pd.DataFrame({
        "check": rows["name"], "expected": rows["expected"], "observed": [seen(row) for row in records],
        "status": rows["status"], "stopped at": rows["stage"].astype("object").where(rows["rank"] < STATE_ORDER["ok"]),
        "rule": rows["rule"], "headers sent": [_headers(row["sent"]) for row in records],
        "tries": rows["attempts"], "why": [in_brief(row["because"]) for row in records],
    })  # fmt: skip
    return telling(table, {"stopped at": "", "rule": "", "headers sent": "", "tries": 1})


def telling(table: pd.DataFrame, silent: Mapping[str, object]) -> pd.DataFrame:
    """A table without those columns in which every value is the one that says nothing, or missing.

    >>> list(telling(pd.DataFrame({"check": ["a"], "tries": [1], "rule": [None]}), {"tries": 1, "rule": ""}))
    ['check']
    """
    values = {name: table[name].astype("object") for name in silent}
    says_nothing = [name for name, found in values.items() if (found.isna() | (found == silent[name])).all()]
    return table.drop(columns=says_nothing)


def seen(row: Mapping[str, Any]) -> str:
    """What the probe saw, in few words: see `handshake.observed`."""
    return observed({name: None if pd.isna(value) else value for name, value in row.items()})


def in_brief(because: object) -> str:
    """The probe's own words, without what it adds to every refusal.

    >>> in_brief("answered 403 Forbidden; only 101 opens a WebSocket")
    'answered 403 Forbidden'
    """
    return because.replace(KNOWN_RULE, "") if isinstance(because, str) else ""


def _headers(sent: object) -> str:
    """The names of the headers that a check sent of its own."""
    try:
        read = json.loads(sent) if isinstance(sent, str) and sent else []
    except ValueError:
        return ""
    return ", ".join(map(str, read)) if isinstance(read, list) else ""


def _revision_row(
    revision: Mapping[str, Any], change: Mapping[str, Any] | None, requested: pd.DataFrame, images: Mapping[str, str],
    builds: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    name = revision["revision_name"]
    own = requested[requested["revision_name"] == name]
    build = builds.get(name, {})
    row = {
        "revision_name": name, "number": short_name(name), "time": revision["create_time"], "state": "before",
        "count": len(own), "fields": [], "image": images[name], "confounded": False, "on": [], "opened": _opened(own),
        "build_start": build.get("start_time"), "build_end": build.get("finish_time"),
    }  # fmt: skip
    if change is None:
        return row
    base = requested[requested["revision_name"] == change["compared_with"]]
    return row | {
        "state": change["effect"], "fields": change["fields"], "previous_image": images[change["previous"]],
        "compared_number": short_name(change["compared_with"]), "confounded": change["confounded"],
        "on": change["on"], "opened_before": _opened(base),
        "failed": _failed(own, change["on"]), "failed_before": _failed(base, change["on"]),
    }  # fmt: skip


def _opened(requested: pd.DataFrame) -> tuple[int, int]:
    tried = requested[requested["websocket"]]
    return int((~tried["failed"]).sum()), len(tried)


def _failed(requested: pd.DataFrame, kinds: Iterable[str]) -> tuple[int, int]:
    counted = requested[requested["request_kind"].isin(list(kinds))]
    return int(counted["failed"].sum()), len(counted)


def _place(rows: list[dict[str, Any]], name: str) -> int:
    """Where a missing number belongs: before the first revision with a higher one."""
    number = int(missing_number(name))
    numbers = [int(found["number"]) if (found := NUMBER.match(row["revision_name"])) else -1 for row in rows]
    return next((at for at, other in enumerate(numbers) if other > number), len(rows))


def code(row: Mapping[str, Any]) -> str:
    """The last thing that a handshake said: the code of a close, else the status, else `none`."""
    if not pd.isna(row["close_code"]):
        return f"close {row['close_code']}"
    return "none" if pd.isna(row["http_status"]) else str(row["http_status"])


def _without_tls(timings: object) -> bool:
    """Whether a handshake went past the stage of TLS without one, as on plain ws://."""
    took = json.loads(timings) if isinstance(timings, str) and timings else {}
    return took.get("tls_s") is None and any(took.get(name) is not None for name in ("status_s", "headers_s", "open_s"))

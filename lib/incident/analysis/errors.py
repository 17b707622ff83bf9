"""Which log entries are errors, and which of them are the same error.

Reads the `logs` frame without our own probes. Three kinds: requests that failed, grouped by status, path and the
platform's own sentence; exceptions, by type and innermost own frame; other lines, by their constant part. Severity
alone decides nothing, since plain standard error is DEFAULT and an instance's exit is a WARNING. A line whose words
merely look like an error is taken for one: a group proves nothing until a cause reads it.
"""

from __future__ import annotations

import hashlib
import re

import pandas as pd

from incident import platform
from incident.analysis.requests import requests, weight
from incident.analysis.tracebacks import read_traceback, rejoined
from incident.scope import Scope

SEVERE = ("ERROR", "CRITICAL", "ALERT", "EMERGENCY")
LEVEL_WORD = re.compile(r"(?:^|[\s\[\]|:=\"-])(?:ERROR|CRITICAL|FATAL|PANIC|SEVERE)(?![A-Za-z0-9_])")
FAILURE_WORDS = re.compile(
    r"^\W*(?:failed|fatal|unhandled|uncaught|panic)\b|\b\w+(?:Error|Exception)\b: ", re.IGNORECASE
)
REASON = re.compile(r"^\W*(?:Reason|Caused by): ")
PREFIX = re.compile(
    r"^(?:\[?\d{4}-\d\d-\d\d[T ][\d:.,]+ ?(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"|\[?(?:ERROR|CRITICAL|FATAL|WARNING)\]?:?|\[\d+\]|[\s:|-]+)+"
)
VARIABLE = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b"
    r"|\[redacted:[^\]]*\]|\b\d+(?:\.\d+)*\b",
    re.IGNORECASE,
)
TITLE_LENGTH = 100

SYSTEM_LOG = platform.log_name("", platform.SYSTEM).removeprefix("projects//")
SYSTEM_FAILURES = (
    platform.CONTAINER_EXIT, platform.CONTAINER_SIGNAL, platform.UNCAUGHT_SIGNAL, platform.MEMORY_LIMIT,
    platform.STARTUP_PROBE_FAILED, platform.LIVENESS_PROBE_FAILED, platform.TRUNCATED_BODY,
)  # fmt: skip
"""What the platform says of an instance that failed, at whatever severity it says it."""

GROUP_COLUMNS = {
    "group": "str", "kind": "str", "title": "str", "count": "int64", "first_seen_time": "datetime64[ns, UTC]",
    "last_seen_time": "datetime64[ns, UTC]", "revisions": "object", "representative": "str",
}  # fmt: skip


def error_entries(logs: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The entries that are errors, oldest first: the columns of `logs` and these.

    `group` a stable id, `kind` request, exception, system or line, `title` the group's name, `ended` when the entry
    was written (a request's timestamp is its start), `exception_message` what an exception said, else empty, `weight`
    how many entries the row stands for; and, null where it is no request, the columns of `requests`.
    """
    requested = requests(logs, scope)
    failed = requested[requested["failed"]]
    other = rejoined(logs[logs["http_request_status"].isna()])
    lines = other.assign(ended=other["timestamp"], weight=weight(other)).join(_read_lines(other))
    lines = lines[lines["title"] != ""]
    entries = pd.concat([failed.assign(**_request_titles(failed)), lines], ignore_index=True)
    entries["group"] = _ids(entries["kind"] + "\0" + entries["identity"])
    return entries.sort_values(["timestamp", "insert_id"], ignore_index=True, kind="stable")


def error_groups(entries: pd.DataFrame) -> pd.DataFrame:
    """One row a group, with the columns of GROUP_COLUMNS, the first to appear first.

    `revisions` lists full names in order of first appearance; `representative` is the text of the earliest entry.
    """
    if entries.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in GROUP_COLUMNS.items()})
    grouped = entries.groupby("group", sort=False)
    groups = grouped.agg(
        kind=("kind", "first"), title=("title", "first"), count=("weight", "sum"),
        first_seen_time=("timestamp", "min"), last_seen_time=("timestamp", "max"),
        revisions=("revision_name", lambda names: list(dict.fromkeys(names.dropna()))),
        representative=("text", "first"),
    )  # fmt: skip
    groups["representative"] = groups["representative"].fillna("").astype("str")
    ordered = groups.reset_index().sort_values(["first_seen_time", "count"], ascending=[True, False], kind="stable")
    return ordered.reset_index(drop=True)[list(GROUP_COLUMNS)]


def constant_part(text: str) -> str:
    """The first line of a text without its time and level, and with what varies replaced by `*`.

    >>> constant_part("2025-09-07 10:00:01,123 [7] ERROR: worker 31 lost 0xdeadbeef")
    'worker * lost *'
    """
    first = text.strip().split("\n", 1)[0][:2000]
    return VARIABLE.sub("*", PREFIX.sub("", first, count=1) or first)


def looks_like_error(text: str) -> bool:
    """Whether a line of no severity says of itself that something failed."""
    start = text[:200]
    return bool(LEVEL_WORD.search(start) or FAILURE_WORDS.search(start) or REASON.search(start))


def _request_titles(failed: pd.DataFrame) -> dict[str, pd.Series]:
    said = failed["platform_text"].str.lower().str.replace("_", " ")
    title = "HTTP " + failed["http_request_status"].astype("str") + " on " + failed["path"]
    return {
        "title": title.where(said == "", title + " · " + said),
        "identity": title + " " + failed["platform_text"],
        "kind": pd.Series("request", index=failed.index, dtype="str"),
        "exception_message": pd.Series("", index=failed.index, dtype="str"),
    }


def _read_lines(lines: pd.DataFrame) -> pd.DataFrame:
    """`kind`, `title`, `identity` and `exception_message` of entries that are no requests; no title, no error."""
    system = lines["log_name"].astype("str").str.endswith(SYSTEM_LOG)
    severe = lines["severity"].astype("str").isin(SEVERE)
    distinct = pd.DataFrame({"text": lines["text"].fillna("").astype("str"), "system": system, "severe": severe})
    known = {row: _read_line(*row) for row in distinct.drop_duplicates().itertuples(index=False, name=None)}
    read = [known[row] for row in distinct.itertuples(index=False, name=None)]
    columns = ["kind", "title", "identity", "exception_message"]
    return pd.DataFrame(read, index=lines.index, columns=columns, dtype="str")


def _read_line(text: str, system: bool, severe: bool) -> tuple[str, str, str, str]:
    if traceback := read_traceback(text):
        identity = f"{traceback.exception} {traceback.file} {traceback.function} {traceback.missing}"
        return "exception", _cut(traceback.title), identity, traceback.message
    if system:
        return ("system", *_system_title(text, severe), "")
    if text and (severe or looks_like_error(text)):
        part = constant_part(text)
        return "line", _cut(part), part, ""
    return "", "", "", ""


def _system_title(text: str, severe: bool) -> tuple[str, str]:
    """Title and identity of a system entry that tells of a failure; an exit's code stays, being its meaning."""
    failure = next((known for known in SYSTEM_FAILURES if known.search(text)), None)
    ended_well = platform.CONTAINER_EXIT_ZERO.search(text)
    if ended_well or not (failure or severe):
        return "", ""
    part = text.strip().split("\n", 1)[0].rstrip(".") if failure is platform.CONTAINER_EXIT else constant_part(text)
    return _cut(part), part


def _cut(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def _ids(identities: pd.Series) -> pd.Series:
    """A short stable id of each identity, the same in every run and on every machine."""
    named = {text: hashlib.blake2s(text.encode(), digest_size=4).hexdigest() for text in identities.unique()}
    return identities.map(named).astype("str")

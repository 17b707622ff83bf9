"""Which log entries are errors, and which of them are the same error.

Reads the `logs` frame without our own probes. Four kinds: requests that failed, grouped by method, path, status and the
platform's own sentence; exceptions, by type and own frames; what the platform says of an instance; and other lines, by
logger and constant part. Severity alone decides nothing, since plain standard error is DEFAULT and an instance's exit
is a WARNING. A line whose words merely look like an error is taken for one: a group proves nothing until a cause reads
it. Which words of a line vary is told by the lines beside it, so a line's group may have another name in another run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow.compute as pc

from incident import platform
from incident.analysis.lines import constant_part, constant_parts
from incident.analysis.rejoin import rejoined
from incident.analysis.requests import weight
from incident.analysis.strings import strings
from incident.analysis.structured import structured
from incident.analysis.tracebacks import read_traceback
from incident.masks import LOOKS_LIKE_ERROR, STARTS

SEVERE = ("ERROR", "CRITICAL", "ALERT", "EMERGENCY")
TITLE_LENGTH = 100
LINE_COLUMNS = {"kind": "str", "title": "str", "identity": "str", "exception_message": "str"}

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


def error_entries(logs: pd.DataFrame, requested: pd.DataFrame) -> pd.DataFrame:
    """The entries that are errors, oldest first: the columns of `logs` and these; `requested` are its requests.

    `text` is whole: what a structured logger called otherwise, and a stack trace that it kept apart, are in it.
    `group` is a stable id, `kind` request, exception, system or line, `title` the group's name, `ended` when the entry
    was written (a request's timestamp is its start), `exception_message` what an exception said, else empty, `weight`
    how many entries the row stands for; and, null where it is no request, the columns of `requests`.
    """
    failed = requested[requested["failed"]]
    other = rejoined(logs[logs["http_request_status"].isna()])
    told = structured(other["json_payload"])
    other = other.assign(ended=other["timestamp"], weight=weight(other), text=_whole(other["text"], told))
    lines = other.join(_read_lines(other, told), how="inner")
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


def looks_like_error(texts: pd.Series) -> pd.Series:
    """Whether each line says of itself, whatever its severity, that something failed.

    >>> looks_like_error(pd.Series(["[7] [ERROR] no such room", "the user wrote: no error here"])).to_list()
    [True, False]
    """
    starts = pc.utf8_slice_codeunits(strings(texts), 0, STARTS)
    looks = pc.match_substring_regex(starts, LOOKS_LIKE_ERROR)
    return pd.Series(looks.to_numpy(zero_copy_only=False), index=texts.index)


def _request_titles(failed: pd.DataFrame) -> dict[str, pd.Series]:
    said = failed["platform_text"].str.lower().str.replace("_", " ")
    method = failed["http_request_method"].astype("str").fillna("")
    asked = (method + " ").where(~method.isin(["GET", ""]), "") + failed["path"]
    title = "HTTP " + failed["http_request_status"].astype("str") + " on " + asked
    return {
        "title": title.where(said == "", title + " · " + said),
        "identity": title + " " + failed["platform_text"],
        "kind": pd.Series("request", index=failed.index, dtype="str"),
        "exception_message": pd.Series("", index=failed.index, dtype="str"),
    }


def _whole(text: pd.Series, told: pd.DataFrame) -> pd.Series:
    """Each text, or the message that stands for it, with the stack trace that came beside it."""
    said = text.fillna("").astype("str")
    said = said.where(said != "", told["message"])
    raised = told.loc[told["stack"] != "", "stack"]
    both = said[raised.index].combine(raised, lambda one, stack: one if stack in one else f"{one}\n{stack}")
    return said.mask(told["stack"] != "", both)


def _read_lines(lines: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """The columns of LINE_COLUMNS of those entries that are errors and no requests, with their index."""
    text = lines["text"]
    system = lines["log_name"].astype("str").str.endswith(SYSTEM_LOG)
    severe = lines["severity"].astype("str").isin(SEVERE) | told["severe"]
    raised = _exceptions(text)
    is_line = ~system & ~text.index.isin(raised.index) & (text != "")
    is_line &= severe | looks_like_error(text)
    parts = [
        raised,
        _system_lines(text[system & ~text.index.isin(raised.index)], severe),
        _other_lines(text[is_line], told["logger"][is_line]),
    ]
    return pd.concat([part for part in parts if len(part)] or [_read({}, [])])


def _read(rows: Mapping[str, object], index: Sequence[object] | pd.Index) -> pd.DataFrame:
    return pd.DataFrame({name: rows.get(name, "") for name in LINE_COLUMNS}, index=index).astype(LINE_COLUMNS)


def _exceptions(text: pd.Series) -> pd.DataFrame:
    """Those texts that hold a stack trace, each distinct one read once."""
    several = text[text.str.contains("\n", regex=False)]
    known = {one: found for one in several.unique() if (found := read_traceback(one))}
    raised = several[several.isin(known.keys())]
    read = [known[one] for one in raised]
    return _read(
        {
            "kind": "exception", "title": [_cut(one.title) for one in read],
            "identity": [one.identity for one in read], "exception_message": [one.message for one in read],
        },
        raised.index,
    )  # fmt: skip


def _system_lines(text: pd.Series, severe: pd.Series) -> pd.DataFrame:
    """What the platform says of an instance that failed."""
    asked = list(zip(text, severe[text.index], strict=True))
    known = {pair: _system_title(*pair) for pair in set(asked)}
    rows = [known[pair] for pair in asked]
    read = _read({"kind": "system", "title": [r[0] for r in rows], "identity": [r[1] for r in rows]}, text.index)
    return read[read["title"] != ""]


def _other_lines(text: pd.Series, logger: pd.Series) -> pd.DataFrame:
    """Lines by what their logger is called and by their constant part."""
    part = constant_parts(text)
    named = part.where(logger == "", logger + ": " + part)
    return _read({"kind": "line", "title": named.map(_cut), "identity": logger + "\0" + part}, text.index)


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

"""Calls that changed a service: who called what and when, and which of them made which revision.

Reads the activity entries of `audit`, in v1's and v2's form. A long operation writes two entries, one at its start and
one at its end (cloud.google.com/run/docs/audit-logging): they are one call. Cloud Run's entries do not name the
revision that they make: a revision is the work of the last call in the minute before it. It cannot tell two calls
apart that both came in that minute, nor a call whose entry is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from incident.analysis.normal import json_object
from incident.http1 import printable

DEPLOYING = ("ReplaceService", "UpdateService", "CreateService")
"""The methods that can make a revision, in v1 and v2."""

MAKING = pd.Timedelta("60s")
"""A call and the revision that it makes are less far apart."""

LATE = pd.Timedelta("2s")
"""A revision's time may be cut to whole seconds, so that it can lie before the call that made it."""

OPERATION = pd.Timedelta("10min")
"""A long operation's end is looked for this long after its start; deploys take less."""


@dataclass(frozen=True)
class Call:
    """One call. `time` is UTC; `method` is without its package; `request` and `response` are documents, or empty.

    `refused` says why the call failed, with its code, and is empty where it did not; `ended` whether an operation
    did so at its end, so that it may have begun to change something.
    """

    time: pd.Timestamp
    method: str
    by: str
    resource: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    refused: str = ""
    ended: bool = False


def calls(audit: pd.DataFrame) -> list[Call]:
    """The calls of people and programs that the audit entries show, oldest first, each once."""
    named = audit[audit["principal_email"].notna() & audit["method_name"].notna()]
    named = named[named["method_name"].astype("str").str.contains("Services.", regex=False)]
    found: list[Call] = []
    last: dict[tuple[str, str], int] = {}
    for row in named.sort_values(["timestamp", "insert_id"], kind="stable").to_dict("records"):
        call = _call(row)
        who = (call.method, call.by)
        if who in last and _is_end(found[last[who]], call):
            begun = found[last[who]]
            found[last[who]] = replace(
                begun, response=begun.response or call.response, refused=call.refused, ended=True
            )
            continue
        last[who] = len(found)
        found.append(call)
    return found


def makers(made: Iterable[Call], revisions: pd.DataFrame) -> dict[str, Call]:
    """The call that made each revision, by the revision's name, as far as there is one.

    The last one in the minute before the revision was created, else the first in the two seconds after it.
    """
    able = [call for call in made if call.method in DEPLOYING and (not call.refused or call.ended)]
    found = {row.revision_name: _maker(row.create_time, able) for row in revisions.itertuples()}
    return {name: call for name, call in found.items() if call is not None}


def _maker(created: pd.Timestamp, able: list[Call]) -> Call | None:
    if pd.isna(created):
        return None
    before = [call for call in able if created - MAKING < call.time <= created]
    after = [call for call in able if created < call.time < created + LATE]
    return before[-1] if before else after[0] if after else None


def _call(row: Mapping[str, Any]) -> Call:
    code = row["status_code"]
    message = row["status_message"] if isinstance(row["status_message"], str) else ""
    refused = "" if pd.isna(code) or code == 0 else printable(message, 200) or f"code {code}"
    method, resource = str(row["method_name"]).rpartition(".")[2], row["resource_name"]
    return Call(
        row["timestamp"], printable(method, 60), printable(str(row["principal_email"]), 200),
        resource if isinstance(resource, str) else "", json_object(row["request"]), json_object(row["response"]),
        refused,
    )  # fmt: skip


def _is_end(begun: Call, call: Call) -> bool:
    """Whether a call is the end of an operation: it asks for nothing, and its start, which did, was there."""
    is_operation = call.method != "SetIamPolicy" and bool(begun.request) and not begun.ended and not begun.refused
    return is_operation and not call.request and call.time - begun.time <= OPERATION

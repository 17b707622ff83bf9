"""The frames `logs` and `audit` of an exported file of entries, a thousand at a time.

Decides: which entries are of the service, and of which frame. Reads `logs.json`: entries of the service's logs straight
into columns (`columns_json`), and what that does not take by protobuf's own JSON reader, which also says what is
wrong with an entry. Cannot tell: the text of a split entry's part that is not in the file, which is a gap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from incident import frames
from incident.sources import columns, columns_json, decode, entries, rest
from incident.sources.export_reading import Reading, Tally
from incident.sources.export_scope import fits
from incident.sources.json_files import Refused, parts
from incident.sources.rest import UNREADABLE, Identity

Row = dict[str, Any]

FRAME_OF = {
    log.replace("/", "%2F"): frame
    for frame, logs in (("logs", entries.SERVICE_LOGS), ("audit", entries.AUDIT_LOGS))
    for log in logs
}
"""The frame that an entry belongs to, by the end of its log's name."""

AT_ONCE = 1000
LARGEST = 2**63


class Page(NamedTuple):
    """What some values of the file came to: how many they were, and the service's entries among them."""

    values: int
    logs: pa.RecordBatch
    audit: Sequence[Row]


@dataclass
class Found:
    """The entries of one service so far: batches and messages that become batches, and audit rows."""

    where: Identity
    batches: list[pa.RecordBatch] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)
    frame_of: Callable[[str, bytes], str | None] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the answer for each distinct log and resource: an export has few."""
        self.frame_of = lru_cache(maxsize=4096)(partial(_frame_of, self.where))

    def page(self, found: Sequence[columns_json.Entry]) -> Page:
        """What some entries come to; nothing is kept of them here."""
        held = columns_json.held(found)
        origins, which = held.origins()
        names = np.array([self.frame_of(*origin) for origin in origins], object)[which]
        audit = [entries.audit_row(_message(entry)) for entry in held.only(names == "audit").entries]
        return Page(len(found), columns_json.page_batch(held.only(names == "logs")), audit)

    def add(self, page: Page, tally: Tally) -> None:
        """Keep a page."""
        tally.number += page.values
        tally.made += len(page.audit) + page.logs.num_rows
        self.batches.append(page.logs)
        self.audit += page.audit

    def add_refused(self, value: Any, tally: Tally) -> None:
        """Keep an entry that no page took, or count it as bad; one of another service or log is passed over."""
        tally.number += 1
        try:
            said = rest.identity(value)
            fitting = said is not None and fits(said, self.where)
            name = FRAME_OF.get(_log_of(value["logName"])) if fitting else None
            message = _checked(rest.log_entry(value)) if name else None
            self.audit += [entries.audit_row(message)] if name == "audit" else []
        except UNREADABLE as error:
            tally.add_bad(error)
            return
        tally.made += message is not None
        self.messages += [message] if name == "logs" else []
        if len(self.messages) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Make a batch of the messages that wait."""
        self.batches.append(columns.page_batch(decode.page_of(self.messages).entries))
        self.messages = []


def entry_frames(reading: Reading, own: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """The frames `logs` and `audit` of a folder; `own` maps this run's trace ids to their probe ids."""
    found = Found(reading.where)
    with reading.tally("logs") as (file, tally):
        for part in parts(file, columns_json.entries, found.page, UNREADABLE) if file else ():
            if isinstance(part, Refused):
                found.add_refused(json.loads(part.text), tally)
            else:
                found.add(part, tally)
    found.flush()
    logs, gaps = columns.logs_frame(found.batches)
    reading.gaps += [replace(gap, remedy=reading.remedy("logs")) for gap in gaps]
    audit = entries.one_of_each(frames.rows_frame("audit", found.audit), "audit")
    return {"logs": _marked(categories_in_order(logs), own), "audit": categories_in_order(audit)}


def _marked(logs: pd.DataFrame, own: Mapping[str, str]) -> pd.DataFrame:
    """The entries with those of our probes marked; where there are none, no trace needs to be looked at."""
    agents = logs["http_request_user_agent"].cat.categories
    return entries.probes_marked(logs, own) if own or any(map(entries.OUR_USER_AGENT.fullmatch, agents)) else logs


def _frame_of(where: Identity, log_name: str, resource: bytes) -> str | None:
    """The frame of an entry, by its log and the text of its resource; None where it is not asked for."""
    said = rest.identity({"logName": log_name, "resource": json.loads(resource or "{}")})
    return FRAME_OF.get(_log_of(log_name)) if said is not None and fits(said, where) else None


def _log_of(log_name: str) -> str:
    return log_name.partition("/logs/")[2]


def _message(entry: columns_json.Entry) -> Any:
    """An entry as protobuf, with the fields that a row of `audit` has."""
    resource, payload = (json.loads(bytes(part) or "null") for part in (entry.resource, entry.proto_payload))
    value = {
        "logName": entry.log_name, "timestamp": entry.timestamp, "insertId": entry.insert_id,
        "severity": entry.severity, "textPayload": entry.text_payload, "resource": resource, "protoPayload": payload,
    }  # fmt: skip
    return _checked(rest.log_entry({name: part for name, part in value.items() if part is not None}))


def _checked(message: Any) -> Any:
    """A message itself, if its times are ones that a frame can hold."""
    times = (entries.nanoseconds(message, name) or 0 for name in ("timestamp", "receive_timestamp"))
    if any(abs(time) >= LARGEST for time in times):
        raise ValueError("it has a time that no clock shows")
    return message


def categories_in_order(data: pd.DataFrame) -> pd.DataFrame:
    """The same rows with each column's categories in the order of the rows: a file's own order leaves no trace."""
    repeated = data.select_dtypes("category")
    return data.assign(
        **{name: repeated[name].cat.set_categories(repeated[name].dropna().unique().tolist()) for name in repeated}
    )

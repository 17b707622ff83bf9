"""Log entries as Cloud Logging sends them: the filters that ask for them, and what becomes of their frames.

Decides: which entries are of the service (containers, requests, system) and which of its administration (activity,
system_event, policy), and which of them our own probes caused. Reads raw protobuf, so that nanoseconds are kept.
Cannot tell: requests that never reached the service, which are in no log. Denials by VPC Service Controls name another
resource type and have a filter of their own (`log_queries`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from google.cloud.audit import audit_log_pb2

from incident import platform
from incident.frames import FRAMES
from incident.scope import Scope, rfc3339
from incident.sources.decode import official
from incident.sources.decode_json import struct_text

SERVICE_LOGS = (platform.REQUESTS, platform.STDOUT, platform.STDERR, platform.SYSTEM)
AUDIT_LOGS = (platform.ACTIVITY, platform.SYSTEM_EVENT, platform.POLICY)
SEVERITY = {number: name for name, number in platform.SEVERITIES.items()}
OUR_USER_AGENT = re.compile(r"incident/\S+ \(probe ([0-9A-Za-z-]+)\)")
RESOURCE = "cloud_run_revision"


def logs_filter(scope: Scope, logs: tuple[str, ...] = SERVICE_LOGS) -> str:
    """The filter for a scope's entries in some logs; each part in parentheses, since OR binds tighter than AND.

    It names no revision (activity entries have an empty one) and no severity (plain standard error has none).
    Source: cloud.google.com/logging/docs/view/logging-query-language.
    """
    names = " OR ".join(quoted(platform.log_name(scope.project, log)) for log in logs)
    parts = (
        f"resource.type={quoted(RESOURCE)}",
        f"resource.labels.service_name={quoted(scope.service)}",
        f"resource.labels.location={quoted(scope.region)}",
        f"logName=({names})",
        f"timestamp>={quoted(rfc3339(scope.start))}",
        f"timestamp<{quoted(rfc3339(scope.end))}",
    )
    return " AND ".join(f"({part})" for part in parts)


def audit_filter(scope: Scope) -> str:
    """The filter for the entries of a scope's administration."""
    return logs_filter(scope, AUDIT_LOGS)


def quoted(value: str) -> str:
    r"""A text as a string of Google's query language, from which nothing in it can break out.

    >>> print(quoted('a" OR "b'))
    "a\" OR \"b"
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def audit_row(entry: Any) -> dict[str, Any]:
    """One entry, official or of a `decode.Page`, as a row of `audit`; a payload that is no AuditLog leaves nulls."""
    entry = official(entry)
    severity = {"severity": SEVERITY.get(entry.severity)}
    audit = audit_log(entry)
    if audit is None:
        return _identity(entry) | severity | {"status_message": entry.text_payload or None}
    status = audit.status if audit.HasField("status") else None
    return _identity(entry) | severity | {
        "method_name": audit.method_name or None,
        "principal_email": audit.authentication_info.principal_email or None,
        "resource_name": audit.resource_name or None,
        "revision_name": entry.resource.labels.get("revision_name") or _revision_of(audit.resource_name),
        "status_code": status.code if status else None,
        "status_message": status.message if status else None,
        "request": struct_text(audit.request) if audit.HasField("request") else None,
        "response": struct_text(audit.response) if audit.HasField("response") else None,
    }  # fmt: skip


def audit_log(entry: Any) -> Any | None:
    """The AuditLog that an entry carries, or None where it carries another payload."""
    packed = entry.HasField("proto_payload") and entry.proto_payload
    if not packed or not packed.Is(audit_log_pb2.AuditLog.DESCRIPTOR):
        return None
    audit = audit_log_pb2.AuditLog()
    packed.Unpack(audit)
    return audit


def nanoseconds(message: Any, field: str) -> int | None:
    """A timestamp field in nanoseconds since 1970, UTC; None where it is not set."""
    if not message.HasField(field):
        return None
    time = getattr(message, field)
    return int(time.seconds) * 1_000_000_000 + int(time.nanos)


def _identity(entry: Any) -> dict[str, Any]:
    return {
        "log_name": entry.log_name,
        "timestamp": nanoseconds(entry, "timestamp"),
        "insert_id": entry.insert_id,
    }


def _revision_of(resource_name: str) -> str | None:
    parts = resource_name.split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "revisions" else None


def one_of_each(data: pd.DataFrame, name: str) -> pd.DataFrame:
    """The entries of frame `name` (`logs` or `audit`), each once by its identity, oldest first."""
    if not data["timestamp"].is_monotonic_increasing:
        data = data.sort_values("timestamp", kind="stable", ignore_index=True)
    is_tied = data["timestamp"].duplicated(keep=False).to_numpy()
    if not is_tied.any():
        return data
    ties = data.loc[is_tied, list(FRAMES[name].key)].sort_values(["timestamp", "insert_id"], kind="stable")
    order, keep = np.arange(len(data)), np.ones(len(data), bool)
    order[is_tied], keep[is_tied] = ties.index, ~ties.duplicated()
    return data.take(order[keep]).reset_index(drop=True)


def probes_marked(logs: pd.DataFrame, own: Mapping[str, str]) -> pd.DataFrame:
    """`logs` with `probe_id` on each entry that our own probes caused, this run's or another's.

    A request entry is ours by its user agent, `incident/VERSION (probe ID)`, or by a trace in `own`, which maps the
    trace ids (32 hex) of this run's handshakes to their probe ids; other entries are ours by such an entry's trace.
    """
    agents, traces = logs["http_request_user_agent"], logs["trace"].str.replace(r"^.*/", "", regex=True)
    ours = {agent: found[1] for agent in agents.cat.categories if (found := OUR_USER_AGENT.fullmatch(agent))}
    mine = _known(agents, ours).combine_first(_known(traces, own))
    traced = traces[mine.index].dropna()
    marked = mine.combine_first(_known(traces, dict(zip(traced, mine[traced.index], strict=True))))
    return logs.assign(probe_id=marked.reindex(logs.index).astype(logs["probe_id"].dtype))


def _known(column: pd.Series, ids: Mapping[str, str]) -> pd.Series:
    """The probe ids of the few rows whose value is in `ids`."""
    found = column[column.isin(list(ids))].astype("object")
    return found.map(ids).astype("object")

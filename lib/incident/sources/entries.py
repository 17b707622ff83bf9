"""Log entries as Cloud Logging sends them: the filters that ask for them, and the rows they become.

Decides: which entries are of the service (containers, requests, system) and which of its administration (activity,
system_event, policy), and which of them our own probes caused. Reads raw protobuf, so that nanoseconds are kept.
Cannot tell: requests that never reached the service, which are in no log; a denial by VPC Service Controls, which
names another resource type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
from google.cloud.audit import audit_log_pb2
from google.protobuf import json_format, struct_pb2

from incident import platform
from incident.frames import FRAMES
from incident.scope import Scope, rfc3339

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


def log_row(entry: Any) -> dict[str, Any]:
    """One raw LogEntry as a row of `logs`."""
    labels, resource = dict(entry.labels), entry.resource.labels
    return _identity(entry) | _request(entry) | {
        "receive_timestamp": nanoseconds(entry, "receive_timestamp"),
        "severity": SEVERITY.get(entry.severity),
        "text": _text(entry),
        "json_payload": as_json(entry.json_payload) if entry.HasField("json_payload") else None,
        "service_name": resource.get("service_name") or None,
        "revision_name": resource.get("revision_name") or None,
        "location": resource.get("location") or None,
        "instance_id": labels.get("instanceId"),
        "container_name": labels.get("container_name"),
        "trace": entry.trace or None,
        "span_id": entry.span_id or None,
        "labels": json.dumps(labels, sort_keys=True),
    }  # fmt: skip


def audit_row(entry: Any) -> dict[str, Any]:
    """One raw LogEntry as a row of `audit`; a payload that is no AuditLog leaves its columns null."""
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
        "request": as_json(audit.request) if audit.HasField("request") else None,
        "response": as_json(audit.response) if audit.HasField("response") else None,
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


def as_json(struct: struct_pb2.Struct) -> str:
    """A Struct as JSON text with sorted keys; whole numbers without the ".0" that a Struct's doubles bring."""
    return json.dumps(_whole(json_format.MessageToDict(struct)), sort_keys=True, ensure_ascii=False)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _identity(entry: Any) -> dict[str, Any]:
    return {
        "log_name": entry.log_name,
        "timestamp": nanoseconds(entry, "timestamp"),
        "insert_id": entry.insert_id,
    }


def _request(entry: Any) -> dict[str, Any]:
    if not entry.HasField("http_request"):
        return {}
    request = entry.http_request
    latency = request.latency.seconds + request.latency.nanos / 1e9 if request.HasField("latency") else None
    return {
        "http_request_method": request.request_method or None,
        "http_request_url": request.request_url or None,
        "http_request_status": request.status or None,
        "http_request_latency": latency,
        "http_request_user_agent": request.user_agent or None,
        "http_request_protocol": request.protocol or None,
        "http_request_remote_ip": request.remote_ip or None,
    }


def _text(entry: Any) -> str | None:
    if entry.HasField("text_payload"):
        return str(entry.text_payload)
    if entry.HasField("json_payload"):
        message = entry.json_payload.fields.get("message")
        return message.string_value if message is not None and message.HasField("string_value") else None
    audit = audit_log(entry)
    return audit.status.message or None if audit is not None else None


def _revision_of(resource_name: str) -> str | None:
    parts = resource_name.split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "revisions" else None


def one_of_each(data: pd.DataFrame, name: str) -> pd.DataFrame:
    """The entries of frame `name` (`logs` or `audit`), each once by its identity, oldest first."""
    once = data.drop_duplicates(list(FRAMES[name].key))
    return once.sort_values(["timestamp", "insert_id"], kind="stable", ignore_index=True)


def probes_marked(logs: pd.DataFrame, own: Mapping[str, str]) -> pd.DataFrame:
    """`logs` with `probe_id` on each entry that our own probes caused, this run's or another's.

    A request entry is ours by its user agent, `incident/VERSION (probe ID)`, or by a trace in `own`, which maps the
    trace ids (32 hex) of this run's handshakes to their probe ids; other entries are ours by such an entry's trace.
    """
    agents, traces = logs["http_request_user_agent"], logs["trace"].str.replace(r"^.*/", "", regex=True)
    ours = {agent: found[1] for agent in agents.cat.categories if (found := OUR_USER_AGENT.fullmatch(agent))}
    mine = agents.astype("object").map(ours).astype("object")
    mine = mine.where(mine.notna(), traces.map(own))
    traced = mine.notna() & traces.notna()
    of_trace = dict(zip(traces[traced], mine[traced], strict=True))
    marked = mine.where(mine.notna(), traces.map(of_trace))
    return logs.assign(probe_id=marked.astype(logs["probe_id"].dtype))

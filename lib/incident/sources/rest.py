"""Google's REST JSON as the messages that the official clients return, so that one set of functions makes rows of both.

Decides: of which project, region and service a value is. Reads values of parsed JSON: log entries, Cloud Run's
resources in v1 and v2 form, builds, an IAM policy. Fields that a message does not have are passed over (a log entry's
`errorGroups` and `apphub`, say). Cannot tell: what is in a payload of a type that is no AuditLog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from google.cloud.audit import audit_log_pb2
from google.cloud.devtools.cloudbuild_v1.types import Build
from google.cloud.logging_v2.types import LogEntry
from google.cloud.run_v2.types import Revision, Service
from google.iam.v1 import policy_pb2
from google.protobuf import json_format

from incident.sources import run_v1
from incident.sources.entries import RESOURCE

UNREADABLE = (
    json_format.Error, msgspec.MsgspecError, pa.ArrowException, ValueError, TypeError, KeyError, AttributeError,
    OverflowError, RecursionError,
)  # fmt: skip
"""What making a message or a row of a value may raise where the value is not of that kind."""

AUDIT_TYPE = f"type.googleapis.com/{audit_log_pb2.AuditLog.DESCRIPTOR.full_name}"
NAME = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/services/(?P<service>[^/]+)")
LOG_NAME = re.compile(r"projects/([^/]+)/logs/.+")


class Identity(NamedTuple):
    """Of which service something is; an empty part is not said."""

    project: str
    region: str
    service: str


def log_entry(value: Mapping[str, Any]) -> Any:
    """A raw LogEntry; one without a log or a time is refused with a `ValueError`, since nothing could name it."""
    if not value.get("logName") or not value.get("timestamp"):
        raise ValueError("it has no logName or no timestamp")
    return json_format.ParseDict(_with_known_payload(value), LogEntry.pb()(), ignore_unknown_fields=True)


def _with_known_payload(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An entry without what the parser would refuse the whole for: packed messages of types that are not known here."""
    payload = value.get("protoPayload")
    if not payload:
        return value
    if payload.get("@type") != AUDIT_TYPE:
        return {name: part for name, part in value.items() if name != "protoPayload"}
    known = {name: part for name, part in payload.items() if name != "serviceData"}
    if "status" in known:
        known["status"] = {name: part for name, part in known["status"].items() if name != "details"}
    return {**value, "protoPayload": known}


def service(value: Mapping[str, Any]) -> Service:
    """A Service, of either form."""
    return Service(_parsed(run_v1.service_v2(value) if run_v1.is_v1(value) else value, Service.pb()()))


def revision(value: Mapping[str, Any]) -> Revision:
    """A Revision, of either form."""
    return Revision(_parsed(run_v1.revision_v2(value) if run_v1.is_v1(value) else value, Revision.pb()()))


def build(value: Mapping[str, Any]) -> Build:
    """A Build."""
    if not value.get("id"):
        raise ValueError("it has no id")
    return Build(json_format.ParseDict(value, Build.pb()(), ignore_unknown_fields=True))


def policy(value: Mapping[str, Any]) -> Any:
    """An IAM policy; one that nobody ever set has an `etag` alone."""
    if not {"bindings", "etag"} & set(value):
        raise ValueError("it has neither bindings nor an etag")
    return json_format.ParseDict(value, policy_pb2.Policy(), ignore_unknown_fields=True)


def _parsed(value: Mapping[str, Any], message: Any) -> Any:
    if not value.get("name"):
        raise ValueError("it has no name")
    return json_format.ParseDict(value, message, ignore_unknown_fields=True)


def identity(value: Mapping[str, Any]) -> Identity | None:
    """Of which service a log entry or a resource of Cloud Run is; None where it is of none.

    >>> identity({"name": "projects/p/locations/us-central1/services/chat/revisions/chat-00001-abc"})
    Identity(project='p', region='us-central1', service='chat')
    """
    if "logName" in value:
        return _identity_of_entry(value)
    if run_v1.is_v1(value):
        meta = value["metadata"]
        labels = meta.get("labels", {})
        name = labels.get(run_v1.SERVICE_LABEL) if value.get("kind") == "Revision" else meta["name"]
        return Identity("", labels.get(run_v1.LOCATION_LABEL, ""), name or "")
    named = NAME.match(value.get("name", ""))
    return Identity(**named.groupdict()) if named else None


def _identity_of_entry(value: Mapping[str, Any]) -> Identity | None:
    resource, log = value.get("resource", {}), LOG_NAME.fullmatch(value["logName"])
    labels = resource.get("labels", {})
    if resource.get("type") != RESOURCE or not log:
        return None
    return Identity(log[1], labels.get("location", ""), labels.get("service_name", ""))


def why(error: Exception) -> str:
    """Why a value could not be read, without any part of the value, which may be secret."""
    if isinstance(error, json_format.ParseError):
        place = ".".join(re.findall(r"Failed to parse (\w+) field", str(error)))
        return f"{place} has a wrong value" if place else "it has a wrong shape"
    said = type(error) is ValueError and str(error).startswith("it has ")
    return str(error) if said else "it has a wrong shape"

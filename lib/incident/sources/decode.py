"""Pages of `entries.list` with only the fields that a frame has: the official bytes, read by a narrower schema.

Decides which fields of a LogEntry are read, and which of them are left as bytes: resource and labels, which repeat and
need reading once for each distinct value, and the payloads that are documents. Field numbers and types are those of the
official client's own descriptors. An entry keeps the fields that are not read, so that `official` gives it back whole.
Cannot tell: whether a field that is left as bytes is well formed; whoever reads it finds out.
Source: protobuf.dev/programming-guides/encoding, "Last One Wins" and "Unknown fields".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.cloud.logging_v2.services.logging_service_v2.transports import LoggingServiceV2GrpcTransport
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

AS_BYTES = frozenset({"resource", "labels", "json_payload", "proto_payload"})
READ = AS_BYTES | frozenset(
    "log_name timestamp receive_timestamp insert_id severity text_payload http_request trace span_id split".split()
)
"""The fields of LogEntry that are read."""

PACKAGE = "incident"


def _page_class() -> Any:
    """The class of a page: ListLogEntriesResponse whose entries have only the fields in `READ`."""
    entry, page = LogEntry.pb().DESCRIPTOR, ListLogEntriesResponse.pb().DESCRIPTOR
    files = {field.message_type.file.name for field in entry.fields if field.name in READ and field.message_type}
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{PACKAGE}/pages.proto", package=PACKAGE, syntax="proto3", dependency=sorted(files)
    )
    _narrow(entry, file.message_type.add(name="Entry"))
    page.CopyToProto(narrow := file.message_type.add())
    narrow.name = "Page"
    next(field for field in narrow.field if field.name == "entries").type_name = f".{PACKAGE}.Entry"
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Page"))


def _narrow(entry: Any, narrow: Any) -> None:
    """Fill `narrow` with the fields of `entry` in `READ`; enumerations become numbers."""
    narrow.oneof_decl.add(name="payload")
    entry.CopyToProto(whole := descriptor_pb2.DescriptorProto())
    for field in whole.field:
        if field.name not in READ:
            continue
        kept = narrow.field.add()
        kept.CopyFrom(field)
        if field.name in AS_BYTES or field.type == field.TYPE_ENUM:
            kept.type = field.TYPE_BYTES if field.name in AS_BYTES else field.TYPE_INT32
            kept.ClearField("type_name")


Page: Any = _page_class()
"""A page: `entries`, each with the fields in `READ`, and `next_page_token`."""


class Transport(LoggingServiceV2GrpcTransport):
    """The official transport, whose `list_log_entries` answers with a `Page`."""

    @property
    def list_log_entries(self) -> Any:
        """The call, made once; its request is the official one."""
        if "list_log_entries" not in self._stubs:
            self._stubs["list_log_entries"] = self.grpc_channel.unary_unary(
                "/google.logging.v2.LoggingServiceV2/ListLogEntries",
                request_serializer=ListLogEntriesRequest.serialize,
                response_deserializer=Page.FromString,
            )
        return self._stubs["list_log_entries"]


def page_of(entries: Iterable[Any]) -> Any:
    """The page of some official LogEntry messages, as if they had been pulled."""
    return Page.FromString(ListLogEntriesResponse.pb()(entries=entries).SerializeToString())


def official(entry: Any) -> Any:
    """A page's entry as the official LogEntry message, with all of its fields; an official one as it is."""
    whole = LogEntry.pb()
    return entry if isinstance(entry, whole) else whole.FromString(entry.SerializeToString())

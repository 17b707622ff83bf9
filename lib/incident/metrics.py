"""The rows of a probe as metrics, in Prometheus' text format, under the names that blackbox_exporter uses.

Decides: names, labels and values only. Reads: rows of a probe. Cannot tell: what blackbox_exporter measures and the
probe does not: the chain above the server's own certificate, redirects (none is followed), the length of a body.

Names and meanings: `prober/` and `internal/metrics/metrics.md` of blackbox_exporter. Where a stage was not reached its
sample is left out, so that nothing unmeasured reads as zero. Labels hold names of ours and words of fixed lists: no
text of the other side's, no value of a header. The format: prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from incident.findings import STATUSES
from incident.http1 import printable
from incident.sources.checks import VERDICTS, Row

Labels = Mapping[str, str]
Sample = tuple[Labels, float | None]

PHASES: Final = {
    "resolve": "resolve_s", "connect": "connect_s", "tls": "tls_s", "processing": "status_s", "transfer": "headers_s",
}  # fmt: skip
"""blackbox_exporter's phases of a request, by the stage of ours that is the same."""

LONGEST_LABEL: Final = 200


@dataclass(frozen=True)
class Family:
    """One metric, always a gauge: its name, its help, and the samples of a row; those without a value are left out."""

    name: str
    help: str
    samples: Callable[[Row], Iterable[Sample]]


def metrics_text(rows: Sequence[Row]) -> str:
    """Every metric of some rows in Prometheus' text format; each sample has the labels `check` and `place`.

    Times are in seconds, moments in seconds since 1970 UTC. A check that was skipped has its status alone. Of rows
    with the same labels the last one counts, since a label set has one sample.

    >>> row = {"name": "health", "kind": "http", "status": "ok", "http_status": 200, "timings": {"resolve_s": 0.25}}
    >>> print(metrics_text([row]).splitlines()[2])
    probe_success{check="health",place="endpoint"} 1
    """
    return "".join(f"{line}\n" for family in FAMILIES for line in family_lines(family, rows))


def family_lines(family: Family, rows: Sequence[Row]) -> list[str]:
    """HELP, TYPE and the samples of one metric; nothing where no row has one."""
    samples: dict[str, float] = {}
    for row in rows:
        own = {"check": str(row["name"]), "place": str(row.get("place") or "endpoint")}
        for labels, value in family.samples(row):
            if value is not None:
                samples[label_text(own | dict(labels))] = value
    head = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} gauge"]
    return [*head, *(f"{family.name}{{{labels}}} {number(value)}" for labels, value in samples.items())] * bool(samples)


def label_text(labels: Labels) -> str:
    """Labels as they are written: backslash and quote escaped; a line break is no printable character, and not there.

    >>> label_text({"check": 'a "b"', "place": "tag:x"})
    'check="a \\\\"b\\\\"",place="tag:x"'
    """
    return ",".join(f'{name}="{escaped(text)}"' for name, text in labels.items())


def escaped(text: str) -> str:
    """A label's value between its quotes."""
    return printable(text, LONGEST_LABEL).replace("\\", r"\\").replace('"', r"\"")


def number(value: float) -> str:
    """A value as it is written: a whole number without a point."""
    return str(int(value)) if value == int(value) else repr(float(value))


def tried(value: Callable[[Row], float | None]) -> Callable[[Row], Iterable[Sample]]:
    """The one sample of a check that was tried."""
    return lambda row: [({}, value(row))] if row["status"] != "skipped" else []


def websocket(value: Callable[[Row], float | None]) -> Callable[[Row], Iterable[Sample]]:
    """The one sample of a WebSocket's check that was tried."""
    return lambda row: tried(value)(row) if row["kind"] == "websocket" else []


def each(label: str, words: Sequence[str], value: Callable[[Row], object]) -> Callable[[Row], Iterable[Sample]]:
    """A sample for each word of a fixed list, 1 for the one that holds; none where none does."""
    return lambda row: [({label: word}, word == value(row)) for word in words if value(row) in words]


def named(label: str, value: Callable[[Row], object]) -> Callable[[Row], Iterable[Sample]]:
    """A sample of 1 whose label names what holds; none where nothing does."""
    return lambda row: [({label: str(value(row))}, 1)] if value(row) and row["status"] != "skipped" else []


def duration(row: Row) -> float | None:
    """What all stages took, and the hold after them."""
    spent = [took for took in (*row["timings"].values(), row.get("held_s")) if took is not None]
    return round(sum(spent), 6) if spent else None


def status_code(row: Row) -> int:
    """The status of the answer, 0 where none came, as blackbox_exporter has it."""
    return row["http_status"] or 0


def phases(row: Row) -> list[Sample]:
    """What each of blackbox_exporter's phases took."""
    return [({"phase": phase}, row["timings"].get(stage)) for phase, stage in PHASES.items()]


def ip_protocol(row: Row) -> int | None:
    """4 or 6: the family of the address that was used, the last without an error; None where there is none."""
    used = next((address for address in reversed(row.get("addresses") or []) if not address["error"]), None)
    return int(used["family"].removeprefix("IPv")) if used else None


def moment(text: str | None) -> float | None:
    """An ISO 8601 time in seconds since 1970 UTC."""
    return datetime.fromisoformat(text).timestamp() if text else None


def tls(row: Row, name: str) -> str | None:
    """One field of the TLS session or its certificate; None where there is none."""
    value = (row.get("tls") or {}).get(name)
    return None if value is None else str(value)


def tls_version(row: Row) -> str | None:
    """The version as blackbox_exporter writes it: `TLS 1.3`."""
    return (tls(row, "version") or "").replace("TLSv", "TLS ") or None


FAMILIES: Final = (
    Family("probe_success", "Whether the check ended as expected", tried(lambda row: row["status"] == "ok")),
    Family("probe_duration_seconds", "How long the check took, with the hold after the opening", tried(duration)),
    Family(
        "probe_dns_lookup_time_seconds", "How long the name took to resolve",
        tried(lambda row: row["timings"].get("resolve_s")),
    ),
    Family("probe_ip_protocol", "Whether the address that was used is IPv4 or IPv6: 4 or 6", tried(ip_protocol)),
    Family("probe_http_status_code", "HTTP status of the answer; 0 for none", tried(status_code)),
    Family("probe_http_ssl", "Whether TLS was used", tried(lambda row: bool(row.get("tls")))),
    Family("probe_http_duration_seconds", "How long each phase took that was reached", phases),
    Family(
        "probe_websocket_status_code", "HTTP status of the answer to a handshake; 0 for none", websocket(status_code)
    ),
    Family(
        "probe_websocket_connection_upgraded", "Whether the handshake was accepted",
        websocket(lambda row: row["verdict"] == "accepted"),
    ),
    Family(
        "probe_ssl_earliest_cert_expiry", "When the server's own certificate expires, in unixtime",
        tried(lambda row: moment(tls(row, "not_after"))),
    ),
    Family("probe_tls_version_info", "The TLS version used", named("version", tls_version)),
    Family(
        "probe_tls_cipher_info", "The TLS cipher used, by OpenSSL's name",
        named("cipher", lambda row: tls(row, "cipher")),
    ),
    Family(
        "incident_probe_status", "1 for the status of the check, 0 for the others",
        each("status", STATUSES, lambda row: row["status"]),
    ),
    Family(
        "incident_probe_verdict", "1 for the verdict on the handshake, 0 for the others",
        each("verdict", VERDICTS, lambda row: row.get("verdict")),
    ),
    Family("incident_probe_stage", "The stage that the check came to", named("stage", lambda row: row.get("stage"))),
    Family(
        "incident_probe_rule", "The rule that decided against the endpoint", named("rule", lambda row: row.get("rule"))
    ),
    Family(
        "incident_probe_held_seconds", "How long the accepted connection stayed open, up to the hold asked for",
        tried(lambda row: row.get("held_s")),
    ),
    Family(
        "incident_probe_close_code", "The code of the close that came, 1005 and 1006 where none was sent",
        tried(lambda row: row.get("close_code")),
    ),
    Family("incident_probe_attempts", "How many tries were made", tried(lambda row: row.get("attempts"))),
    Family(
        "incident_probe_certificate_trusted", "Whether the server's certificate is trusted",
        tried(lambda row: (row.get("tls") or {}).get("trusted")),
    ),
    Family(
        "incident_probe_timestamp_seconds", "When the check began, in unixtime",
        tried(lambda row: moment(row.get("time"))),
    ),
)  # fmt: skip
"""Every metric, in the order they are written; the first ones are blackbox_exporter's."""

"""Metrics of a probe, read back by Prometheus' own parser."""

from __future__ import annotations

import math
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from incident.metrics import FAMILIES, metrics_text

STAGES = ("resolve_s", "connect_s", "tls_s", "status_s", "headers_s", "open_s")
TLS = {
    "version": "TLSv1.3",
    "cipher": "TLS_AES_128_GCM_SHA256",
    "subject": "CN=CANARY",
    "issuer": "CN=CANARY",
    "names": ["CANARY"],
    "not_after": "2026-12-28T08:00:00Z",
    "trusted": True,
    "because": "CANARY",
}


def row(**fields: Any) -> dict[str, Any]:
    """A row of a handshake over TLS that was accepted, and closed with 4401 after 80 ms."""
    timings = dict(zip(STAGES, (0.012, 0.01, 0.03, 0.04, 0.001, 0.0), strict=True))
    base = {"name": "x-test-type", "kind": "websocket", "time": "2026-11-24T20:00:00.5Z", "url": "wss://h/ws?token=***"}
    base |= {"verdict": "accepted", "stage": "open", "http_status": 101, "rule": None, "because": "CANARY"}
    base |= {"subprotocol": "CANARY", "close_code": 4401, "close_reason": "CANARY", "held_s": 0.08, "attempts": 2}
    base |= {"probe_id": "CANARY", "trace_id": "CANARY", "place": "endpoint", "sent": ["CANARY"], "tls": TLS}
    base |= {
        "addresses": [{"address": "CANARY", "family": "IPv6", "error": "CANARY"}, {"family": "IPv4", "error": None}]
    }
    return base | {"timings": timings, "expected": "accepted", "status": "failed"} | fields


HEALTH = row(name="health", kind="http", verdict=None, stage="status", http_status=200, close_code=None, held_s=None,
             status="ok", tls=None, attempts=1)  # fmt: skip
STOPPED = row(
    name="no-answer", verdict="unreachable", stage="resolve", http_status=None, close_code=None, held_s=None,
    timings=dict.fromkeys(STAGES) | {"resolve_s": 5.0}, addresses=[], tls=None,
)  # fmt: skip
SKIPPED = row(
    name="id-token", status="skipped", verdict=None, stage=None, http_status=None, timings=dict.fromkeys(STAGES),
    addresses=[], tls=None, held_s=None, close_code=None,
)  # fmt: skip


def read(*rows: dict[str, Any]) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and labels, as the official parser reads them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(metrics_text(rows)):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {})
            found[sample.name][labels] = sample.value
    return found


def of(metrics: dict[str, Any], name: str, check: str, **labels: str) -> float | None:
    """One sample, None where there is none."""
    wanted = {"check": check, "place": "endpoint"} | labels
    return metrics.get(name, {}).get(tuple(sorted(wanted.items())))


@pytest.mark.parametrize(
    ("name", "labels", "values"),
    [
        ("probe_success", {}, (0, 1, 0, None)),
        ("probe_duration_seconds", {}, (0.173, 0.093, 5.0, None)),
        ("probe_dns_lookup_time_seconds", {}, (0.012, 0.012, 5.0, None)),
        ("probe_ip_protocol", {}, (4, 4, None, None)),
        ("probe_http_status_code", {}, (101, 200, 0, None)),
        ("probe_http_ssl", {}, (1, 0, 0, None)),
        ("probe_http_duration_seconds", {"phase": "resolve"}, (0.012, 0.012, 5.0, None)),
        ("probe_http_duration_seconds", {"phase": "connect"}, (0.01, 0.01, None, None)),
        ("probe_http_duration_seconds", {"phase": "tls"}, (0.03, 0.03, None, None)),
        ("probe_http_duration_seconds", {"phase": "processing"}, (0.04, 0.04, None, None)),
        ("probe_http_duration_seconds", {"phase": "transfer"}, (0.001, 0.001, None, None)),
        ("probe_websocket_status_code", {}, (101, None, 0, None)),
        ("probe_websocket_connection_upgraded", {}, (1, None, 0, None)),
        ("probe_ssl_earliest_cert_expiry", {}, (1798444800, None, None, None)),
        ("probe_tls_version_info", {"version": "TLS 1.3"}, (1, None, None, None)),
        ("probe_tls_cipher_info", {"cipher": "TLS_AES_128_GCM_SHA256"}, (1, None, None, None)),
        ("incident_probe_status", {"status": "failed"}, (1, 0, 1, 0)),
        ("incident_probe_status", {"status": "skipped"}, (0, 0, 0, 1)),
        ("incident_probe_verdict", {"verdict": "accepted"}, (1, None, 0, None)),
        ("incident_probe_verdict", {"verdict": "unreachable"}, (0, None, 1, None)),
        ("incident_probe_stage", {"stage": "open"}, (1, None, None, None)),
        ("incident_probe_held_seconds", {}, (0.08, None, None, None)),
        ("incident_probe_close_code", {}, (4401, None, None, None)),
        ("incident_probe_attempts", {}, (2, 1, 2, None)),
        ("incident_probe_certificate_trusted", {}, (1, None, None, None)),
        ("incident_probe_timestamp_seconds", {}, (1795550400.5, 1795550400.5, 1795550400.5, None)),
    ],
)
def test_samples(name: str, labels: dict[str, str], values: tuple[float | None, ...]) -> None:
    """Dashboards of blackbox_exporter read ours; what was not reached is not there, rather than zero."""
    metrics = read(row(), HEALTH, STOPPED, SKIPPED)
    checks = ("x-test-type", "health", "no-answer", "id-token")
    for check, value in zip(checks, values, strict=True):
        sample = of(metrics, name, check, **labels)
        assert sample == value or math.isclose(sample or 0, value or 0, abs_tol=1e-6)


def test_the_rule_that_decided() -> None:
    """What blackbox_exporter's one bit cannot say."""
    metrics = read(row(verdict="broken", rule="accept-wrong"))
    assert of(metrics, "incident_probe_rule", "x-test-type", rule="accept-wrong") == 1
    assert "incident_probe_rule" not in read(row())


def test_a_certificate_that_nobody_saw() -> None:
    """Where TLS ended before there was one it is neither trusted nor not."""
    metrics = read(row(tls=dict.fromkeys(TLS) | {"because": "the TLS handshake failed"}))
    assert "incident_probe_certificate_trusted" not in metrics
    assert read(row(tls=TLS | {"trusted": False}))["incident_probe_certificate_trusted"].popitem()[1] == 0


def test_labels_are_escaped() -> None:
    """A check is named by whoever wrote the matrix, and a name must not end its label."""
    name = 'a "b" \\n {c="d"} # 日本 \\'
    assert of(read(row(name=name)), "probe_success", name) == 0
    broken = metrics_text([row(name='x"} 1\nprobe_success{check="y\x1b')])
    assert "\x1b" not in broken
    assert [line for line in broken.splitlines() if line.startswith("probe_success{")] == [
        'probe_success{check="x\\"} 1�probe_success{check=\\"y�",place="endpoint"} 0'
    ]


def test_a_label_set_has_one_sample() -> None:
    """The same check twice at one place is one series, and its last value holds; another place is another series."""
    metrics = read(row(), row(status="ok"), row(place="tag:canary"))
    assert metrics["probe_success"] == {
        (("check", "x-test-type"), ("place", "endpoint")): 1,
        (("check", "x-test-type"), ("place", "tag:canary")): 0,
    }


def test_nothing_of_the_other_side_is_exported() -> None:
    """Series live for years where many can read them."""
    assert "CANARY" not in metrics_text([row(), HEALTH, STOPPED])
    assert "token" not in metrics_text([row()])


def test_families_are_whole() -> None:
    """Each name once, with its help on one line; no rows, no text."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert all(family.help.isprintable() and "\\" not in family.help for family in FAMILIES)
    assert metrics_text([]) == ""

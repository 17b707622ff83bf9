"""Addresses and certificates, one row each however many handshakes used them."""

import json

import pytest

from incident.analysis.connections import addresses, certificate_table, certificates
from incident.frames import rows_frame
from incident.tables import Table

DEAD = {"address": "2001:db8::1", "port": 443, "family": "IPv6", "connect_s": None, "error": "no connection within 5 s"}
LIVE = {"address": "203.0.113.7", "port": 443, "family": "IPv4", "connect_s": 0.012, "error": None}
TLS = {"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "alpn": "http/1.1", "subject": "chat.example",
       "names": ["chat.example"], "issuer": "R11", "not_before": "2025-08-01T00:00:00Z",
       "not_after": "2025-09-15T00:00:00Z", "days_left": 7.6, "trusted": True, "because": ""}  # fmt: skip


def frame(*rows):
    """Handshakes with what is given as JSON."""
    made = [
        {"probe_id": str(n)} | {k: json.dumps(v) if k != "place" else v for k, v in row.items()}
        for n, row in enumerate(rows)
    ]
    return rows_frame("handshakes", made)


def test_an_address_that_does_not_answer_is_seen(evidence):
    """A name with a dead IPv6 address costs every client seconds, and the handshakes all look well."""
    found = addresses(frame({"addresses": [DEAD, LIVE]}, {"addresses": [DEAD, LIVE | {"connect_s": 0.016}]}))
    rows = found[["address", "tried", "connected", "error"]].values.tolist()
    assert rows == [["2001:db8::1", 2, 0, "no connection within 5 s"], ["203.0.113.7", 2, 2, ""]]
    assert found["median_s"].iloc[1] == pytest.approx(0.014)
    assert found["median_s"].isna().iloc[0]


def test_a_certificate_that_changes_within_a_run_is_two(evidence):
    """Behind a load balancer one backend may have the old one; what only counts down is the same one."""
    rows = [{"tls": TLS}, {"tls": TLS | {"days_left": 7.59}}, {"tls": TLS | {"issuer": "E5"}}, {"tls": None}]
    found = certificates(frame(*rows))
    assert found[["issuer", "checks", "days_left"]].values.tolist() == [["R11", 2, 7.59], ["E5", 1, 7.6]]


def test_the_table_has_a_column_a_certificate():
    """Names and dates are long: one under the other they fit a screen."""
    untrusted = TLS | {"trusted": False, "because": "self-signed"}
    table = repr(Table(certificate_table(certificates(frame({"tls": untrusted, "place": "tag:canary"})))))
    assert table.split("\n")[0].split("  ")[-1] == "tag:canary (1 of its checks)"
    assert [line.split()[-1] for line in table.split("\n")[-2:]] == ["no", "self-signed"]


@pytest.mark.parametrize("text", [None, "", "{", "7", '["x"]', '"x"'])
def test_what_was_not_kept_is_no_row(text):
    """Older records have neither, and an export is written by anybody."""
    rows = rows_frame("handshakes", [{"probe_id": "a", "addresses": text, "tls": text}])
    assert addresses(rows).empty
    assert certificates(rows).empty
    assert certificate_table(certificates(rows)).empty

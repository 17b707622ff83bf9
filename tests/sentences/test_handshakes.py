"""What notebook 3 says of the handshakes: what came, what the log has, over what they went."""

import json

import pytest

from incident import sentences

MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error. "
    "Additional troubleshooting documentation can be found at: https://cloud.google.com/run/docs"
)
REFUSAL = "answered 403 Forbidden; only 101 opens a WebSocket"
HOSTILE = "<script>alert(1)</script> \x1b[2J \u202e"


def tried(name, **fields):
    """A handshake that was refused with 403."""
    given = {"probe_id": name, "trace_id": f"trace-{name}", "name": name, "kind": "websocket", "time": "10:05:00",
             "url": "ws://127.0.0.1:1/ws", "attempts": 1, "status": "failed", "expected": "accepted",
             "verdict": "refused", "stage": "status", "http_status": 403, "because": REFUSAL}  # fmt: skip
    return given | fields


def entry(name, status=403, **fields):
    """The request entry of a handshake, with its trace."""
    return {"log": "requests", "at": "10:05:00", "revision": "chat-00139-new", "instance": f"00{name}", "latency": 0.004,
            "status": status, "probe_id": name, "trace": f"projects/p/traces/trace-{name}"} | fields  # fmt: skip


def said(found):
    """The lines of a sentence."""
    return str(found).split("\n")


def test_what_is_the_same_is_said_once(evidence):
    """Seven lines of one refusal hide the eighth, which is another."""
    rows = [
        tried("a"),
        tried("b"),
        tried("c", expected="403", status="ok"),
        tried("d", http_status=503, because="answered 503"),
    ]
    logs = [entry("a"), entry("b"), entry("d", 503, text=MALFORMED)]
    assert said(sentences.handshakes(evidence({"frames": {"handshakes": rows, "logs": logs}}))) == [
        "1 of 4 handshakes came out as expected.",
        "a, b: expected accepted; answered 403 Forbidden. Refused by the application on 00139.",
        "d: expected accepted; answered 503. Refused by the platform on 00139.",
    ]


def test_who_refused_is_left_out_where_it_is_not_known(evidence):
    """No layer is better than a guess."""
    gaps = [{"frame": "logs", "reason": "permission denied", "remedy": "grant roles/logging.viewer"}]
    found = evidence({"frames": {"handshakes": [tried("a"), tried("elsewhere", place="service")]}, "gaps": gaps})
    assert said(sentences.handshakes(found)) == [
        "0 of 1 handshakes came out as expected.",
        "a: expected accepted; answered 403 Forbidden.",
    ]
    assert said(sentences.in_the_log(found))[1] == "All 2: unknown; the log cannot say: permission denied."


def test_nothing_tried_is_said_with_its_reason(evidence):
    """Silence would read as all is well."""
    found = evidence({"not_vouched": ["handshakes"]})
    assert (
        said(sentences.handshakes(found))[0]
        == "No handshake was tried, so nothing here shows what the endpoint does now."
    )
    assert said(sentences.handshakes(found))[1].startswith("Gap in handshakes: no handshakes came")
    assert said(sentences.in_the_log(found)) == ["No handshake was tried, so there is none to look for in the log."]
    assert said(sentences.connection(found)) == ["No handshake was tried, so no address was connected to."]


def test_what_the_log_has_and_what_it_has_not(evidence):
    """Seen, changed on the way, and never arrived are told apart."""
    rows = [tried("a"), tried("changed", http_status=426), tried("lost"), tried("late", time="10:59:55")]
    logs = [entry("a", text=MALFORMED), entry("changed", 101, latency=0.2)]
    found = evidence({"frames": {"handshakes": rows, "logs": logs}, "pulled": "11:00:10"})
    assert said(sentences.in_the_log(found)) == [
        "The service’s own log has 2 of 4 handshakes, found by their trace, answered by 00139 on 2 instances.",
        "a: the platform says: The request failed because either the HTTP response was malformed or connection to the instance had an error.",
        "changed: served by revision 00139, 101, open for 200 ms; the probe saw 426: something between them changed it.",
        "lost: not seen; never arrived: it is not in the log, which had settled; something before the service answered 403, or Cloud Run by its ingress setting, which it does not log.",
        "late: not yet; not in the log when it was read; it may arrive until 2025-09-07T11:00:56Z: look again then.",
    ]


ADDRESSES = [
    {"address": "2001:db8::1", "port": 443, "family": "IPv6", "connect_s": None, "error": "no connection within 5 s"},
    {"address": "203.0.113.7", "port": 443, "family": "IPv4", "connect_s": 0.012, "error": None},
]
TLS = {"version": "TLSv1.3", "cipher": "AES", "alpn": "http/1.1", "subject": "chat.example", "names": [], "issuer": "R11",
       "not_before": None, "not_after": "2025-10-15T00:00:00Z", "days_left": 37.6, "trusted": True, "because": ""}  # fmt: skip


@pytest.mark.parametrize(("tls", "words"), [
    ({}, "endpoint: TLSv1.3, AES, http/1.1; certificate of chat.example by R11, valid until 2025-10-15T00:00:00Z."),
    ({"days_left": 7.6}, "endpoint: TLSv1.3, AES, http/1.1; certificate of chat.example by R11, valid until 2025-10-15T00:00:00Z; only 8 days are left."),
    ({"trusted": False, "because": "it is self-signed"}, "endpoint: TLSv1.3, AES, http/1.1; certificate of chat.example by R11, valid until 2025-10-15T00:00:00Z. It is not trusted: it is self-signed."),
    ({"version": None, "cipher": None, "alpn": None, "subject": None, "not_after": None, "trusted": None, "because": "the other side has TLS 1.0 alone"}, "endpoint: no TLS session; no certificate could be read. The other side has TLS 1.0 alone."),
])  # fmt: skip
def test_addresses_and_certificate(evidence, tls, words):
    """A dead address and a certificate's last week are found before they are the incident."""
    row = tried("a", url="wss://chat.example/ws", addresses=json.dumps(ADDRESSES), tls=json.dumps(TLS | tls))
    assert said(sentences.connection(evidence({"frames": {"handshakes": [row]}}))) == [
        "endpoint: 2001:db8::1 port 443 (IPv6) connected in 0 of 1 tries; no connection within 5 s.",
        "endpoint: 203.0.113.7 port 443 (IPv4) connected in 1 of 1 tries, in 12.0 ms at the median.",
        words,
    ]


@pytest.mark.parametrize(("url", "words"), [
    ("ws://127.0.0.1:1/ws", "No TLS: the address is plain ws or http."),
    ("wss://chat.example/ws", "No certificate was kept or reached."),
])  # fmt: skip
def test_what_an_older_record_lacks_is_said(evidence, url, words):
    """Not kept is not the same as not there."""
    found = sentences.connection(evidence({"frames": {"handshakes": [tried("a", url=url)]}}))
    assert said(found) == ["Which addresses were tried is not in this record.", words]


def test_hostile_text_stays_text(evidence):
    """A name, a reason and an address come from the other side."""
    address = ADDRESSES[0] | {"address": HOSTILE, "error": HOSTILE}
    row = tried(HOSTILE, because=HOSTILE, addresses=json.dumps([address]), tls=json.dumps(TLS | {"subject": HOSTILE}))
    case = evidence({"frames": {"handshakes": [row], "logs": [entry(HOSTILE)]}})
    for found in (sentences.handshakes(case), sentences.in_the_log(case), sentences.connection(case)):
        assert not set("\x1b\u202e") & set(found)
        assert "<script>" not in found._repr_html_()

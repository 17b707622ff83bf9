"""The bytes of a check's request: what RFC 6455 4.1 asks for, what names the probe, and what the check adds.

Decides: which headers are sent, in which order, and what of it all may be secret. Reads: a target and a check. Cannot
tell: what arrives; a proxy may change it.
"""

from __future__ import annotations

from incident import __version__
from incident.sources.checks import Check
from incident.sources.masking import Mask, is_credential
from incident.sources.target import Target


def identity(probe_id: str, trace_id: str, span_id: str) -> list[tuple[str, str]]:
    """Headers by which the log can be joined: the probe's id and a trace (W3C Trace Context 3.2, and Google's).

    >>> identity("ab" * 8, "cd" * 16, "ef" * 8)[1]
    ('traceparent', '00-cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd-efefefefefefefef-01')
    """
    return [
        ("User-Agent", f"incident/{__version__} (probe {probe_id})"),
        ("traceparent", f"00-{trace_id}-{span_id}-01"),
        ("X-Cloud-Trace-Context", f"{trace_id}/{int(span_id, 16)};o=1"),
    ]


def opening(check: Check, key: str) -> list[tuple[str, str]]:
    """The headers that ask for the upgrade, or for a plain answer."""
    if check.kind == "http":
        return [("Accept", "*/*"), ("Connection", "close")]
    asked = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    return [*asked, ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13")]


def own_headers(check: Check) -> list[tuple[str, str]]:
    """What this check sends and another would not.

    >>> own_headers(Check(headers={"X-Test-Type": "e2e"}, origin="https://app.example"))
    [('Origin', 'https://app.example'), ('X-Test-Type', 'e2e')]
    """
    offered = [("Sec-WebSocket-Protocol", ", ".join(check.subprotocols))] if check.subprotocols else []
    origin = [("Origin", check.origin)] if check.origin is not None else []
    return [*offered, *origin, *check.headers.items()]


def request_bytes(target: Target, check: Check, key: str, named: list[tuple[str, str]]) -> bytes:
    """The whole request; `named` are the headers of `identity`."""
    headers = [("Host", target.host_header), *named, *opening(check, key), *own_headers(check)]
    lines = [f"GET {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def mask(target: Target, check: Check) -> Mask:
    """What takes this request's secrets, and those of the check's messages, out of the answer.

    A subprotocol after one such as `bearer` is a credential, since a browser can set no header on a WebSocket.
    """
    carried = [pair for pair in zip(check.subprotocols, check.subprotocols[1:], strict=False) if is_credential(pair[0])]
    texts = [text for text in (check.origin, check.send, check.expect_message) if text]
    return Mask([*check.headers.items(), *target.query_values, *carried], [*check.subprotocols, *texts])

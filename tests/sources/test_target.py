"""URLs: what may be probed, and what of them may be shown."""

from __future__ import annotations

import pytest

from incident.findings import UsageError
from incident.sources.target import Target, parse_address, parse_target


@pytest.mark.parametrize(
    ("url", "path", "target"),
    [
        ("wss://h.example", "", Target(True, "h.example", 443, "/", "wss://h.example/")),
        ("https://h.example/ws", "", Target(True, "h.example", 443, "/ws", "wss://h.example/ws")),
        ("http://h:8080/", "/ws", Target(False, "h", 8080, "/ws", "ws://h:8080/ws")),
        ("https://h/base/", "/ws", Target(True, "h", 443, "/base/ws", "wss://h/base/ws")),
        ("ws://[::1]:9/a?t=1&u=2", "", Target(False, "::1", 9, "/a?t=1&u=2", "ws://[::1]:9/a?t=***&u=***")),
        ("wss://h:443/é", "", Target(True, "h", 443, "/%C3%A9", "wss://h/%C3%A9")),
    ],
)
def test_target(url: str, path: str, target: Target) -> None:
    """The scheme gives TLS and port; the query is asked for and its values are not shown."""
    assert parse_target(url, path) == target


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("h/ws", "url scheme is '': give wss://, ws://, https:// or http:// and a host"),
        ("ws:///ws", "url scheme is 'ws': give wss://, ws://, https:// or http:// and a host"),
        ("wss://h:99999/", "url has a host or a port that cannot be read: give wss://HOST[:PORT]/PATH"),
        ("wss://[::1/", "url has a host or a port that cannot be read: give wss://HOST[:PORT]/PATH"),
        (
            "wss://user:CANARY@h/",
            "url has a user or a password before its host: leave it out, and give a header Authorization",
        ),
        ("wss://h/#a", "url has a fragment (#…), which a WebSocket URL may not have (RFC 6455 3): leave it out"),
        ("wss://h/a b", "url has a space or a control character: write it percent-encoded"),
        ("wss://h/\r\nA: b", "url has a space or a control character: write it percent-encoded"),
    ],
)
def test_refused(url: str, message: str) -> None:
    """A URL that cannot be probed is refused in words that show no part that may be secret."""
    with pytest.raises(UsageError) as caught:
        parse_target(url)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["h", "h:", "h:0", "h:65536", "::1:80", "a b:80", ":80"])
def test_address_refused(text: str) -> None:
    """HOST:PORT, both there."""
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert str(caught.value) == f"connect-to is {text!r}: give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"

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
        ("ws://127.0.0.1:0/", "url has port 0, at which nothing can listen: give 1 to 65535, or leave it out"),
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


def test_path_of_half_a_character() -> None:
    """A matrix may hold one, and a request has no bytes for it."""
    with pytest.raises(UsageError) as caught:
        parse_target("wss://h", "/\ud800")
    assert str(caught.value) == "path has half of a character (a lone surrogate): write it whole, in UTF-8"


@pytest.mark.parametrize(
    ("query", "shown", "values"),
    [
        ("flag", "flag", []),
        ("flag=", "flag=***", []),
        ("CANARY0123456789", "***", ["CANARY0123456789"]),
        ("v=2&CANARY0123456789", "v=***&***", ["2", "CANARY0123456789"]),
        ("CANARY0123456789ab==", "***", ["CANARY0123456789ab=="]),
        ("a=CANARY=b&flag", "a=***&flag", ["CANARY=b"]),
        ("", "", []),
    ],
)
def test_values_of_a_query(query: str, shown: str, values: list[str]) -> None:
    """Some put a token into a query without a name; what is not shown is also what a mask looks for."""
    target = parse_target(f"wss://h/ws?{query}")
    assert target.shown == f"wss://h/ws?{shown}".removesuffix("?" if not query else "")
    assert sorted({value for _, value in target.query_values if value}) == sorted(values)


@pytest.mark.parametrize("text", ["h", "h:", "h:0", "h:65536", "::1:80", "a b:80", ":80"])
def test_address_refused(text: str) -> None:
    """HOST:PORT, both there."""
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert str(caught.value) == f"connect-to is {text!r}: give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"

"""What a result means: its status and its words, from a check and a sighting, without a socket."""

from __future__ import annotations

import re
from typing import Any

import pytest

from incident.findings import UsageError
from incident.sources.checks import Check, Sighting, duration, judge
from incident.sources.request_bytes import own_headers
from incident.sources.target import parse_target, proxies


def accepted(**fields: object) -> Sighting:
    """A handshake that was accepted and held a second."""
    return Sighting(**{"verdict": "accepted", "stage": "open", "http_status": 101, "held_s": 1.0, **fields})  # type: ignore[arg-type]


def unreachable(**fields: object) -> Sighting:
    """A connection that got no answer."""
    late = {"verdict": "unreachable", "reachable": False, "because": "no status line within 15 s"}
    return Sighting(**{**late, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "status", "because"),
    [
        (accepted(), "ok", "accepted, still open after 1 s"),
        (
            accepted(ended="close", close_code=4401, close_reason="no token", held_s=0.08),
            "failed",
            "accepted, then closed with 4401 (no token) after 80 ms",
        ),
        (accepted(ended="reset", held_s=0.5), "failed", "accepted, then reset after 500 ms"),
        (accepted(ended="eof", held_s=0.26), "failed", "accepted, then ended without a close after 260 ms"),
        (accepted(ended="other"), "failed", "accepted, but an earlier connection ended within 1 s"),
        (unreachable(loopback=True), "failed", "no status line within 15 s"),
    ],
)
def test_words(seen: Sighting, status: str, because: str) -> None:
    """Read at three in the morning: what happened, how long it took, and what was passed over."""
    assert judge(Check(), seen, None) == (status, because)


@pytest.mark.parametrize(
    ("control", "status", "because"),
    [
        (True, "failed", "no status line within 15 s"),
        (
            False,
            "uncertain",
            "no status line within 15 s; the control name up.example is not reachable either, so the fault may be on this side",
        ),
        (
            None,
            "uncertain",
            "no status line within 15 s; no control name was asked, so the fault may be on this side",
        ),
    ],
)
def test_unreachable(control: bool | None, status: str, because: str) -> None:
    """The endpoint is blamed only where something else can be reached from here."""
    assert judge(Check(), unreachable(), control, "up.example") == (status, because)


def test_close_code_that_is_expected() -> None:
    """An application that closes a socket without a token with 4401 does what it should."""
    seen = accepted(ended="close", close_code=4401, close_reason="")
    assert judge(Check(expect="4401"), seen, None)[0] == "ok"
    assert judge(Check(expect="4403"), seen, None)[0] == "failed"
    assert judge(Check(expect="4401"), accepted(), None)[0] == "failed"


def test_http_needs_status_and_text() -> None:
    """A health page that answers 200 with another text is not healthy."""
    seen = Sighting(http_status=200, stage="status", because="answered 200", body="starting")
    assert judge(Check(kind="http", body_contains="ready"), seen, None) == (
        "failed",
        "answered 200; the body lacks 'ready'",
    )
    assert judge(Check(kind="http", body_contains="start"), seen, None)[0] == "ok"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (0.0804, "80 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (1.0, "1 s"),
        (1.04, "1 s"),
        (61.25, "61.2 s"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    """No figure that nobody needs: 1 s is not 1.0 s, and never 1000 ms."""
    assert duration(seconds) == words


def test_own_headers_are_what_the_check_adds() -> None:
    """A table says what was sent, by name; what every request has is not part of it."""
    check = Check(headers={"X-Test-Type": "e2e"}, origin="https://a.example", subprotocols=("chat", "v2"))
    assert [name for name, _ in own_headers(check)] == ["Sec-WebSocket-Protocol", "Origin", "X-Test-Type"]
    assert own_headers(Check()) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"send": "CANARY\udcff"}, "send has half of a character (a lone surrogate): write it whole, in UTF-8"),
        (
            {"expect_message": "\ud800"},
            "expect_message has half of a character (a lone surrogate): write it whole, in UTF-8",
        ),
        ({"path": "/\ud800"}, "path has half of a character (a lone surrogate): write it whole, in UTF-8"),
        ({"subprotocols": ("a b",)}, "subprotocol 'a b' is not a token: use letters, digits and !#$%&'*+-.^_`|~"),
        (
            {"subprotocols": ("CANARY 0123456789 CANARY",)},
            "a subprotocol is not a token: use letters, digits and !#$%&'*+-.^_`|~",
        ),
        (
            {"subprotocols": ("CANARY\udcff01",)},
            "a subprotocol is not a token: use letters, digits and !#$%&'*+-.^_`|~",
        ),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    """What could not be sent is refused before anything is, and never shown where it may be a token."""
    with pytest.raises(UsageError) as caught:
        Check(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "seen", "status", "because"),
    [
        ({"hold": 0.0}, {"held_s": 0.02}, "ok", "accepted, answered, then closed with 1000 after 20 ms"),
        ({"hold": 0.02}, {"held_s": 0.02}, "ok", "accepted, answered, then closed with 1000 after 20 ms"),
        ({"hold": 0.03}, {"held_s": 0.02}, "failed", "accepted, then closed with 1000 after 20 ms"),
        ({"hold": 0.0}, {"held_s": 0.02, "ended": "other"}, "failed", "accepted, but an earlier connection ended within 20 ms"),
        ({"hold": 0.0, "expect_message": None}, {"held_s": 0.02}, "ok", "accepted, then closed with 1000 after 20 ms"),
        ({"hold": 0.0}, {"held_s": 0.02, "answered": False}, "failed", "accepted, then closed with 1000 after 20 ms; the message 'pong' did not come"),
        ({"expect": "1000"}, {"held_s": 0.02, "answered": False}, "failed", "accepted, then closed with 1000 after 20 ms; the message 'pong' did not come"),
        ({"expect": "1000"}, {"held_s": 0.02}, "ok", "accepted, then closed with 1000 after 20 ms"),
        ({"expect_message": "CANARY-0123456789"}, {"ended": "", "answered": False}, "failed", "accepted, still open after 1 s; the message '***' did not come"),
    ],
)  # fmt: skip
def test_message_and_hold(fields: dict[str, Any], seen: dict[str, Any], status: str, because: str) -> None:
    """Only an end before the hold is a fault of its own, and a message that was to come may never be missing."""
    check = Check(**{"expect_message": "pong", **fields})
    found = accepted(**{"ended": "close", "close_code": 1000, "close_reason": "", **seen})
    assert judge(check, found, None) == (status, because)


@pytest.mark.parametrize(
    ("environ", "url", "words"),
    [
        ({}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "http://u:CANARY@p:1"}, "wss://h.example/", "HTTPS_PROXY is set and was not used"),
        ({"https_proxy": "CANARY"}, "https://h.example/", "https_proxy is set and was not used"),
        ({"HTTP_PROXY": "CANARY"}, "wss://h.example/", ""),
        ({"HTTP_PROXY": "CANARY"}, "ws://h.example/", "HTTP_PROXY is set and was not used"),
        (
            {"HTTPS_PROXY": "CANARY", "all_proxy": "CANARY"},
            "wss://h.example/",
            "HTTPS_PROXY and all_proxy are set and were not used",
        ),
        ({"HTTPS_PROXY": ""}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "NO_PROXY": "*"}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "NO_PROXY": "a, H.example"}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "no_proxy": ".example"}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "no_proxy": "*.example"}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "no_proxy": "h.example:443"}, "wss://h.example/", ""),
        ({"HTTPS_PROXY": "CANARY", "no_proxy": "h.example:8443"}, "wss://h.example/", "HTTPS_PROXY is set"),
        ({"HTTPS_PROXY": "CANARY", "no_proxy": "ample"}, "wss://h.example/", "HTTPS_PROXY is set"),
        ({"HTTP_PROXY": "CANARY", "no_proxy": "::1"}, "ws://[::1]:80/", ""),
    ],
)
def test_proxies(environ: dict[str, str], url: str, words: str) -> None:
    """Other tools would have gone through the proxy, so that it was passed by is said; its URL may hold a password."""
    said = proxies(environ, parse_target(url))
    assert said.startswith(words) if words else said == ""
    assert said == "" or said.endswith(" not used: the probe connects directly")
    assert "CANARY" not in said


def test_name_of_other_letters() -> None:
    """A name is asked for in ASCII, and shown so: letters that look alike do not then."""
    assert parse_target("wss://bücher.example/ws").shown == "wss://xn--bcher-kva.example/ws"
    message = f"url host {'ü' * 60!r} cannot be written in ASCII: give its xn-- form"
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_target(f"wss://{'ü' * 70}.example/ws")

"""HTTP/1.1 heads."""

import pytest

from incident.drill.http1 import MalformedHead, parse_head, request_line, response, response_status

REQUEST = b"GET /ws?a=%20 HTTP/1.1\r\nHost: h\r\nX-A:  b \r\nx-a: c\r\nSec-WebSocket-Key: k==\r\n\r\n"


def test_a_head_keeps_order_case_and_repeats():
    """What is forwarded must be what was received; a handshake is judged by its very headers."""
    head = parse_head(REQUEST)
    assert request_line(head) == ("GET", "/ws?a=%20", "HTTP/1.1")
    assert head.encode() == REQUEST.replace(b"X-A:  b ", b"X-A: b")
    assert (head.get("x-A"), head.get("absent")) == ("b", "")


def test_a_replaced_header_is_there_once():
    """Two values of a trace header would leave its meaning to whoever reads it."""
    head = parse_head(REQUEST).with_headers({"X-a": "new"})
    assert [value for name, value in head.headers if name.lower() == b"x-a"] == [b"new"]


@pytest.mark.parametrize(
    "data",
    [b"GET /\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"\r\n\r\n"],
)
def test_a_malformed_request_line(data):
    """TLS or HTTP/2 on the plaintext port must not be forwarded as if it were a request."""
    with pytest.raises(MalformedHead, match="request line"):
        request_line(parse_head(data))


@pytest.mark.parametrize("line", [b"no colon", b" folded: x", b"bad name: x", b": x"])
def test_a_malformed_header_line(line):
    """A header that two sides read differently is how requests are smuggled."""
    with pytest.raises(MalformedHead, match="header line"):
        parse_head(b"GET / HTTP/1.1\r\n" + line + b"\r\n\r\n")


@pytest.mark.parametrize(("start", "status"), [(b"HTTP/1.1 403 Forbidden", 403), (b"HTTP/1.0 200", 200)])
def test_status(start, status):
    """A reason phrase may be missing."""
    assert response_status(parse_head(start + b"\r\n\r\n")) == status


def test_status_that_is_none():
    """An instance that answers something else has not answered."""
    with pytest.raises(MalformedHead, match="status line"):
        response_status(parse_head(b"SSH-2.0-OpenSSH_9\r\n\r\n"))


def test_response_says_its_length():
    """A client that keeps connections must know where a reply ends."""
    assert response(404, "Not Found", {"a": "b"}, b"xy") == (
        b"HTTP/1.1 404 Not Found\r\na: b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxy"
    )

"""A plain answer of HTTP: its body whole, in chunks, packed, cut, and in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.behaviours.answers import PAGES
from tests.sources.behaviours.server import Script

from incident.http1 import BODY_BYTES, Answer

SCRIPTS = {each.name: each for each in PAGES if isinstance(each.serve, Script)}
LONGEST = 80_000


def fed(*pieces: bytes, wanted: str | None = None, eof: bool = False) -> Answer:
    """An answer that received these pieces."""
    answer = Answer(wanted)
    for piece in pieces:
        answer.receive(piece)
    if eof:
        answer.receive_eof()
    return answer


@pytest.mark.parametrize("name", SCRIPTS)
def test_pieces_do_not_matter(name: str) -> None:
    """A network cuts where it likes, so a health check must not depend on it."""
    behaviour = SCRIPTS[name]
    assert isinstance(behaviour.serve, Script)
    data, wanted = behaviour.serve.answer("")[:LONGEST], behaviour.check["body_contains"]
    whole, single = fed(data, wanted=wanted), fed(*(bytes([byte]) for byte in data), wanted=wanted)
    for made in (whole, single):
        assert (made.head.status, made.head.fault and made.head.fault.rule) == (
            whole.head.status,
            whole.head.fault and whole.head.fault.rule,
        )
        assert (made.body, made.done) == (whole.body, whole.done)


def test_body_has_an_end() -> None:
    """A body without an end must fill neither the memory nor the time."""
    answer = fed(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1000] * 200, wanted="ready")
    assert answer.done
    assert len(answer.body) == BODY_BYTES


def test_packed_body_has_an_end() -> None:
    """A few bytes of gzip may hold gigabytes of body."""
    import gzip

    packed = gzip.compress(bytes(2**24))
    answer = fed(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed, wanted="ready", eof=True)
    assert len(answer.body) == BODY_BYTES


HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    ]
)


@given(HEADS, st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_no_bytes_raise(head: bytes, pieces: list[bytes], eof: bool) -> None:
    """Whatever a server sends is an answer to report, never an error of ours; pieces do not change it."""
    answer, whole = fed(head, *pieces, wanted="ready", eof=eof), fed(head + b"".join(pieces), wanted="ready", eof=eof)
    assert (answer.body, answer.done) == (whole.body, whole.done)

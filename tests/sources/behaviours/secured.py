"""Servers whose TLS misbehaves, before the handshake, in it and after it; and those whose TLS is as it should be."""

from __future__ import annotations

from .answers import SETTINGS
from .certificates import NAME
from .server import (
    AT_ONCE,
    END,
    ENDED,
    FORBIDDEN,
    HELD,
    ONE_STAGE,
    OPEN,
    STILL_OPEN,
    Behaviour,
    Peer,
    Place,
    Script,
    accepts,
    broken,
    drips,
    refused,
    says,
    text,
    unreachable,
)

TLS_STAGE = unreachable("tls")
ISSUER = "unable to get local issuer certificate (a private authority, or an intermediate certificate that the server does not send)"
UNTRUSTED = "the certificate is not trusted: "
FAILED = "the TLS handshake failed: "
MORE = AT_ONCE + 0.3  # a second handshake, which reads the certificate


def tls(name: str, host: str = NAME, *, insecure: bool = False) -> Place:
    """A server with this TLS, asked for by this name."""
    return Place(host, name, True, here={"insecure": True} if insecure else {})


def alerting(name: str) -> Place:
    """A server with this TLS that ends a handshake with an alert."""
    return Place(NAME, name, True, alerts=True)


NO_TLS = Place(NAME, "", True)


def alert(description: int) -> Script:
    """Answers the client's greeting with a fatal alert (RFC 8446 6)."""
    return greeted(bytes((0x15, 3, 3, 0, 2, 2, description)), then="ends")


def greeted(*pieces: bytes, pause: float = 0, then: str = "stays") -> Script:
    """Says pieces as soon as the connection is there, and never reads a request."""
    return Script(pieces, pause, then, reads=False)


async def resets_on_the_greeting(peer: Peer) -> None:
    """Reads the client's greeting and resets."""
    await peer.reader.read(1)
    peer.reset()


async def ends_on_the_greeting(peer: Peer) -> None:
    """Reads the client's greeting and ends."""
    await peer.reader.read(65536)


# fmt: off
SECURED = (
    Behaviour("tls-good", accepts(), OPEN, STILL_OPEN, HELD, tls("good"), facts={"version": "TLSv1.3", "trusted": True, "because": "", "alpn": None, "subject": "chat.example", "issuer": "Test Authority", "names": [NAME]}),
    Behaviour("tls-good-by-address", accepts(), OPEN, STILL_OPEN, HELD, tls("good", "127.0.0.1"), facts={"trusted": True}),
    Behaviour("tls-1.2", accepts(), OPEN, STILL_OPEN, HELD, tls("TLSv1_2"), facts={"version": "TLSv1.2", "trusted": True}),
    Behaviour("tls-with-alpn", accepts(), OPEN, STILL_OPEN, HELD, tls("http/1.1"), facts={"alpn": "http/1.1"}),
    Behaviour("tls-by-wildcard", accepts(), OPEN, STILL_OPEN, HELD, tls("wildcard", "ws.chat.example"), facts={"names": ["*.chat.example"], "trusted": True}),
    Behaviour("tls-with-its-chain", accepts(), OPEN, STILL_OPEN, HELD, tls("below"), facts={"issuer": "Middle Authority", "trusted": True}),
    Behaviour("tls-refuses", says(FORBIDDEN + END), refused(403), "answered 403 Forbidden; only 101 opens a WebSocket", AT_ONCE, tls("good"), facts={"trusted": True}),
    Behaviour("tls-expired", accepts(), TLS_STAGE, UNTRUSTED + "certificate has expired", MORE, tls("expired"), facts={"trusted": False, "because": "certificate has expired", "subject": "chat.example"}),
    Behaviour("tls-not-yet-valid", accepts(), TLS_STAGE, UNTRUSTED + "certificate is not yet valid", MORE, tls("not-yet-valid"), facts={"trusted": False}),
    Behaviour("tls-self-signed", accepts(), TLS_STAGE, UNTRUSTED + "self-signed certificate", MORE, tls("self-signed"), facts={"trusted": False, "issuer": "chat.example"}),
    Behaviour("tls-of-an-unknown-authority", accepts(), TLS_STAGE, UNTRUSTED + ISSUER, MORE, tls("unknown-authority"), facts={"trusted": False, "issuer": "Unknown Authority"}),
    Behaviour("tls-without-its-chain", accepts(), TLS_STAGE, UNTRUSTED + ISSUER, MORE, tls("chain-missing"), facts={"trusted": False, "issuer": "Middle Authority"}),
    Behaviour("tls-of-another-name", accepts(), TLS_STAGE, UNTRUSTED + "Hostname mismatch, certificate is not valid for 'chat.example'", MORE, tls("other-name"), facts={"trusted": False, "names": ["other.example"]}),
    Behaviour("tls-of-another-address", accepts(), TLS_STAGE, UNTRUSTED + "IP address mismatch, certificate is not valid for '127.0.0.1'", MORE, tls("other-name", "127.0.0.1"), facts={"trusted": False}),
    Behaviour("tls-with-only-a-common-name", accepts(), TLS_STAGE, UNTRUSTED + "Hostname mismatch, certificate is not valid for 'chat.example'", MORE, tls("only-a-common-name"), facts={"trusted": False, "names": []}),
    Behaviour("tls-for-clients", accepts(), TLS_STAGE, UNTRUSTED + "unsuitable certificate purpose", MORE, tls("for-clients"), facts={"trusted": False}),
    Behaviour("tls-1.0-only", accepts(), TLS_STAGE, FAILED + "the other side offers no version from TLS 1.2 on (tlsv1 alert protocol version)", MORE, alerting("TLSv1"), facts={"version": None, "subject": None, "trusted": None}),
    Behaviour("tls-1.1-only", accepts(), TLS_STAGE, FAILED + "the other side offers no version from TLS 1.2 on (tlsv1 alert protocol version)", MORE, alerting("TLSv1_1"), facts={"version": None}),
    Behaviour("tls-wants-a-client-certificate", accepts(), unreachable("status"), "the connection was ended by TLS (tlsv13 alert certificate required) without an answer", MORE, alerting("wants-a-client-certificate")),
    Behaviour("tls-1.2-wants-a-client-certificate", accepts(), TLS_STAGE, FAILED + "the other side has no cipher in common, or wants a client certificate (sslv3 alert handshake failure)", MORE, alerting("wants-a-client-certificate-in-1.2")),
    Behaviour("tls-then-h2-frames", greeted(SETTINGS), broken("http-version", "status", None), "the answer is not HTTP/1.1: it is HTTP/2 frames", AT_ONCE, tls("h2-only"), facts={"alpn": None}),
    Behaviour("tls-port-without-tls", greeted(b"HTTP/1.1 400 Bad Request\r\n\r\n", then="ends"), TLS_STAGE, FAILED + "the other side does not speak TLS (wrong version number)", MORE, NO_TLS, facts={"trusted": None, "subject": None}),
    Behaviour("tls-port-of-ssh", greeted(b"SSH-2.0-OpenSSH_9.6\r\n"), TLS_STAGE, FAILED + "the other side does not speak TLS (wrong version number)", MORE, NO_TLS),
    Behaviour("tls-alert-handshake-failure", alert(40), TLS_STAGE, FAILED + "the other side has no cipher in common, or wants a client certificate (sslv3 alert handshake failure)", MORE, NO_TLS),
    Behaviour("tls-alert-internal-error", alert(80), TLS_STAGE, FAILED + "tlsv1 alert internal error", MORE, NO_TLS),
    Behaviour("tls-alert-unknown-name", alert(112), TLS_STAGE, FAILED + "the other side does not serve this name (tlsv1 unrecognized name)", MORE, NO_TLS),
    Behaviour("tls-alert-no-protocol", alert(120), TLS_STAGE, FAILED + "the other side does not speak HTTP/1.1, which a WebSocket needs (tlsv1 alert no application protocol)", MORE, NO_TLS),
    Behaviour("tls-hangs", greeted(), TLS_STAGE, "the TLS handshake did not end within 1 s", ONE_STAGE, NO_TLS),
    Behaviour("tls-hangs-in-a-record", greeted(b"\x16\x03\x03\x00\x7a\x02"), TLS_STAGE, "the TLS handshake did not end within 1 s", ONE_STAGE, NO_TLS),
    Behaviour("tls-in-drips", drips(b"", b"\x16\x03\x03\x00\x7a\x02" + bytes(90)), TLS_STAGE, "the TLS handshake did not end within 1 s", ONE_STAGE, NO_TLS),
    Behaviour("tls-ends-unread", greeted(then="ends"), TLS_STAGE, "the connection ended in the TLS handshake", MORE, NO_TLS),
    Behaviour("tls-ends-on-the-greeting", ends_on_the_greeting, TLS_STAGE, "the connection ended in the TLS handshake", MORE, NO_TLS),
    Behaviour("tls-resets-on-the-greeting", resets_on_the_greeting, TLS_STAGE, "the connection ended in the TLS handshake", MORE, NO_TLS),
    Behaviour("tls-ends-after-it", greeted(then="ends"), unreachable("status"), "the connection was closed without an answer", AT_ONCE, tls("good")),
    Behaviour("tls-cut-after-it", greeted(then="cuts"), unreachable("status"), "the connection was <closed> without an answer", AT_ONCE, tls("good")),
    Behaviour("tls-silent-after-it", says(), unreachable("status"), "no status line within 1 s", ONE_STAGE, tls("good"), facts={"version": "TLSv1.3"}),
    Behaviour("tls-accepts-and-cuts", accepts(text(b"hi"), then="cuts", pause=0.03), ENDED, "accepted, then ended without a close after <t>", HELD, tls("good")),
    Behaviour("tls-accepts-and-ends", accepts(then="ends", pause=0.03), ENDED, "accepted, then ended without a close after <t>", HELD, tls("good")),
    Behaviour("tls-accepts-and-resets", accepts(then="resets", pause=0.03), ENDED, "accepted, then reset after <t>", HELD, tls("good")),
    Behaviour("tls-expired-and-insecure", accepts(), OPEN, STILL_OPEN + "; the certificate was not checked (--insecure): certificate has expired", HELD + 0.3, tls("expired", insecure=True), facts={"trusted": False, "version": "TLSv1.3", "because": "certificate has expired"}),
    Behaviour("tls-of-another-name-and-insecure", says(FORBIDDEN + END), refused(403), "answered 403 Forbidden; only 101 opens a WebSocket" + "; the certificate was not checked (--insecure): Hostname mismatch, certificate is not valid for 'chat.example'", MORE, tls("other-name", insecure=True), facts={"trusted": False, "names": ["other.example"]}),
    Behaviour("tls-good-and-insecure", accepts(), OPEN, STILL_OPEN, HELD, tls("good", insecure=True), facts={"trusted": True, "because": ""}),
)
# fmt: on

"""TLS to real servers on loopback: what the row says of the certificate, and that nothing is sent where it is bad."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.utils import accept_key

from incident.sources.checks import Check, Row
from incident.sources.endpoint import Control, Surroundings, attempt
from incident.sources.stages import Limits
from incident.sources.target import parse_target
from incident.sources.tls import facts

QUICK = Limits(resolve=1, connect=1, tls=0.5, status=0.5, headers=0.5, total=1.5, message=0.3, close=0.1)
HERE = Surroundings(limits=QUICK, control=None)
NOW = datetime.datetime.now(datetime.UTC)


async def loopback(host: str, port: int) -> list[Any]:
    """A resolver for which every name is this machine."""
    return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)


def issued(*names: str, ca: trustme.CA | None = None, **dates: datetime.datetime) -> trustme.LeafCert:
    """A certificate; of an authority that nobody trusts unless one is given."""
    return (ca or trustme.CA()).issue_cert(*(names or ("localhost", "127.0.0.1")), **dates)


def server_context(certificate: trustme.LeafCert, **options: Any) -> ssl.SSLContext:
    """A server that shows this certificate; options are attributes of the context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    for name, value in options.items():
        setattr(context, name, value)
    return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[trustme.CA]:
    """An authority that `SSL_CERT_FILE` names, and so is trusted."""
    ca = trustme.CA(organization_name="Test Authority")
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(path))
        yield ca


async def against(
    context: ssl.SSLContext | None,
    here: Surroundings = HERE,
    url: str = "wss://localhost",
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any] | None = None,
    **check: Any,
) -> tuple[Row, list[bytes]]:
    """The row of one check against a TLS server that accepts, and the requests that came to it."""
    heads: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", heads[-1])
            accepted = accept_key(key[1].decode() if key else "")
            head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(f"{head}Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode())
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve or accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        target = parse_target(f"{url}:{port}/ws", "", check.get("kind", "websocket"))
        row = await attempt(target, Check(**{"hold": 0.05, **check}), here, Control(here))
        await asyncio.sleep(0)
        return row, heads
    finally:
        server.close()


def seen(*arguments: Any, **options: Any) -> tuple[Row, list[bytes]]:
    """The same, run to its end."""
    return asyncio.run(against(*arguments, **options))


def test_trusted(authority: trustme.CA) -> None:
    """What a browser's padlock tells, and that `SSL_CERT_FILE` is honoured as by every other tool."""
    ends = NOW + datetime.timedelta(days=9, hours=12)
    certificate = issued("localhost", "chat.example.com", ca=authority, not_before=NOW, not_after=ends)
    context = server_context(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    row, heads = seen(context)
    assert (row["verdict"], row["status"], len(heads)) == ("accepted", "ok", 1)
    tls = row["tls"]
    assert list(tls) == [
        "version", "cipher", "alpn", "subject", "names", "issuer", "not_before", "not_after", "days_left", "trusted",
        "because",
    ]  # fmt: skip
    assert (tls["version"], tls["alpn"], tls["trusted"], tls["because"]) == ("TLSv1.3", "http/1.1", True, "")
    assert tls["cipher"].startswith("TLS_")
    assert (tls["names"], tls["issuer"]) == (["localhost", "chat.example.com"], "Test Authority")
    assert tls["not_after"] == ends.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    assert tls["days_left"] == pytest.approx(9.5, abs=0.01)
    assert row["timings"]["tls_s"] > 0
    assert json.loads(json.dumps(row)) == row


ISSUER = "unable to get local issuer certificate (a private authority, or an intermediate certificate that the server does not send)"
EARLIER, LATER = NOW - datetime.timedelta(days=3), NOW + datetime.timedelta(days=3)
UNTRUSTED: dict[str, tuple[dict[str, datetime.datetime], bool, str, str]] = {
    "expired": ({"not_after": EARLIER}, True, "wss://localhost", "certificate has expired"),
    "not-yet": ({"not_before": LATER}, True, "wss://localhost", "certificate is not yet valid"),
    "unknown-authority": ({}, False, "wss://localhost", ISSUER),
    "wrong-name": (
        {},
        True,
        "wss://other.localhost",
        "Hostname mismatch, certificate is not valid for 'other.localhost'",
    ),
}


@pytest.mark.parametrize(("dates", "is_known", "url", "why"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_untrusted(
    authority: trustme.CA, dates: dict[str, datetime.datetime], is_known: bool, url: str, why: str
) -> None:
    """The certificate's facts are told all the same, and no request ever goes to who shows it."""
    certificate = issued(ca=authority if is_known else None, **dates)
    row, heads = seen(server_context(certificate), replace(HERE, resolve=loopback), url)
    assert (row["verdict"], row["stage"], row["status"]) == ("unreachable", "tls", "failed")
    assert row["because"] == f"the certificate is not trusted: {why}"
    assert (row["tls"]["trusted"], row["tls"]["because"], row["tls"]["names"]) == (False, why, ["localhost"])
    assert (row["tls"]["days_left"] < 0) == (why == "certificate has expired")
    assert heads == []
    assert row["timings"]["status_s"] is None


def test_insecure_goes_on_and_says_so(authority: trustme.CA) -> None:
    """A certificate that ended at night should not hide whether the service still answers."""
    ended = issued(ca=authority, not_after=NOW - datetime.timedelta(days=3))
    row, heads = seen(server_context(ended), replace(HERE, insecure=True))
    assert (row["verdict"], row["status"], len(heads)) == ("accepted", "ok", 1)
    assert re.fullmatch(
        r"accepted, still open after \d+ ms; the certificate was not checked \(--insecure\): certificate has expired",
        row["because"],
    )
    assert (row["tls"]["version"], row["tls"]["trusted"], row["tls"]["days_left"]) == ("TLSv1.3", False, -3.0)


def test_insecure_is_said_once_for_all_tries(authority: trustme.CA) -> None:
    """Twice the same warning hides what differs between the tries."""
    ended = issued(ca=authority, not_after=EARLIER)
    row, heads = seen(server_context(ended), replace(HERE, insecure=True, retries=1), expect="403")
    assert (row["status"], len(heads)) == ("failed", 1)  # an acceptance is no answer to try again after
    row, heads = seen(server_context(ended), replace(HERE, insecure=True, retries=1), serve=busy(heads))
    assert (row["attempts"], row["because"].count("--insecure")) == (2, 1)
    assert re.search(r"; try 1: answered 503 .*, after \d+ ms; the certificate was not checked", row["because"])


def busy(heads: list[bytes]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """A server that answers 503."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
        writer.close()

    return serve


def test_insecure_says_nothing_of_a_good_certificate(authority: trustme.CA) -> None:
    """The option alone makes nobody less safe: what is trusted was checked."""
    row, _ = seen(server_context(issued(ca=authority)), replace(HERE, insecure=True))
    assert row["tls"]["trusted"]
    assert "--insecure" not in row["because"]


def test_ssl_cert_file_decides_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Contexts are kept, so the variable is tried where nothing is kept yet: without it, with it."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    script = (
        "import sys; from incident.sources.endpoint import probe, Surroundings; from incident.sources.checks import Check\n"
        "row = probe(sys.argv[1], Check(hold=0), Surroundings(control=None)); print(row['tls']['trusted'])\n"
        "print('cryptography' in sys.modules)"
    )

    async def both() -> list[str]:
        server = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=server_context(issued(ca=ca))
        )
        url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/"
        said = []
        for environ in ({}, {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, url, stdout=subprocess.PIPE, env=environ
            )
            said.append((await process.communicate())[0].decode())
        server.close()
        return said

    assert asyncio.run(both()) == ["False\nTrue\n", "True\nFalse\n"]


def old_server() -> ssl.SSLContext:
    """A server that has no version after TLS 1.1."""
    context = server_context(issued())
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


def with_alert(context: ssl.SSLContext, here: Surroundings = HERE) -> Row:
    """The row of a server that says why it ends a handshake, which asyncio's own does not."""

    def serve() -> None:
        sock, _ = listener.accept()
        with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as peer:
            with suppress(ssl.SSLError):
                peer.do_handshake()
            while os.read(peer.fileno(), 4096):  # what lies unread at the close would make it a reset
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        target = parse_target(f"wss://localhost:{listener.getsockname()[1]}/")
        row = asyncio.run(attempt(target, Check(hold=0), here, Control(here)))
        thread.join()
    return row


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_version() -> None:
    """The words say what the other side lacks, not what OpenSSL calls it alone; what was not agreed on is null."""
    row = with_alert(old_server())
    assert re.fullmatch(
        r"the TLS handshake failed: the other side offers no version from TLS 1.2 on \([a-z0-9 ]+\)", row["because"]
    )
    assert row["tls"] == {
        "version": None, "cipher": None, "alpn": None, "subject": None, "names": None, "issuer": None,
        "not_before": None, "not_after": None, "days_left": None, "trusted": None, "because": row["because"],
    }  # fmt: skip


def test_client_certificate_is_wanted(authority: trustme.CA) -> None:
    """With TLS 1.3 the alert comes after the handshake: it must not look like a server that says nothing."""
    context = server_context(issued(ca=authority), verify_mode=ssl.CERT_REQUIRED)
    authority.configure_trust(context)
    row = with_alert(context)
    assert (row["verdict"], row["stage"], row["tls"]["trusted"]) == ("unreachable", "status", True)
    assert row["because"] == "the connection was ended by TLS (tlsv13 alert certificate required) without an answer"


def hangs() -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """A server that takes the connection and never answers the TLS handshake."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return serve


def test_tls_limit_holds() -> None:
    """A port that swallows the handshake costs its own limit, not the one for all."""
    row, _ = seen(None, serve=hangs())
    assert (row["stage"], row["because"]) == ("tls", "the TLS handshake did not end within 0.5 s")
    assert 0.4 < row["timings"]["tls_s"] < 1.2


def test_plain_connection_has_no_tls() -> None:
    """Null, and not a certificate that is not trusted."""
    row, _ = seen(None, url="ws://127.0.0.1")
    assert (row["verdict"], row["tls"]) == ("accepted", None)


def test_tls_that_was_not_reached_is_null() -> None:
    """A closed port says nothing of a certificate."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = parse_target(f"wss://127.0.0.1:{taken.getsockname()[1]}/")
        row = asyncio.run(attempt(target, Check(), HERE, Control(HERE)))
    assert (row["stage"], row["tls"]) == ("connect", None)


@pytest.mark.parametrize("host", [f"{'a' * 64}.example", ".example"])
def test_name_that_tls_cannot_ask_for(host: str) -> None:
    """Such a name does not resolve, but `--connect-to` leads past that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = Surroundings(limits=QUICK, control=None, connect_to=f"127.0.0.1:{listener.getsockname()[1]}")
        row = asyncio.run(attempt(parse_target(f"wss://{host}/"), Check(), here, Control(here)))
    assert row["because"] == f"the TLS handshake cannot ask for {host}: it is no name"


def test_hostile_certificate() -> None:
    """The other side writes its certificate: it may not move a cursor, nor fill the row, nor break the probe."""
    hostile = trustme.CA(organization_name="\x1b[2J" + "x" * 60)
    certificate = hostile.issue_cert(*(f"n{number}.example" for number in range(300)))
    row, _ = seen(server_context(certificate))
    assert (row["tls"]["issuer"][:5], len(row["tls"]["names"])) == ("\N{REPLACEMENT CHARACTER}[2Jx", 100)
    assert facts(b"\x30\x03not DER")["subject"] is None

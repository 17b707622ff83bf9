"""Which credentials there are, and whether they hold, from files as google-auth reads them and a real token server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import compute_engine
from google.auth.exceptions import RefreshError, TransportError

from incident.sources import doctor_credentials
from incident.sources.calls import LOGIN
from incident.sources.clients import Clients
from incident.sources.doctor_credentials import Caller, account, caller, description, member

EMAIL = "reader@my-project.iam.gserviceaccount.com"
USER = {
    "type": "authorized_user", "client_id": "x.apps.googleusercontent.com", "client_secret": "CANARY-SECRET",
    "refresh_token": "1//CANARY-REFRESH", "account": "ada@example.com",
}  # fmt: skip


class TokenServer(BaseHTTPRequestHandler):
    """Answers 200 with a token at /token, and at /revoked as Google does."""

    def do_POST(self) -> None:
        """Answer."""
        good = self.path == "/token"
        told = {"access_token": "CANARY-TOKEN", "expires_in": 3600} if good else {
            "error": "invalid_grant", "error_description": "Token has been expired or revoked.",
        }  # fmt: skip
        body = json.dumps(told).encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def token_server() -> Iterator[str]:
    """The address of a token server on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenServer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def key() -> str:
    """A private key in PEM."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, *form).decode()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks with a file of credentials, or with none."""

    def ask(held: Any = None) -> Caller:
        environ = {"HOME": str(tmp_path)}
        if held is not None:
            path = tmp_path / "held.json"
            path.write_text(held if isinstance(held, str) else json.dumps(held))
            environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        found = caller(Clients(), environ)
        assert "CANARY" not in repr(found)
        assert "PRIVATE KEY" not in repr(found)
        return found

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)
    return ask


def service_account(key: str, server: str) -> dict[str, str]:
    """A service account's key file."""
    return {
        "type": "service_account", "client_email": EMAIL, "private_key": key, "token_uri": server,
        "project_id": "my-project", "private_key_id": "1", "client_id": "1",
    }  # fmt: skip


def test_a_service_account(asked: Any, key: str, token_server: str) -> None:
    """Whom to grant a role to is known, and the command names them."""
    found = asked(service_account(key, f"{token_server}/token"))
    assert (found.line.status, found.line.because) == ("ok", f"a service account's key, {EMAIL}")
    assert (found.there, found.member) == (True, f"serviceAccount:{EMAIL}")


def test_a_key_that_was_revoked(asked: Any, key: str, token_server: str) -> None:
    """Credentials that are there and hold no more are the usual case on a Monday."""
    found = asked(service_account(key, f"{token_server}/revoked"))
    assert (found.line.status, found.there) == ("missing", False)
    assert found.line.because == (
        f"a service account's key, {EMAIL}, expired or revoked: invalid_grant: Token has been expired or revoked"
    )


def test_a_token_server_that_is_not_reached(asked: Any, key: str) -> None:
    """Not reached is not expired: the network is to mend then, not the login."""
    found = asked(service_account(key, "http://127.0.0.1:9/token"))
    assert (found.line.status, found.there) == ("uncertain", True)
    assert found.line.because == (
        f"a service account's key, {EMAIL}; whether they still hold is not known: nobody was reached who renews them"
    )


UNREACHED = RefreshError("Failed to retrieve a token from the metadata server")
UNREACHED.__cause__ = TransportError("down")


@pytest.mark.parametrize(("error", "status", "command"), [
    (None, "ok", ""), (RefreshError("Reauthentication is needed."), "missing", LOGIN),
    (TransportError("down"), "uncertain", ""), (UNREACHED, "uncertain", ""),
])  # fmt: skip
def test_a_person(
    asked: Any, monkeypatch: pytest.MonkeyPatch, error: Exception | None, status: str, command: str
) -> None:
    """A login of gcloud that has run out is mended by a login."""

    def refresh(*_: Any) -> None:
        if error:
            raise error

    monkeypatch.setattr("google.oauth2.credentials.Credentials.refresh", refresh)
    found = asked(USER)
    assert (found.line.status, found.line.command) == (status, command)
    assert found.line.because.startswith("user credentials of gcloud, ada@example.com")
    assert found.member == "user:ada@example.com"


def test_a_person_whose_file_does_not_say_who(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files of gcloud name no account; no other person's is put in its place."""
    monkeypatch.setattr("google.oauth2.credentials.Credentials.refresh", lambda *_: None)
    found = asked({name: value for name, value in USER.items() if name != "account"})
    assert (found.line.because, found.member) == ("user credentials of gcloud", "user:EMAIL")


BROKEN = {"type": "service_account", "client_email": EMAIL, "private_key": "CANARY", "token_uri": "x"}


@pytest.mark.parametrize("held", ["{", '{"type": "other"}', "[]", BROKEN])
def test_a_file_that_cannot_be_read(asked: Any, held: Any) -> None:
    """A file that is there and broken is told apart from no file."""
    found = asked(held)
    assert (found.line.status, found.there, found.line.command) == ("missing", False, LOGIN)
    assert found.line.because.startswith("a file of them is there, and cannot be read: ")


def test_nothing(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metadata server that never answers is waited for no longer than one that is there would take."""
    monkeypatch.setattr(doctor_credentials, "SERVER_S", 0.05)
    hanging = threading.Event()
    monkeypatch.setattr("google.auth.default", lambda **_: hanging.wait())
    found = asked()
    hanging.set()
    assert (found.line.status, found.there, found.line.command) == ("missing", False, LOGIN)
    assert found.line.because == (
        "there are none: GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default login "
        "and the metadata server were asked"
    )


def test_a_file_that_takes_long(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """google-auth starts gcloud beside a login's file: slow is not absent."""
    monkeypatch.setattr(doctor_credentials, "FILE_S", 0.05)
    hanging = threading.Event()
    monkeypatch.setattr("google.auth.default", lambda **_: hanging.wait())
    found = asked(USER)
    hanging.set()
    assert (found.line.status, found.line.because) == (
        "uncertain", "a file of them is there, and google-auth gave no answer within 0.05 s",
    )  # fmt: skip


def test_a_metadata_server() -> None:
    """Until it was asked for a token it calls its account `default`, which is nobody's name."""
    found = compute_engine.Credentials()
    assert description(found) == "the metadata server's service account"
    assert (account(found), member(found)) == ("", "serviceAccount:EMAIL")


def test_a_stand_in() -> None:
    """On loopback no credentials are sent, and none are missed."""
    found = caller(Clients("127.0.0.1:8085"), {})
    assert (found.line.status, found.there) == ("ok", True)

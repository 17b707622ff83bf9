"""ID tokens: for whom one is made, where it may go, and what is said where there is none; by the real google-auth."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from incident.findings import UsageError
from incident.sources.checks import Check
from incident.sources.endpoint import Surroundings
from incident.sources.id_tokens import GCLOUD, IdToken, audience_for, carrying, check_way, fetch, obtain
from incident.sources.target import parse_target

URL = "https://chat-7gq2x-uc.a.run.app"
OTHER_URL = "https://chat-123456789.us-central1.run.app"
CUSTOM = ["https://chat.example.com", "chat-clients"]
SERVICE = {"project": "my-project", "region": "us-central1", "service": "chat"}
READ = "give --project, --region and --service, so that its URLs and custom audiences can be read"


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        ("wss://chat-7gq2x-uc.a.run.app/ws", URL),
        ("https://chat-123456789.us-central1.run.app", OTHER_URL),
        ("https://canary---chat-7gq2x-uc.a.run.app", URL),
        ("https://CHAT-7gq2x-uc.a.run.app:443/ws", URL),
    ],
)
def test_a_host_of_cloud_run_is_its_own_audience(url: str, audience: str) -> None:
    """Without any call: a token for the very origin that gets it is of no use to anyone else."""
    assert audience_for(url) == audience
    assert audience_for(url, asked=audience) == audience


@pytest.mark.parametrize(
    ("url", "asked", "message"),
    [
        ("https://chat.example.com", "", f"chat.example.com is not known to be the service's: {READ}"),
        ("https://run.app", "", f"run.app is not known to be the service's: {READ}"),
        ("https://a.run.app.example", "", f"a.run.app.example is not known to be the service's: {READ}"),
        ("https://evilrun.app", "", f"evilrun.app is not known to be the service's: {READ}"),
        ("https://a.run.app:8443", "", f"a.run.app:8443 is not known to be the service's: {READ}"),
        ("https://a.run.app.", "", f"a.run.app. is not known to be the service's: {READ}"),
        (
            URL,
            "https://other.a.run.app",
            f"audience 'https://other.a.run.app' is not known to be the service's: {READ}",
        ),
    ],
)
def test_any_other_host_has_to_be_looked_up(url: str, asked: str, message: str) -> None:
    """A name that only looks like one of Cloud Run gets no token."""
    with pytest.raises(UsageError) as caught:
        audience_for(url, asked=asked)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("url", "asked", "audience"),
    [
        (URL, "", URL),
        (OTHER_URL, "", OTHER_URL),
        ("https://canary---chat-7gq2x-uc.a.run.app", "", URL),
        ("https://chat.example.com/ws", "", "https://chat.example.com"),
        (URL, "chat-clients", "chat-clients"),
    ],
)
def test_audience_of_a_service(url: str, asked: str, audience: str) -> None:
    """The service's own URLs, and custom audiences that it lists."""
    assert audience_for(url, [URL, OTHER_URL], CUSTOM, asked) == audience


@pytest.mark.parametrize(
    ("url", "asked", "message"),
    [
        (
            "https://other.example.com",
            "",
            f"an ID token is not sent to other.example.com: the service has only {URL}, https://chat.example.com, "
            "chat-clients",
        ),
        (
            "https://chat.example.com:8443",
            "",
            f"an ID token is not sent to chat.example.com:8443: the service has only {URL}, https://chat.example.com, "
            "chat-clients",
        ),
        (
            "https://chat-clients",
            "",
            f"an ID token is not sent to chat-clients: the service has only {URL}, https://chat.example.com, "
            "chat-clients",
        ),
        (
            URL,
            "https://other.a.run.app",
            f"audience 'https://other.a.run.app' is not one of the service: use one of {URL}, "
            "https://chat.example.com, chat-clients",
        ),
    ],
)
def test_never_to_another_origin(url: str, asked: str, message: str) -> None:
    """A custom audience that is no URL allows no place, and a port makes another origin."""
    with pytest.raises(UsageError) as caught:
        audience_for(url, [URL], CUSTOM, asked)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("url", "here", "message"),
    [
        (
            URL,
            Surroundings(insecure=True),
            "--insecure and a token exclude each other: whoever answers would get the token",
        ),
        (
            "ws://chat-7gq2x-uc.a.run.app/ws",
            Surroundings(),
            "a token is not sent to chat-7gq2x-uc.a.run.app over plain text: give a wss:// or an https:// URL",
        ),
        (
            "ws://127.0.0.1:8080/ws",
            Surroundings(connect_to="192.0.2.1:80"),
            "a token is not sent to 192.0.2.1 over plain text: give a wss:// or an https:// URL",
        ),
    ],
)
def test_ways_on_which_others_could_read_it(url: str, here: Surroundings, message: str) -> None:
    """Refused before anything is fetched."""
    with pytest.raises(UsageError) as caught:
        obtain(url, here)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("url", "connect_to"),
    [
        (URL, "192.0.2.1:443"),
        ("ws://chat-7gq2x-uc.a.run.app", "127.0.0.1:8080"),
        ("ws://[::1]:8080", None),
        ("ws://localhost:8080", None),
    ],
)
def test_ways_that_are_safe(url: str, connect_to: str | None) -> None:
    """Over TLS the certificate still proves the host; on loopback nobody listens on the way."""
    check_way(parse_target(url), Surroundings(connect_to=connect_to))


TOKEN = IdToken("Bearer CANARY", URL)


@pytest.mark.parametrize(
    ("headers", "carrier"),
    [
        ({}, "Authorization"),
        ({"authorization": "Basic eA=="}, "X-Serverless-Authorization"),
        ({"X-Serverless-Authorization": "Bearer x"}, "Authorization"),
    ],
)
def test_the_header_that_carries_it(headers: dict[str, str], carrier: str) -> None:
    """Cloud Run refuses several Authorization headers, and takes another header for its own."""
    check = carrying(Check(headers=headers), parse_target(URL, "/ws"), TOKEN)
    assert check.headers == {**headers, carrier: "Bearer CANARY"}


def test_both_headers_written_already() -> None:
    """Then there is no place left, which is said and not passed over."""
    check = Check("both", headers={"Authorization": "a", "X-Serverless-Authorization": "b"})
    with pytest.raises(UsageError) as caught:
        carrying(check, parse_target(URL), TOKEN)
    assert str(caught.value) == (
        "check 'both' writes Authorization and X-Serverless-Authorization: leave one to the ID token"
    )


def test_its_value_is_not_in_its_representation() -> None:
    """A traceback shows representations."""
    assert "CANARY" not in repr(TOKEN)
    assert "CANARY" not in repr(carrying(Check(), parse_target(URL), TOKEN))


def jwt(audience: str) -> str:
    """A token of the right form, signed by nobody."""
    parts = ({"alg": "none"}, {"aud": audience, "exp": int(time.time()) + 3600}, {"signature": "CANARY"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


@dataclass
class TokenServer:
    """What stands for oauth2.googleapis.com: gives the answer that was set, and keeps what it was asked."""

    url: str = ""
    answer: tuple[int, Any] = (200, {})
    asked: list[dict[str, list[str]]] = field(default_factory=list)


@pytest.fixture
def issuer() -> Iterator[TokenServer]:
    """A token server on loopback."""
    held = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            held.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            status, body = held.answer
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}/token"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield held
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def private_key() -> str:
    """A service account's key, made here."""
    key = rsa.generate_private_key(65537, 2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


@pytest.fixture
def account(issuer: TokenServer, private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's file, which the environment names; and a proxy there, which must not be asked."""
    file = tmp_path / "key.json"
    known = {"type": "service_account", "client_email": "probe@my-project.iam.gserviceaccount.com"}
    file.write_text(json.dumps(known | {"private_key": private_key, "token_uri": issuer.url}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return file


@pytest.mark.usefixtures("account")
def test_a_service_account(issuer: TokenServer) -> None:
    """google-auth signs an assertion for the audience; what comes back is the header's value."""
    issuer.answer = 200, {"id_token": jwt(URL)}
    assert obtain(f"{URL}/ws", Surroundings()) == IdToken(f"Bearer {issuer.answer[1]['id_token']}", URL)
    claims = issuer.asked[0]["assertion"][0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["target_audience"] == URL


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature.", "id_token": "CANARY"}),
            f"no ID token for {URL}: invalid_grant: Invalid JWT Signature; give {GCLOUD}",
        ),
        ((200, {"other": "CANARY"}), f"no ID token for {URL}: No ID token in response; give {GCLOUD}"),
        (
            (400, "CANARY" + 40 * "x" + " was refused\nCANARY"),
            f"no ID token for {URL}: *** was refused; give {GCLOUD}",
        ),
        ((200, {"id_token": jwt(URL) + "\r\nX-A: CANARY"}), None),
    ],
)
def test_a_refused_token(issuer: TokenServer, answer: tuple[int, Any], because: str | None) -> None:
    """Why is said, with the way that needs no service account; nothing of the answer's body is."""
    issuer.answer = answer
    got = fetch(URL, URL)
    assert isinstance(got, str)
    assert because in (got, None)
    assert got.startswith(f"no ID token for {URL}: ")
    assert "CANARY" not in got


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (None, "no ID token: GOOGLE_APPLICATION_CREDENTIALS path is either not found or invalid"),
        ("{", "no ID token: GOOGLE_APPLICATION_CREDENTIALS is not valid service account credentials"),
    ],
)
def test_a_file_that_is_none(account: Path, text: str | None, because: str) -> None:
    """The variable is what has to be mended."""
    account.write_text(text) if text else account.unlink()
    assert fetch(URL, URL) == because


class TestService:
    """A host that is not of run.app: the service itself says whether it may get a token."""

    @pytest.fixture
    def environ(self, google: Any) -> dict[str, str]:
        """A service with two URLs and two custom audiences."""
        google.service.urls, google.service.custom_audiences = [URL, OTHER_URL], CUSTOM
        return {"INCIDENT_GCP_ENDPOINT": google.address}

    @pytest.mark.usefixtures("account")
    @pytest.mark.parametrize(
        ("url", "asked", "audience"),
        [
            ("wss://chat.example.com/ws", "", "https://chat.example.com"),
            ("wss://chat.example.com/ws", "chat-clients", "chat-clients"),
            (OTHER_URL, URL, URL),
        ],
    )
    def test_listed(self, issuer: TokenServer, environ: dict[str, str], url: str, asked: str, audience: str) -> None:
        """The token is for an audience that the service lists, and goes to the host that was asked for."""
        issuer.answer = 200, {"id_token": jwt(audience)}
        got = obtain(url, Surroundings(), asked, SERVICE, environ)
        assert isinstance(got, IdToken)
        assert got.origin == url.replace("wss", "https").removesuffix("/ws")
        claims = issuer.asked[0]["assertion"][0].split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["target_audience"] == audience

    def test_not_listed(self, environ: dict[str, str]) -> None:
        """Nothing is fetched for it."""
        with pytest.raises(UsageError, match=r"an ID token is not sent to evil\.example: the service has only"):
            obtain("wss://evil.example/ws", Surroundings(), "", SERVICE, environ)

    def test_one_call_by_name(self, environ: dict[str, str], google: Any) -> None:
        """One read, of the service that was named."""
        with pytest.raises(UsageError):
            obtain("wss://evil.example/ws", Surroundings(), "", SERVICE, environ)
        assert [request.name for request in google.requests("GetService")] == [
            "projects/my-project/locations/us-central1/services/chat"
        ]

    def test_refused(self, environ: dict[str, str], google: Any) -> None:
        """Access that is missing is no verdict on the service: the checks are skipped, and the remedy is said."""
        google.faults["GetService"] = grpc.StatusCode.PERMISSION_DENIED
        assert obtain(URL, Surroundings(), "", SERVICE, environ) == (
            "no ID token: reading service 'chat' in us-central1, project 'my-project' was refused (403): "
            "run.services.get is needed; grant roles/run.viewer to MEMBER, which is user:EMAIL or serviceAccount:EMAIL: "
            "gcloud projects add-iam-policy-binding my-project --member=MEMBER --role=roles/run.viewer --condition=None"
        )

    @pytest.mark.parametrize("service", [SERVICE | {"region": ""}, SERVICE | {"project": "a/../b"}])
    def test_names(self, environ: dict[str, str], service: dict[str, str]) -> None:
        """A resource name is made of names alone."""
        with pytest.raises(UsageError, match=r"^parameter '(region|project)' is "):
            obtain(URL, Surroundings(), "", service, environ)

"""What is secret by name and by shape, and what must survive."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.detectors import (
    COOKIES,
    QUERY_SECRETS,
    SECRET_ENDINGS,
    SECRETS,
    SHAPED,
    STEMS,
    SUSPECT,
    is_secret_name,
    replace_secrets,
)

HEX = "0123456789abcdef"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx7Yw\nq2hJ5v0zK9ePmA1b2C3d\n-----END RSA PRIVATE KEY-----"


def starred(text: str) -> str:
    return replace_secrets(text, lambda secret: "<secret>")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("api_key=abc123", "api_key=<secret>"),
        ("E2E_OAUTH_SIMULATION_KEY=staging_e2e_key_2024 ok", "E2E_OAUTH_SIMULATION_KEY=<secret> ok"),
        ('{"password": "a b c", "user": "x"}', '{"password": "<secret>", "user": "x"}'),
        (r"{\"password\": \"a\", \"token\": \"b12\"}", r"{\"password\": \"a\", \"token\": \"<secret>\"}"),
        ('"password": "ab\\"cd", "user": "x"', '"password": "<secret>", "user": "x"'),
        ("{'client_secret': 'x1y2z3'}", "{'client_secret': '<secret>'}"),
        ("token: abc123", "token: <secret>"),
        ("password: hunter", "password: <secret>"),
        ("config: api_key=abc123,user=bob", "config: api_key=<secret>,user=bob"),
        ("(password=abc123)", "(password=<secret>)"),
        ("wss://x/ws?token=abc123&room=7", "wss://x/ws?token=<secret>&room=7"),
        ("https://x/?a=1&key=q9w8e7&sig=00ff00", "https://x/?a=1&key=<secret>&sig=<secret>"),
        ("next=%2Fcb%3Ftoken%3Dabc123%26room%3D7", "next=%2Fcb%3Ftoken%3D<secret>%26room%3D7"),
        ("Authorization: Bearer abc123", "Authorization: Bearer <secret>"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic <secret>"),
        ("proxy-authorization: opaque-1", "proxy-authorization: <secret>"),
        ("X-Api-Key: q9w8e7", "X-Api-Key: <secret>"),
        ("X-Goog-Signature=00ffaa99", "X-Goog-Signature=<secret>"),
        ("Cookie: sid=abc; theme=dark1", "Cookie: sid=<secret>; theme=<secret>"),
        ("Set-Cookie: sid=abc123; Path=/; HttpOnly", "Set-Cookie: sid=<secret>; Path=/; HttpOnly"),
        ("curl -H 'Cookie: sid=abc' 'https://x/?room=7'", "curl -H 'Cookie: sid=<secret>' 'https://x/?room=7'"),
        ("[(b'authorization', b'Bearer x1y2z3')]", "[(b'authorization', b'Bearer <secret>')]"),
        ("[(b'cookie', b'sid=x1y2z3')]", "[(b'cookie', b'sid=<secret>')]"),
        ("[{'name': 'API_KEY', 'value': 'x1y2'}]", "[{'name': 'API_KEY', 'value': '<secret>'}]"),
        ("run --password hunter2 --room 7", "run --password <secret> --room 7"),
        ("run --token=abc123 --room 7", "run --token=<secret> --room 7"),
        ("api_key\x1b[39m=\x1b[32m'abc123'", "api_key\x1b[39m=\x1b[32m'<secret>'"),
        ("\x1b[33mapi_key\x1b[39m = 'abc123'", "\x1b[33mapi_key\x1b[39m = '<secret>'"),
        (r"first\ntoken=abc123\nnext", r"first\ntoken=<secret>\nnext"),
        ("Server=db;Password=p4ss;Database=x", "Server=db;Password=<secret>;Database=x"),
        ("AccountKey=aGVsbG8=;EndpointSuffix=x", "AccountKey=<secret>;EndpointSuffix=x"),
    ],
)
def test_secret_by_name(text: str, kept: str) -> None:
    """The value behind a secret name goes, and nothing beside it: the rest of the line is evidence."""
    assert starred(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"got eyJ{HEX}.eyJ{HEX}.{HEX} from x", "got <secret> from x"),
        ("Bearer abc123def", "Bearer <secret>"),
        ("using AIzaSyA1234567890abcdefghijklmnopqrstuv now", "using <secret> now"),
        (f"ya29.{HEX}", "<secret>"),
        ("GOCSPX-abcdefghijklmnopqrstuvwx", "<secret>"),
        ("AKIAIOSFODNN7EXAMPLE", "<secret>"),
        ("ghp_" + "aB3" * 12, "<secret>"),
        ("github_pat_" + "aB3_" * 12, "<secret>"),
        ("xoxb-" + "123456789012-abc", "<secret>"),
        ("sk_" + "live_" + HEX, "<secret>"),
        ("u=%3DAIzaSyA1234567890abcdefghijklmnopqrstuv", "u=%3D<secret>"),
        (f"before {PEM} after", "before -----BEGIN RSA PRIVATE KEY-----<secret>-----END RSA PRIVATE KEY----- after"),
        ("postgresql+asyncpg://app:p%40ss@10.0.0.3/db", "postgresql+asyncpg://app:<secret>@10.0.0.3/db"),
        ("redis://:p@ss@cache:6379/0", "redis://:<secret>@cache:6379/0"),
        (f"https://{HEX}{HEX}@o1.ingest.example/2", "https://<secret>@o1.ingest.example/2"),
    ],
)
def test_secret_by_shape(text: str, kept: str) -> None:
    """Issuers give their tokens a shape so that they are found where no name stands beside them."""
    assert starred(text) == kept


SURVIVORS = [
    "netra-backend-staging-00139-x7k is Ready",
    f"europe-docker.pkg.dev/p/r/app@sha256:{HEX * 4}",
    f"commit-sha: {HEX}01234567",
    f"projects/p/traces/{HEX * 2}",
    "gcb-build-id: 0b5a2c9e-1f3d-4a7b-8c6d-9e0f1a2b3c4d",
    f"instanceId: {HEX * 10}",
    "NameError: name 'DatabaseSessionManager' is not defined",
    '{"valueFrom": {"secretKeyRef": {"name": "db-password", "key": "latest"}}}',
    "Permission denied on secret: projects/P/secrets/S/versions/latest for Revision service account SA",
    "invalid token",
    "token expired",
    "no token given",
    "token: expired",
    "Invalid token: could not decode",
    "password: must be at least 8 characters",
    "secret: access for account denied",
    "Unexpected token: identifier",
    '{"token": "Token is invalid or expired"}',
    '{"password": ["This field is required."]}',
    "KeyError: 'API_KEY'",
    "set API_KEY and JWT_SECRET",
    "key=None",
    "password: <empty>",
    "token=",
    "password=***",
    "api_key=${API_KEY}",
    "token: null",
    "prompt_tokens=531 max_tokens=4096",
    "cache_key=user:123:profile",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    'www-authenticate: Bearer realm="x", error="invalid_token"',
    "Bearer authentication is required",
    "set the proper Authorization header. Empty Authorization header value.",
    "    token = request.headers.get('x')",
    "    api_key = os.environ['API_KEY']",
    "    login(password=password)",
    "def login(token: str, password: Optional[str] = None):",
    "https://storage.example/a/b?room=7&page=2",
    "http://localhost:8080/ws?email=a@example.com",
    "PWD=/app",
    "GOOGLE_APPLICATION_CREDENTIALS=/secrets/sa.json",
    "Container called exit(3).",
    "monkey=12345",
    "config: E2E_OAUTH_SIMULATION_KEY= STAGING_E2E_TEST= E2E_TEST_ENV=",
]


SOCKET_SECRETS = [
    "wss://chat/ws?ticket=8f3a91c2d4e5f607&room=7", "/ws?session=8f3a91c2d4e5f607", "/cb?code=8f3a91c2d4e5f607",
    "/ws?otp=8f3a91c2d4e5f607", "Sec-WebSocket-Protocol: bearer, 8f3a91c2d4e5f607",
]  # fmt: skip


@pytest.mark.parametrize("text", SOCKET_SECRETS)
def test_what_opens_a_socket(text: str) -> None:
    """A browser sets no header on a WebSocket, so its credentials stand in the query or as a subprotocol."""
    assert "8f3a91c2d4e5f607" not in starred(text)


@pytest.mark.parametrize("text", SURVIVORS)
def test_what_must_survive(text: str) -> None:
    """Over-redaction is a defect: names, ids, digests, prose about secrets and code are the evidence."""
    assert starred(text) == text


def test_a_token_whose_signature_google_removed() -> None:
    """The platform's own marker says that the signature is not there; the claims before it go all the same."""
    text = f"Authorization: Bearer eyJ{HEX}.eyJ{HEX}.SIGNATURE_REMOVED_BY_GOOGLE"
    assert starred(text) == "Authorization: Bearer <secret>.SIGNATURE_REMOVED_BY_GOOGLE"


def test_a_name_of_any_length_is_read_to_its_end() -> None:
    """A name longer than any real one must not hide the value behind it."""
    assert starred("a" * 1000 + "_password=abc123").endswith("_password=<secret>")


@pytest.mark.parametrize("name", ["apikey", "dbPassword", "DB_PASS", "accessToken", "JWT_KEY_STAGING", "SECRET_V2"])
def test_secret_names(name: str) -> None:
    """Names come in every case; environment and version behind the noun do not change what it is."""
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["key", "publicKey", "primary_key", "token_count", "secretName", "PWD", "monkey", ""])
def test_harmless_names(name: str) -> None:
    """A name with a secret's word in it is not always a secret's name."""
    assert not is_secret_name(name)


def test_every_secret_word_holds_a_stem() -> None:
    """A line without a stem is not searched for names, so a word without one would never be found."""
    words = SECRETS | QUERY_SECRETS | {*SECRET_ENDINGS, "key", "pass"}
    assert not [word for word in words if not any(stem in word for stem in STEMS)]


@pytest.mark.parametrize("detector", [*SHAPED, COOKIES])
def test_every_shape_is_suspect(detector: re.Pattern[str]) -> None:
    """In a frame only texts that are suspect are given to the detectors, so what one finds must always be suspect."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(detector))
    def check(text: str) -> None:
        assert re.search(SUSPECT, text, re.IGNORECASE), text

    check()

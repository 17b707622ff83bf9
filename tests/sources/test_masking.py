"""What was sent and may be secret, and what a server's echo of it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.sources.checks import Check
from incident.sources.masking import Mask, may_be_secret, without
from incident.sources.request_bytes import mask
from incident.sources.target import parse_target

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.c2lnbmF0dXJl"
KEYS = {"Authorization": "Basic Q0FOQVJZOkNBTkFSWQ=="}


@pytest.mark.parametrize(
    ("check", "query", "text", "masked"),
    [
        ({"headers": {"Authorization": f"Bearer {JWT}"}}, "", f"no {JWT}", "no ***"),
        ({"headers": {"Authorization": f"Bearer {JWT}"}}, "", f"no {JWT[:20]}…", "no ***…"),
        ({"headers": {"Authorization": f"Bearer {JWT}"}}, "", 'Bearer error="invalid_token"', 'Bearer error="invalid_token"'),
        ({"headers": {"Authorization": f"Bearer {JWT}"}}, "", "Bearer", "Bearer"),
        ({"headers": {"Authorization": "Bearer Unauthorized"}}, "", "401 Unauthorized", "401 ***"),
        ({"headers": KEYS}, "", "Basic Q0FOQVJZOkNBTkFSWQ==", "Basic ***"),
        ({"headers": {"Authorization": "pw12!"}}, "", "no user pw12!", "no user ***"),
        ({"headers": {"Authorization": "pw1"}}, "", "pw1 pw12", "*** pw12"),
        ({"headers": {"X-Api-Key": "web"}}, "", "websocket, web", "websocket, ***"),
        ({"headers": {"Cookie": "sid=8f3a91; theme=dark"}}, "", "session 8f3a91, dark", "session ***, dark"),
        ({"headers": {"X-Trace": "e2e CANARY1"}}, "", "canary1, CANARY1, e2e", "***, ***, e2e"),
        ({"headers": {"X-Mode": "status; answered"}}, "", "your mode is answered", "your mode is ***"),
        ({"headers": {"X-Back": "a\\CANARY\\b"}}, "", "no a\\CANARY\\b", "no ***"),
        ({"headers": {"Referer": "https://CANARY.example"}}, "", "see https://docs.example", "see https://docs.example"),
        ({}, "pin=1234", "pin 1234, not 12345", "pin ***, not 12345"),
        ({}, "mode=Unauthorized", "401 Unauthorized", "401 Unauthorized"),
        ({}, "token=Unauthorized", "401 Unauthorized", "401 ***"),
        ({}, "token=a%20CANARY%20b", "no a CANARY b", "no ***"),
        ({}, "v=web", "websocket, web", "websocket, web"),
        ({}, "CANARY0123456789", "no CANARY0123456789", "no ***"),
        ({"subprotocols": ("chat.v2", "graphql-transport-ws")}, "", "chat.v2, graphql-transport-ws", "chat.v2, graphql-transport-ws"),
        ({"subprotocols": ("chat", JWT)}, "", f"chat, {JWT}", "chat, ***"),
        ({"subprotocols": ("bearer", "opensesame")}, "", "bearer opensesame", "bearer ***"),
        ({"subprotocols": ("chat", "opensesame")}, "", "chat opensesame", "chat opensesame"),
        ({"send": '{"auth": "hunter22hunter22"}'}, "", "auth hunter22hunter22 is wrong", "auth *** is wrong"),
        ({"send": '{"token": "abc"}'}, "", "abc is no token", "*** is no token"),
        ({"send": "ping 1"}, "", "ping 1", "ping 1"),
        ({"expect_message": JWT}, "", JWT, "***"),
        ({"origin": "https://CANARY0123456789.example"}, "", "no https://CANARY0123456789.example", "no ***"),
        ({}, "", JWT, JWT),
    ],
)  # fmt: skip
def test_mask(check: dict[str, object], query: str, text: str, masked: str) -> None:
    """An echo of a secret goes, whole or cut short; words that everybody uses stay, or nothing could be read."""
    assert mask(parse_target(f"wss://h/ws?{query}"), Check(**check))(text) == masked  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["chat", "chat.v2", "v12.stomp", "mqtt", "graphql-ws", "ocpp1.6", "wamp.2.json", "soap", "ping 1"]
)
def test_plain_names_are_shown(name: str) -> None:
    """Which subprotocol was meant is half of the diagnosis."""
    assert not may_be_secret(name)


@pytest.mark.parametrize(
    "text", [JWT, "hunter22", "a" * 40, "3f2a91c4-7be0", "AIzaSyD0123456789", "base64.aGVsbG8gd29y"]
)
def test_shapes_of_secrets_are_not(text: str) -> None:
    """By shape, by what no word looks like, or by length."""
    assert may_be_secret(text)


@given(st.text("ab*=:/ ", max_size=12), st.text("ab*=:/ ", min_size=3, max_size=12))
def test_no_secret_is_left(text: str, secret: str) -> None:
    """Whatever surrounds it, a longer secret does not come through, and a mask always comes to an end."""
    masked = without(f"{text}{secret}{text}", secret)
    assert secret not in masked or len(secret) < 6 or set(secret) <= {"*"}
    Mask([("token", secret)], [text])(f"{text}{secret}{text}")

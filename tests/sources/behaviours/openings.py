"""Servers that say 101: by the rules, against each of them, and then dead in many ways."""

from __future__ import annotations

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from .server import (
    ACCEPT,
    CONNECTION,
    END,
    ENDED,
    GOOD,
    HELD,
    HOLD,
    LATE,
    OPEN,
    STILL_OPEN,
    SWITCH,
    UPGRADE,
    Behaviour,
    Peer,
    Serve,
    accepts,
    accepts_then,
    broken,
    close,
    frame,
    says,
    text,
)

OTHER_KEY = accept_key("dGhlIHNhbXBsZSBub25jZQ==").encode()
CHAT = {"subprotocols": ("chat", "v2")}
PING_1 = {"send": "ping 1", "expect_message": "ping 1"}
WAITED = HELD + 0.3  # the limit for a message
NOT_CHOSEN = "; none of the subprotocols offered was chosen"
NO_MESSAGE = "; the message 'ping 1' did not come"


async def echoes(peer: Peer) -> None:
    """A good server: sends every text back."""
    await peer.accept()
    while data := await peer.reader.read(4096):
        size = data[1] & 127
        said = bytes(byte ^ data[2 + i % 4] for i, byte in enumerate(data[6 : 6 + size]))
        if data[0] != 0x81:
            return
        await peer.say(text(said))


async def echoes_in_a_flood(peer: Peer) -> None:
    """Sends the text back, and with it all that others said."""
    await peer.accept()
    await peer.reader.read(4096)
    await peer.say(text(b"ping 1") + text(b"what others say") * 3000)
    await peer.stay()


TINY = {"texts": text(b"x"), "pings": frame(Opcode.PING), "parts": frame(Opcode.CONT, b"x", fin=False)}


def floods(kind: str) -> Serve:
    """A server that sends tiny frames for as long as somebody takes them."""

    async def serve(peer: Peer) -> None:
        await peer.accept(*[frame(Opcode.TEXT, b"x", fin=False)] * (kind == "parts"))
        while True:
            await peer.say(TINY[kind] * 2**16)

    return serve


async def needs_pongs(peer: Peer) -> None:
    """Closes unless its ping is answered."""
    await peer.accept(frame(Opcode.PING, b"are you there"))
    pong = await peer.reader.read(100)
    if pong[0] == 0x8A:
        await peer.stay()


async def closes_a_pong_later(peer: Peer) -> None:
    """Closes as soon as its ping is answered."""
    await peer.accept(frame(Opcode.PING))
    await peer.reader.read(100)
    await peer.say(close(1001, b"bye"))
    await peer.stay()


# fmt: off
KEPT = (
    Behaviour("echoes", echoes, OPEN, STILL_OPEN, HELD),
    Behaviour("names-and-values-in-other-case", says(SWITCH + b"UPGRADE: WebSocket\r\nconnection: UPGRADE\r\n" + ACCEPT + END), OPEN, STILL_OPEN, HELD),
    Behaviour("connection-in-a-list", says(SWITCH + UPGRADE + b"Connection: keep-alive, Upgrade\r\n" + ACCEPT + END), OPEN, STILL_OPEN, HELD),
    Behaviour("connection-in-two-lines", says(GOOD + b"Connection: keep-alive\r\n" + END), OPEN, STILL_OPEN, HELD),
    Behaviour("101-without-a-reason", says(GOOD.replace(b"101 Switching Protocols", b"101") + END), OPEN, STILL_OPEN, HELD),
    Behaviour("101-with-another-reason", says(GOOD.replace(b"Switching Protocols", b"Web Socket Protocol Handshake") + END), OPEN, STILL_OPEN, HELD),
    Behaviour("101-with-a-length", says(GOOD + b"Content-Length: 0\r\n" + END), OPEN, STILL_OPEN, HELD),
    Behaviour("spaces-around-values", says(SWITCH + b"Upgrade:\t websocket \t\r\n" + CONNECTION + ACCEPT + END), OPEN, STILL_OPEN, HELD),
    Behaviour("no-space-before-values", says(GOOD.replace(b": ", b":") + END), OPEN, STILL_OPEN, HELD),
    Behaviour("subprotocol-chosen", says(GOOD + b"Sec-WebSocket-Protocol: v2\r\n" + END), OPEN, STILL_OPEN, HELD, check=CHAT),
    Behaviour("subprotocol-not-chosen", accepts(), OPEN, STILL_OPEN + NOT_CHOSEN, HELD, check=CHAT),
)

RULES = (
    Behaviour("upgrade-missing", says(SWITCH + CONNECTION + ACCEPT + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but there is none"),
    Behaviour("upgrade-to-h2c", says(SWITCH + b"Upgrade: h2c\r\n" + CONNECTION + ACCEPT + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but it is 'h2c'"),
    Behaviour("upgrade-to-two", says(SWITCH + b"Upgrade: websocket, h2c\r\n" + CONNECTION + ACCEPT + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but it is 'websocket, h2c'"),
    Behaviour("upgrade-twice", says(GOOD + UPGRADE + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but it is 'websocket, websocket'"),
    Behaviour("upgrade-with-a-version", says(SWITCH + b"Upgrade: websocket/13\r\n" + CONNECTION + ACCEPT + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but it is 'websocket/13'"),
    Behaviour("upgrade-empty", says(SWITCH + b"Upgrade:\r\n" + CONNECTION + ACCEPT + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but it is ''"),
    Behaviour("connection-missing", says(SWITCH + UPGRADE + ACCEPT + END), broken("connection", "headers"), "101 needs 'Connection: Upgrade', but there is none"),
    Behaviour("connection-close", says(SWITCH + UPGRADE + b"Connection: close\r\n" + ACCEPT + END), broken("connection", "headers"), "101 needs 'Connection: Upgrade', but it is 'close'"),
    Behaviour("connection-keep-alive", says(SWITCH + UPGRADE + b"Connection: keep-alive\r\n" + ACCEPT + END), broken("connection", "headers"), "101 needs 'Connection: Upgrade', but it is 'keep-alive'"),
    Behaviour("connection-in-quotes", says(SWITCH + UPGRADE + b'Connection: "Upgrade"\r\n' + ACCEPT + END), broken("connection", "headers"), "101 needs 'Connection: Upgrade', but it is '\"Upgrade\"'"),
    Behaviour("connection-with-the-token", says(SWITCH + UPGRADE + b"Connection: <echo>\r\n" + ACCEPT + END), broken("connection", "headers"), "101 needs 'Connection: Upgrade', but it is '*** ***'"),
    Behaviour("only-a-101", says(SWITCH + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but there is none"),
    Behaviour("accept-missing", says(SWITCH + UPGRADE + CONNECTION + END), broken("accept-missing", "headers"), "101 needs Sec-WebSocket-Accept, but there is none"),
    Behaviour("accept-empty", says(SWITCH + UPGRADE + CONNECTION + b"Sec-WebSocket-Accept:\r\n" + END), broken("accept-wrong", "headers"), "Sec-WebSocket-Accept does not fit: it is ''"),
    Behaviour("accept-from-a-cache", says(SWITCH + UPGRADE + CONNECTION + b"Sec-WebSocket-Accept: " + OTHER_KEY + b"\r\n" + END), broken("accept-wrong", "headers"), "Sec-WebSocket-Accept does not fit: it is 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='"),
    Behaviour("accept-without-its-end", says(SWITCH + UPGRADE + CONNECTION + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n" + END), broken("accept-wrong", "headers"), "Sec-WebSocket-Accept does not fit: it is 's3pPLMBiTxaQ9kYGzzhZRbK+xOo'"),
    Behaviour("accept-of-another-draft", says(SWITCH + UPGRADE + CONNECTION + b"Sec-WebSocket-Location: ws://h/ws\r\n\r\n8jKS'y:G*Co,Wxa-"), broken("accept-missing", "headers"), "101 needs Sec-WebSocket-Accept, but there is none"),
    Behaviour("accept-with-a-second", says(GOOD + b"Sec-WebSocket-Accept: x\r\n" + END), broken("accept-wrong", "headers"), "Sec-WebSocket-Accept does not fit: it is '<key>, x'"),
    Behaviour("extension-not-offered", says(GOOD + b"Sec-WebSocket-Extensions: permessage-deflate\r\n" + END), broken("extension", "headers"), "an extension that was not offered: it is 'permessage-deflate'"),
    Behaviour("extension-unknown", says(GOOD + b"Sec-WebSocket-Extensions: x-own; a=1\r\n" + END), broken("extension", "headers"), "an extension that was not offered: it is 'x-own; a=1'"),
    Behaviour("extension-empty", says(GOOD + b"Sec-WebSocket-Extensions:\r\n" + END), broken("extension", "headers"), "an extension that was not offered: it is ''"),
    Behaviour("subprotocol-unasked", says(GOOD + b"Sec-WebSocket-Protocol: mqtt\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is 'mqtt'; offer it with --subprotocol mqtt"),
    Behaviour("subprotocol-other", says(GOOD + b"Sec-WebSocket-Protocol: mqtt\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is 'mqtt'; offer it with --subprotocol mqtt", check=CHAT),
    Behaviour("subprotocol-in-other-case", says(GOOD + b"Sec-WebSocket-Protocol: Chat\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is 'Chat'; offer it with --subprotocol Chat", check=CHAT),
    Behaviour("subprotocol-two", says(GOOD + b"Sec-WebSocket-Protocol: chat, v2\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is 'chat, v2'", check=CHAT),
    Behaviour("subprotocol-twice", says(GOOD + b"Sec-WebSocket-Protocol: chat\r\n" * 2 + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is 'chat, chat'", check=CHAT),
    Behaviour("subprotocol-with-the-token", says(GOOD + b"Sec-WebSocket-Protocol: CANARY-0123456789\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is '***'"),
    Behaviour("subprotocol-for-a-shell", says(GOOD + b"Sec-WebSocket-Protocol: `id`\r\n" + END), broken("subprotocol", "headers"), "a subprotocol that was not offered: it is '`id`'"),
    Behaviour("first-rule-decides", says(SWITCH + b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: x\r\n" + END), broken("upgrade", "headers"), "101 needs 'Upgrade: websocket', but there is none"),
)

CLOSES = tuple(
    Behaviour(f"closes-{code}-{when}", serve(close(code)), ENDED, f"accepted, then closed with {code} after <t>", HELD)
    for code in (1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4401, 4403)
    for when, serve in (("at-once", accepts), ("late", accepts_then))
)
BAD_CLOSES = tuple(
    Behaviour(f"closes-{code}", accepts_then(close(code)), broken("close-code", "open"), f"accepted, then a close that is not valid: {code} may not be sent", HELD)
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
)

ACCEPTED_THEN_DEAD = (
    *CLOSES,
    *BAD_CLOSES,
    Behaviour("closes-with-a-reason", accepts(close(4401, b"no token")), ENDED, "accepted, then closed with 4401 (no token) after <t>", HELD),
    Behaviour("closes-with-the-token", accepts(close(4401, b"bad: <echo>").replace(b"\x88\x0d", b"\x88\x28")), ENDED, "accepted, then closed with 4401 (bad: *** ***) after <t>", HELD),
    Behaviour("closes-with-an-escape", accepts(close(4401, b"\x1b[2Jno")), ENDED, "accepted, then closed with 4401 (\ufffd[2Jno) after <t>", HELD),
    Behaviour("closes-in-arabic-order", accepts(close(4401, "\u202eno".encode())), ENDED, "accepted, then closed with 4401 (\ufffdno) after <t>", HELD),
    Behaviour("closes-without-a-code", accepts(b"\x88\x00"), ENDED, "accepted, then closed with 1005 after <t>", HELD),
    Behaviour("closes-after-a-message", accepts(text(b"welcome"), close(4403)), ENDED, "accepted, then closed with 4403 after <t>", HELD),
    Behaviour("closes-in-a-message", accepts(frame(Opcode.TEXT, b"a", fin=False), close(1001)), ENDED, "accepted, then closed with 1001 after <t>", HELD),
    Behaviour("closes-and-ends", accepts(close(1011), then="ends"), ENDED, "accepted, then closed with 1011 after <t>", HELD),
    Behaviour("closes-and-resets", accepts(close(1011), then="resets", pause=0.05), ENDED, "accepted, then closed with 1011 after <t>", HELD),
    Behaviour("closes-a-pong-later", closes_a_pong_later, ENDED, "accepted, then closed with 1001 (bye) after <t>", HELD),
    Behaviour("closes-with-a-byte", accepts(b"\x88\x01\x03"), broken("close-code", "open"), "accepted, then a close that is not valid: a code is two bytes", HELD),
    Behaviour("closes-in-latin-1", accepts(close(1000, b"adi\xf3s")), broken("utf-8", "open"), "accepted, then text that is not UTF-8: invalid continuation byte (position 3)", HELD),
    Behaviour("closes-at-length", accepts(b"\x88\x7e\x00\x7e" + bytes(126)), broken("frame", "open"), "accepted, then a bad frame: control frame too long", HELD),
    Behaviour("closes-in-fragments", accepts(b"\x08\x02\x03\xe8"), broken("frame", "open"), "accepted, then a bad frame: fragmented control frame", HELD),
    Behaviour("ends-at-once", accepts(then="ends"), ENDED, "accepted, then ended without a close after <t>", HELD),
    Behaviour("ends-late", accepts(pause=LATE, then="ends"), ENDED, "accepted, then ended without a close after <t>", HELD),
    Behaviour("half-closes", accepts(then="half-closes"), ENDED, "accepted, then ended without a close after <t>", HELD),
    Behaviour("ends-in-a-frame", accepts(b"\x81\x05he", then="ends"), ENDED, "accepted, then ended without a close after <t>", HELD),
    Behaviour("resets-soon", accepts(pause=0.01, then="resets"), ENDED, "accepted, then reset after <t>", HELD),
    Behaviour("resets-late", accepts(pause=LATE, then="resets"), ENDED, "accepted, then reset after <t>", HELD),
    Behaviour("unknown-opcode", accepts(b"\x83\x00"), broken("frame", "open"), "accepted, then a bad frame: invalid opcode", HELD),
    Behaviour("unknown-control-opcode", accepts_then(b"\x8b\x00"), broken("frame", "open"), "accepted, then a bad frame: invalid opcode", HELD),
    Behaviour("masked", accepts(Frame(Opcode.TEXT, b"x").serialize(mask=True)), broken("frame", "open"), "accepted, then a bad frame: incorrect masking", HELD),
    Behaviour("reserved-bit-1", accepts_then(b"\xc1\x00"), broken("frame", "open"), "accepted, then a bad frame: reserved bits must be 0", HELD),
    Behaviour("reserved-bit-3", accepts(b"\x91\x00"), broken("frame", "open"), "accepted, then a bad frame: reserved bits must be 0", HELD),
    Behaviour("ping-at-length", accepts(b"\x89\x7e\x00\x7e" + bytes(126)), broken("frame", "open"), "accepted, then a bad frame: control frame too long", HELD),
    Behaviour("ping-in-fragments", accepts(b"\x09\x01a"), broken("frame", "open"), "accepted, then a bad frame: fragmented control frame", HELD),
    Behaviour("stray-continuation", accepts(frame(Opcode.CONT, b"a")), broken("frame", "open"), "accepted, then a bad frame: unexpected continuation frame", HELD),
    Behaviour("message-in-a-message", accepts(frame(Opcode.TEXT, b"a", fin=False), text(b"b")), broken("frame", "open"), "accepted, then a bad frame: expected a continuation frame", HELD),
    Behaviour("html-after-101", accepts(b"<html>"), broken("frame", "open"), "accepted, then a bad frame: invalid opcode", HELD),
    Behaviour("http-after-101", accepts(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 50\r\n\r\n<html>no"), broken("frame", "open"), "accepted, then a bad frame: reserved bits must be 0", HELD),
    Behaviour("text-not-in-utf-8", accepts(b"\x81\x02\xc3\x28"), broken("utf-8", "open"), "accepted, then text that is not UTF-8: invalid continuation byte (position 0)", HELD),
    Behaviour("text-that-ends-in-a-character", accepts_then(b"\x81\x01\xc3"), broken("utf-8", "open"), "accepted, then text that is not UTF-8: unexpected end of data (position 0)", HELD),
    Behaviour("message-of-two-megabytes", accepts(text(b"x" * 2**21)), broken("limit", "open"), "accepted, then a message that is too long to read: more than 1048576 bytes", HELD),
    Behaviour("length-of-a-terabyte", accepts(b"\x82\x7f" + (2**40).to_bytes(8, "big")), broken("limit", "open"), "accepted, then a message that is too long to read: more than 1048576 bytes", HELD),
)

ACCEPTED_AND_ALIVE = (
    Behaviour("sends-a-text", accepts(text(b"hi")), OPEN, STILL_OPEN, HELD),
    Behaviour("sends-a-text-in-parts", accepts(frame(Opcode.TEXT, b"\xc3", fin=False), frame(Opcode.PING), frame(Opcode.CONT, b"\xa9")), OPEN, STILL_OPEN, HELD),
    Behaviour("sends-half-a-frame", accepts(b"\x81\x05he"), OPEN, STILL_OPEN, HELD),
    Behaviour("sends-a-frame-in-drips", says(GOOD + END, *[b"\x81", b"\x05"], *[b"x"] * 5, pause=0.01), OPEN, STILL_OPEN, HELD),
    Behaviour("sends-bytes", accepts(frame(Opcode.BINARY, bytes(range(256)))), OPEN, STILL_OPEN, HELD),
    Behaviour("needs-pongs", needs_pongs, OPEN, STILL_OPEN, HELD),
    Behaviour("pongs-unasked", accepts(frame(Opcode.PONG, b"x")), OPEN, STILL_OPEN, HELD),
    Behaviour("floods-with-texts", accepts(*[text(b"x" * 60_000)] * 50), OPEN, STILL_OPEN, HELD),
    Behaviour("floods-with-pings", accepts(*[frame(Opcode.PING, b"x")] * 3000), OPEN, STILL_OPEN, HELD),
    Behaviour("floods-with-tiny-texts", floods("texts"), OPEN, STILL_OPEN, HELD, alone=True),
    Behaviour("floods-with-tiny-pings", floods("pings"), OPEN, STILL_OPEN, HELD, alone=True),
    Behaviour("floods-with-tiny-parts", floods("parts"), OPEN, STILL_OPEN, HELD, alone=True),
    Behaviour("floods-instead-of-a-message", floods("texts"), ENDED, STILL_OPEN + NO_MESSAGE, HELD, check=PING_1, alone=True),
    Behaviour("never-says-goodbye", accepts(), OPEN, STILL_OPEN, HELD),
    Behaviour("message-comes-back", echoes, OPEN, STILL_OPEN, HELD, check=PING_1),
    Behaviour("message-comes-back-in-a-flood", echoes_in_a_flood, OPEN, STILL_OPEN, HELD, check=PING_1),
    Behaviour("no-message", accepts(), ENDED, STILL_OPEN + NO_MESSAGE, WAITED, check=PING_1),
    Behaviour("another-message", accepts(text(b"welcome")), ENDED, STILL_OPEN + NO_MESSAGE, WAITED, check=PING_1),
    Behaviour("closes-after-the-message", accepts_then(text(b"ping 1"), close(1000)), ENDED, "accepted, then closed with 1000 after <t>", HELD, check=PING_1),
    Behaviour("answers-after-the-hold-and-closes", accepts_then(text(b"ping 1") + close(1000, b"bye")), OPEN, "accepted, answered, then closed with 1000 (bye) after <t>", HELD, check=PING_1 | {"hold": 0}),
    Behaviour("closes-instead-of-a-message-after-the-hold", accepts_then(close(1000)), ENDED, "accepted, then closed with 1000 after <t>" + NO_MESSAGE, HELD, check=PING_1 | {"hold": 0}),
    Behaviour("closes-instead-of-a-message", accepts_then(close(1011)), ENDED, "accepted, then closed with 1011 after <t>" + NO_MESSAGE, HELD, check=PING_1),
    Behaviour("ends-after-the-hold", says(GOOD + END, b"", pause=HOLD + LATE, then="ends"), OPEN, STILL_OPEN, HELD),
)
# fmt: on

OPENINGS = (*KEPT, *RULES, *ACCEPTED_THEN_DEAD, *ACCEPTED_AND_ALIVE)

"""The application, on a server that was installed without a WebSocket library: an upgrade is a plain request to it."""

import asyncio
import json
import sys

from chat.paths import HEALTH
from chat.settings import SETTINGS

NO_LIBRARY = (
    "WARNING:  Unsupported upgrade request.",
    "WARNING:  No supported WebSocket library detected. Please use \"pip install 'uvicorn[standard]'\", "
    "or install 'websockets' or 'wsproto' manually.",
)


def answer(status, body, content_type="text/plain"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close"
    return f"{head}\r\n\r\n".encode() + body


async def handle(reader, writer):
    """Answer one request by its path; whether it asks for an upgrade changes nothing but what is printed."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
        return
    method, target, _ = head.split("\r\n", 1)[0].split(" ")
    path = target.split("?", 1)[0]
    if "\r\nupgrade: websocket" in head.lower():
        print(*NO_LIBRARY, sep="\n", file=sys.stderr)
    healthy = path == HEALTH
    print(f'INFO:     127.0.0.1:0 - "{method} {path} HTTP/1.1" {200 if healthy else 404}', file=sys.stderr)
    if healthy:
        writer.write(answer("200 OK", json.dumps({"revision": SETTINGS.revision}).encode(), "application/json"))
    else:
        writer.write(answer("404 Not Found", b'{"detail":"Not Found"}', "application/json"))
    writer.close()


async def serve(listener, stop):
    async with await asyncio.start_server(handle, sock=listener):
        await stop.wait()

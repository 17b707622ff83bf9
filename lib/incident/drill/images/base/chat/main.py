"""The application: which paths there are, and what a socket does."""

import json
import sys
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from chat.settings import SETTINGS
from chat.agents.registry import AGENT_CLASSES
from chat.auth import may_open
from chat.paths import HEALTH, SOCKET

from websockets.asyncio.server import serve as serve_websockets
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response


def respond(status, body=b"", content_type="text/plain"):
    headers = Headers([("Content-Type", content_type), ("Content-Length", str(len(body))), ("Connection", "close")])
    return Response(status.value, status.phrase, headers, body)


def log_handshake(request, outcome):
    address = request.headers.get("X-Forwarded-For", "127.0.0.1")
    print(f'INFO:     {address}:0 - "WebSocket {request.path}" {outcome}', file=sys.stderr)


def process_request(connection, request):
    """Answer what is not a socket, and refuse sockets that may not open; None lets the handshake go on."""
    path = urlsplit(request.path).path
    if path == HEALTH:
        body = json.dumps({"status": "healthy", "revision": SETTINGS.revision}).encode()
        return respond(HTTPStatus.OK, body, "application/json")
    if path != SOCKET:
        return respond(HTTPStatus.NOT_FOUND, b"Not Found")
    if not may_open(request, SETTINGS):
        log_handshake(request, "403")
        return respond(HTTPStatus.FORBIDDEN)
    log_handshake(request, "[accepted]")
    return None


async def converse(connection):
    agent = AGENT_CLASSES["echo"]()
    with suppress(ConnectionClosed):  # however a socket ends, the next one is served
        async for message in connection:
            await connection.send(agent.answer(message))


async def serve(listener, stop):
    async with serve_websockets(converse, sock=listener, process_request=process_request):
        await stop.wait()

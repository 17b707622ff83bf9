"""A front end: one port that forwards to one revision, and writes a request's entry when it has ended.

The service's own forwards to the revision with traffic, a tag's to the tag's revision.

An HTTP/1.1 request or a WebSocket's whole life is one exchange, within the revision's request timeout; the bytes after
the heads are forwarded untouched. A socket that is cut there is 101 with a latency of the timeout, and a system line of
a truncated body: how Cloud Run logs it is in no source. Where no container answers, the answers are Google's
(`incident.platform`, most of them unverified). One connection carries one request. A request that the invoker policy or
the ingress setting does not allow never reaches a container; no token is looked at, since nobody here can make one. To
a container that is to speak HTTP/2 it sends the beginning of HTTP/2, and what comes back decides. It cannot split
traffic.
"""

from __future__ import annotations

import asyncio
import html
import re
import secrets
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from incident import platform
from incident.drill.entries import LogStore, Origin, Served, request_entry, system_entry
from incident.drill.http1 import Head, MalformedHead, parse_head, request_line, response, response_status
from incident.drill.instances import Instance, InstanceNotStarted, Instances, NoInstance
from incident.drill.service import EVERYBODY, RevisionRecord, Service

HEAD_LIMIT = 1 << 16
HEAD_TIMEOUT, EXIT_WAIT, CLOSE_WAIT = 10.0, 0.5, 5.0
"""Seconds for a request's head to arrive, for an instance that reset to be gone, and for it to answer a close."""


HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""What a client of HTTP/2 sends first, with empty settings (RFC 9113 section 3.4)."""


class NoHttp2(Exception):
    """The container was asked in HTTP/2, and did not answer in it."""


class NoAnswer(Exception):
    """The instance ended, reset or wrote no HTTP before it answered."""


def trace_of(head: Head) -> tuple[str, bool]:
    """The trace id a request came with, and whether it is sampled; a fresh one where it brings none.

    W3C `traceparent` first, then `X-Cloud-Trace-Context: TRACE/SPAN;o=1`.

    >>> trace_of(Head(b"GET / HTTP/1.1", [(b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")]))
    ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', True)
    """
    if match := re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})", head.get("traceparent")):
        return match[1], bool(int(match[2], 16) & 1)
    if match := re.fullmatch(r"([0-9a-fA-F]{32})(?:/\d+)?(?:;o=(\d))?", head.get(platform.TRACE_HEADER)):
        return match[1].lower(), match[2] == "1"
    return secrets.token_hex(16), False


class Exchange:
    """One request of one client, from its head to the end of its connection."""

    def __init__(self, frontend: FrontEnd, head: Head, size: int, reader: StreamReader, writer: StreamWriter) -> None:
        self.frontend, self.head, self.reader, self.writer = frontend, head, reader, writer
        method, self.target, protocol = request_line(head)
        self.path = urlsplit(self.target).path
        trace_id, sampled = trace_of(head)
        self.served = Served(
            method=method,
            url=f"http://{frontend.prefix}{head.get('host')}{self.target}",
            protocol=protocol,
            time_ns=frontend.store.clock(),
            trace_id=trace_id,
            span_id=secrets.token_hex(8),
            sampled=sampled,
            user_agent=head.get("user-agent"),
            referer=head.get("referer"),
            remote_ip=writer.get_extra_info("peername")[0],
            request_size=size,
        )
        self.revision: RevisionRecord | None = None
        self.origin: Origin | None = None
        """Where the request's entry comes from; None writes no entry."""

    async def serve(self) -> None:
        """Answer, and write the entry when all has ended, however it ended."""
        try:
            await self._answer()
        finally:
            if self.origin and self.served.status:
                self.served.latency_ns = self.frontend.store.clock() - self.served.time_ns
                self.frontend.store.add(request_entry(self.origin, self.served))

    async def _answer(self) -> None:
        self.revision = revision = self.frontend.revision()
        if self.served.method in platform.UNSUPPORTED_METHODS:
            await self._say(platform.ANSWER_METHOD)
        elif revision is None or platform.is_reserved(self.path) or self.frontend.service.ingress != "all":
            await self._say(platform.ANSWER_NOT_FOUND)
        else:
            self.origin = self.frontend.service.origin(revision).at(container="")
            await self._allowed(revision)

    async def _allowed(self, revision: RevisionRecord) -> None:
        """Forward what the invoker policy allows; the rest is refused before any container is asked."""
        if EVERYBODY in self.frontend.service.invokers:
            await self._forward(revision.settings.timeout)
        else:
            await self._say(platform.ANSWER_IAM_DENIED)

    async def _forward(self, timeout: float) -> None:
        """Forward within the request timeout; each way to fail has its own answer."""
        try:
            async with asyncio.timeout(timeout):
                await self._exchange()
        except NoInstance:
            await self._say(platform.ANSWER_RATE_EXCEEDED)
        except InstanceNotStarted:
            await self._say(platform.ANSWER_COULD_NOT_START)
        except NoHttp2:
            await self._say(platform.ANSWER_UPSTREAM_RESET)
        except NoAnswer:
            await self._say(platform.ANSWER_MALFORMED)
        except TimeoutError:
            await self._cut()

    async def _cut(self) -> None:
        """The request timeout has passed: an answer where none was given, else the line of one that was cut short."""
        if not self.served.status:
            await self._say(platform.ANSWER_TIMEOUT)
        elif self.origin:
            origin = self.origin.at(container=self.frontend.service.container)
            self.frontend.store.add(system_entry(origin, platform.TRUNCATED_BODY, self.frontend.store.clock()))

    async def _exchange(self) -> None:
        assert self.revision is not None
        async with self.frontend.instances.serving(self.revision) as instance:
            self.origin = instance.origin.at(container="")
            try:
                upstream, to_upstream = await asyncio.open_connection("127.0.0.1", instance.port, limit=HEAD_LIMIT)
            except OSError as error:
                await instance.gone_within(EXIT_WAIT)
                raise NoAnswer from error
            try:
                await self._in_protocol(instance, upstream, to_upstream)
            finally:
                to_upstream.close()

    async def _in_protocol(self, instance: Instance, upstream: StreamReader, to_upstream: StreamWriter) -> None:
        """Pass the request on in the protocol that the container is to speak."""
        if instance.revision.settings.protocol == "h2c":
            to_upstream.write(HTTP2_PREFACE)
            with suppress(OSError):
                await upstream.read(1 << 12)
            raise NoHttp2  # no image here speaks HTTP/2; one that did would refuse the upgrade with another reason
        await self._relay(instance, upstream, to_upstream)

    async def _relay(self, instance: Instance, upstream: StreamReader, to_upstream: StreamWriter) -> None:
        """Send the request, read the answer's head, then pass bytes both ways until the instance ends its side."""
        to_upstream.write(self._request_head().encode())
        # A client that leaves a plain request is not told to the container; one that leaves a socket is.
        socket = bool(self.head.get("upgrade"))
        tasks = [asyncio.create_task(_pump(self.reader, to_upstream, self._count_request, tell_end=socket))]
        try:
            head = await self._answer_head(instance, upstream)
            self.writer.write(head.encode())
            self._count_response(len(head.encode()))
            tasks.append(asyncio.create_task(_pump(upstream, self.writer, self._count_response, tell_end=True)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(tasks[1:], timeout=CLOSE_WAIT if self.served.status == 101 else None)
        finally:
            for task in tasks:
                task.cancel()

    def _request_head(self) -> Head:
        """The client's head with what the front end adds; a plain request is the only one of its connection."""
        served = self.served
        span = int(served.span_id, 16)
        added = {
            "X-Cloud-Trace-Context": f"{served.trace_id}/{span};o={int(served.sampled)}",
            "traceparent": f"00-{served.trace_id}-{served.span_id}-0{int(served.sampled)}",
            "X-Forwarded-For": served.remote_ip,
            "X-Forwarded-Proto": "http",
        }
        if not self.head.get("upgrade"):
            added["Connection"] = "close"
        return self.head.with_headers(added)

    async def _answer_head(self, instance: Instance, upstream: StreamReader) -> Head:
        try:
            head = parse_head(await upstream.readuntil(b"\r\n\r\n"))
            self.served.status = response_status(head)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, MalformedHead) as error:
            await instance.gone_within(EXIT_WAIT)
            raise NoAnswer from error
        return head.with_headers(self._reply_headers())

    def _reply_headers(self) -> dict[str, str]:
        trace = f"{self.served.trace_id};o={int(self.served.sampled)}"
        return {platform.TRACE_HEADER: trace, "server": platform.SERVER_HEADER}

    async def _say(self, answer: platform.Answer) -> None:
        """Answer in the platform's own name."""
        body = answer.body.format(path=html.escape(self.path)).encode()
        headers = {"content-type": answer.content_type, **self._reply_headers()}
        data = response(answer.status, answer.reason, headers, body)
        self.served.status, self.served.text = answer.status, answer.text.format() if answer.text else ""
        self._count_response(len(data))
        self.writer.write(data)
        with suppress(OSError):
            await self.writer.drain()

    def _count_request(self, size: int) -> None:
        self.served.request_size += size

    def _count_response(self, size: int) -> None:
        self.served.response_size += size


class FrontEnd:
    """The server of the service's own URL, or of a tag's: it names a tag's host as Cloud Run does, `TAG---HOST`.

    Loopback has no such names, so a tag has a port of its own, and only its entries show the name.
    """

    def __init__(self, store: LogStore, service: Service, instances: Instances, tag: str = "") -> None:
        self.store, self.service, self.instances, self.tag = store, service, instances, tag
        self.prefix = f"{tag}---" if tag else ""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen on a free port of loopback; returns the URL."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=HEAD_LIMIT, backlog=512)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def revision(self) -> RevisionRecord | None:
        """The revision that requests go to now."""
        if not self.tag:
            return self.service.serving
        named = next((tag.revision for tag in self.service.tags if tag.name == self.tag), "")
        return self.service.revision(named)

    async def close(self) -> None:
        """Stop listening and end what is open; each open exchange still writes its entry."""
        if self._server:
            self._server.close()
        for connection in self._connections.copy():
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def idle(self, limit: float | None = None) -> None:
        """Wait until no exchange is under way, at most `limit` seconds: then the entries of all are written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while self._connections:
                    await asyncio.wait(self._connections.copy())

    def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.create_task(self._handle(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _handle(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection: nothing is said to a client that leaves or stalls before its head is whole."""
        try:
            data = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT)
            exchange = Exchange(self, parse_head(data), len(data), reader, writer)
        except (MalformedHead, asyncio.LimitOverrunError):
            writer.write(response(400, "Bad Request", {"server": platform.SERVER_HEADER}, b""))
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        else:
            await exchange.serve()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _pump(reader: StreamReader, writer: StreamWriter, count: Callable[[int], None], *, tell_end: bool) -> None:
    """Copy bytes until the reader ends, then end the writer's side; a broken connection ends the copy."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            count(len(data))
            writer.write(data)
            await writer.drain()
        if tell_end and writer.can_write_eof():
            writer.write_eof()

"""How fast the probe is: handshakes a second beside the `websockets` client, and many checks at a time beside one.

    python benchmarks/handshakes.py

Both clients ask the same server, in turns, and each closes in order; the probe keeps every stage's time besides. The
servers are processes of their own. Each figure is the median of its rounds, each ratio the median of the rounds' own
ratios, so that a slow moment of the machine falls on both sides.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median

from websockets.asyncio.client import connect

from incident.sources.checks import Check
from incident.sources.endpoint import Control, Surroundings, attempt
from incident.sources.matrices import run_matrix
from incident.sources.matrix_file import Matrix
from incident.sources.target import parse_target

ROUNDS, HANDSHAKES = 15, 100
PARALLEL, WAIT_S, PARALLEL_ROUNDS = 64, 0.2, 7
HERE = Surroundings(control=None)
HEADERS = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "X-Cloud-Trace-Context": f"{'ab' * 16}/1;o=1"}
ECHO = """
import asyncio
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
"""
WAITS = """
import asyncio, re, sys
from websockets.utils import accept_key

HEAD = "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: "

class Waits(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.head = transport, b""

    def data_received(self, data):
        if self.head.endswith(b"\\r\\n\\r\\n"):
            self.transport.write(b"\\x88\\x02\\x03\\xe8")  # the close that answers a close
            return self.transport.close()
        self.head += data
        if self.head.endswith(b"\\r\\n\\r\\n"):
            asyncio.get_running_loop().call_later(float(sys.argv[1]), self.answer)

    def answer(self):
        key = re.search(rb"Sec-WebSocket-Key: (\\S+)", self.head)[1].decode()
        self.transport.write(f"{HEAD}{accept_key(key)}\\r\\n\\r\\n".encode())

async def main():
    server = await asyncio.get_running_loop().create_server(Waits, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()

asyncio.run(main())
"""
"""The second server does next to nothing: what many checks cost is to be the probe's cost, not the server's."""


@contextmanager
def served(*server: str) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    process = subprocess.Popen([sys.executable, "-c", *server], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}/ws"
    finally:
        process.kill()
        process.wait()


async def client(url: str) -> None:
    """One handshake of the `websockets` client, with as many headers as the probe sends."""
    async with connect(url, compression=None, ping_interval=None, proxy=None, additional_headers=HEADERS):
        pass


async def prober(url: str) -> None:
    """One handshake of the probe, judged, as a row."""
    row = await attempt(parse_target(url), Check(hold=0), HERE, Control(HERE))
    assert row["status"] == "ok", row["because"]


async def rate(one: Callable[[str], Awaitable[None]], url: str) -> float:
    """Handshakes a second, one after the other."""
    began = time.perf_counter()
    for _ in range(HANDSHAKES):
        await one(url)
    return HANDSHAKES / (time.perf_counter() - began)


async def rates(url: str) -> list[tuple[float, float]]:
    """Both clients' rates, round by round; the first round warms both up and does not count. Who begins, alternates."""
    found = []
    for number in range(ROUNDS + 1):
        if number % 2:
            ours, theirs = await rate(prober, url), await rate(client, url)
        else:
            theirs, ours = await rate(client, url), await rate(prober, url)
        found.append((ours, theirs))
    return found[1:]


def seconds(url: str, checks: int, hold: float) -> float:
    """How long a matrix of so many checks takes, all at the same time."""
    matrix = Matrix("parallel", tuple(Check(f"check-{number}", hold=hold) for number in range(checks)))
    began = time.perf_counter()
    rows = run_matrix(url, matrix, here=HERE, parallel=checks)
    took = time.perf_counter() - began
    assert [row["status"] for row in rows] == ["ok"] * checks
    return took


def peer_seconds(url: str, checks: int) -> float:
    """How long so many `websockets` clients take, all at the same time."""

    async def all_of_them() -> None:
        await asyncio.gather(*(client(url) for _ in range(checks)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return time.perf_counter() - began


def compare(words: str, measure: Callable[[str, int], float], url: str) -> None:
    """Print how long many take beside one, in turns."""
    measure(url, PARALLEL)
    pairs = [(measure(url, 1), measure(url, PARALLEL)) for _ in range(PARALLEL_ROUNDS)]
    one, many = (median(each) for each in zip(*pairs, strict=True))
    ratio = median(all_of_them / alone for alone, all_of_them in pairs)
    print(f"  {words:34} one {one:.3f} s, {PARALLEL} in parallel {many:.3f} s, ratio {ratio:.2f}")


def main() -> None:
    """Print the figures."""
    with served(ECHO) as url:
        found = asyncio.run(rates(url))
    ours, theirs = (median(each) for each in zip(*found, strict=True))
    ratio = median(mine / other for mine, other in found)
    print(f"handshakes a second, {ROUNDS} rounds of {HANDSHAKES}; the ratio is to be at least 0.85")
    print(f"  probe {ours:.0f}, websockets {theirs:.0f}, ratio {ratio:.2f}")
    print(f"a server that waits {WAIT_S * 1000:.0f} ms; the probe's ratio is to be at most 1.3")
    with served(WAITS, str(WAIT_S)) as url:
        compare("probe, held for its second", lambda url, checks: seconds(url, checks, 1.0), url)
        compare("probe, left as soon as it is open", lambda url, checks: seconds(url, checks, 0), url)
        compare("websockets, the same", peer_seconds, url)


if __name__ == "__main__":
    main()

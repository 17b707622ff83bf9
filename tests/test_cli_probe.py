"""`incident probe` as a process: exit codes, what is printed and what never is, and what is not imported."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def port() -> Iterator[int]:
    """A server on loopback that answers 403 to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def incident(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, as a shell runs it."""
    command = [sys.executable, "-m", "incident", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, env=os.environ | environment, check=False
    )


def test_exit_codes_and_output(port: int) -> None:
    """Scripts read the code and the JSON, people the table."""
    expected = incident("probe", f"ws://127.0.0.1:{port}/ws", "--expect", "403", "--json")
    assert (expected.returncode, expected.stderr) == (0, "")
    document = json.loads(expected.stdout)
    assert (document["schema"], document["status"], document["handshakes"][0]["http_status"]) == (1, "ok", 403)
    failed = incident("probe", f"ws://127.0.0.1:{port}/ws")
    assert failed.returncode == 3
    assert failed.stdout.splitlines()[2:] == [
        "    answered 403 Forbidden; only 101 opens a WebSocket",
        "0 of 1 checks ok",
    ]


def test_matrix(port: int) -> None:
    """A matrix takes the base URL and the run's paths; three refusals more than the one expected fail it."""
    result = incident("probe", f"http://127.0.0.1:{port}", "--matrix", "e2e", "--websocket-path", "/live", "--json")
    rows = json.loads(result.stdout)["handshakes"]
    assert result.returncode == 3
    assert [row["name"] for row in rows if row["status"] == "ok"] == ["no-header-refused"]
    assert rows[1]["url"] == f"ws://127.0.0.1:{port}/live"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://h/"], "url scheme is 'ftp': give wss://, ws://, https:// or http:// and a host"),
        (["ws://h/", "--header", "CANARY"], "--header number 1 has no colon: write 'Name: value'"),
        (
            ["ws://h/", "--header", "A: 1", "--header", "a: CANARY"],
            "--header number 2 has a name that is given twice: keep one",
        ),
        (
            ["ws://h/", "--header", "CANARY token: 1"],
            "a header's name is not a token: write 'Name: value', with no space in the name",
        ),
        (
            ["ws://h/", "--header", "Upgrade: CANARY"],
            "header 'Upgrade' is written by the probe: leave it out; origin and subprotocol have their own options",
        ),
        (
            ["ws://h/", "--header", "X: CAN\rARY"],
            "header 'X' has a value that cannot be sent: leave out line breaks and controls",
        ),
        (
            ["ws://h/", "--expect", "yes"],
            "expect is 'yes': give accepted, refused, broken, unreachable, a status such as 403, "
            "or a close code such as 4401",
        ),
        (["ws://h/", "--hold", "-1"], "hold is -1 seconds: give 0 to 3600, the longest request timeout of Cloud Run"),
        (["ws://h/", "--hold", "nan"], "hold is nan seconds: give 0 to 3600, the longest request timeout of Cloud Run"),
        (["ws://h/", "--matrix", "e3e"], "matrix 'e3e' is not known: use one of e2e, or a path to a .yaml"),
        (
            ["ws://h/", "--matrix", "e2e", "--header", "A: CANARY"],
            "--header and --matrix exclude each other: write it into the matrix's file",
        ),
        (
            ["ws://h/", "--connect-to", "h"],
            "connect-to is 'h': give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080",
        ),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    """Wrong usage ends with 2 and one line that helps, and no value of a header is in it."""
    result = incident("probe", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"incident: {message}\n"
    assert "CANARY" not in result.stderr


def test_header_values_are_never_printed(port: int) -> None:
    """Terminals are shared and recorded."""
    secret = ("--header", "Authorization: Bearer CANARY")
    for shown in ((), ("--json",)):
        result = incident("probe", f"ws://127.0.0.1:{port}/ws?token=CANARY", *secret, *shown)
        assert result.returncode == 3
        assert "CANARY" not in result.stdout + result.stderr


def test_uncertain_is_four() -> None:
    """No network on this side is no verdict on the other."""
    result = incident("probe", "wss://name.invalid/ws")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (4, "0 of 1 checks ok")


def test_light_imports(port: int) -> None:
    """A probe in a shell loop must not wait seconds for libraries it does not use."""
    script = (
        "import sys; from incident.cli import main\n"
        f"try: main(['probe', 'ws://127.0.0.1:{port}/ws', '--json'])\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    ).stderr
    assert "incident" in loaded
    for heavy in ("pandas", "numpy", "matplotlib", "papermill", "pyarrow", "google", "grpc", "IPython", "nbformat"):
        assert f"'{heavy}'" not in loaded

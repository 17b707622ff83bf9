"""Matrices: what a file may say, what it is told when it says something else, and how its checks run."""

from __future__ import annotations

import asyncio
import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from incident.findings import UsageError
from incident.sources.checks import Check, Row
from incident.sources.endpoint import Surroundings
from incident.sources.matrices import Matrix, load_matrix, matrix_names, probe_document, run_matrix

HERE = Surroundings(control=None)


def write(folder: Path, text: str) -> str:
    """A matrix's file."""
    path = folder / "own.yaml"
    path.write_text(text)
    return str(path)


def test_e2e_has_the_seven_checks() -> None:
    """Their names are a contract: reports and people compare them between runs."""
    matrix = load_matrix("e2e")
    assert [check.name for check in matrix.checks] == [
        "health", "no-header-refused", "x-test-type", "x-e2e-test", "message-returns", "held-open", "second-connection",
    ]  # fmt: skip
    assert not matrix.intrusive
    assert [check.expected for check in matrix.checks[:2]] == ["200", "403"]
    assert matrix.checks[3].headers == {"X-E2E-Test": "true"}
    assert matrix.checks[5].hold == 1
    assert matrix.checks[6].connections == 2


@pytest.mark.parametrize("name", matrix_names())
def test_every_packaged_matrix_loads(name: str) -> None:
    """A matrix that ships broken is found by whoever needs it at night."""
    assert load_matrix(name).checks


def test_all_fields(tmp_path: Path) -> None:
    """Values are the text that was written, so that `true` and `403` need no quotes."""
    text = """
intrusive: true
checks:
  - {name: a, path: '/x?y=1', headers: {X-On: on, X-N: 1.0}, origin: https://o.example, subprotocols: [chat, v2],
     expect: 4401, send: hi, expect_message: hi, hold: 0.25, connections: 3}
  - {name: b, kind: http, expect: 204, body_contains: ready}
"""
    assert load_matrix(write(tmp_path, text)) == Matrix(
        "own",
        (
            Check(
                "a", "websocket", "/x?y=1", {"X-On": "on", "X-N": "1.0"}, "https://o.example", ("chat", "v2"), "4401",
                None, "hi", "hi", 0.25, 3,
            ),
            Check("b", "http", "{health_path}", expect="204", body_contains="ready"),
        ),
        intrusive=True,
    )  # fmt: skip


WEBSOCKET_FIELDS = "name, kind, path, headers, expect, origin, subprotocols, send, expect_message, hold, connections"

MISTAKES = {
    "unknown-top": ("chekcs: []\n", "line 1: 'chekcs' is not a field of a matrix: use one of checks, intrusive"),
    "no-checks": ("intrusive: true\n", "line 1: a matrix has a list named checks, and here is none"),
    "empty-checks": (
        "checks: []\n",
        "line 1: checks is a list with at least one member (a line with a dash), and this is none",
    ),
    "a-list": ("- a\n", "line 1: a matrix is a mapping of fields to values, and this is none"),
    "check-is-text": ("checks:\n  - a\n", "line 2: a check is a mapping of fields to values, and this is none"),
    "unknown-field": (
        "checks:\n  - name: a\n    hedaers: {A: b}\n",
        f"line 3: 'hedaers' is not a field of a check of kind websocket: use one of {WEBSOCKET_FIELDS}",
    ),
    "field-of-other-kind": (
        "checks:\n  - name: a\n    kind: http\n    hold: 1\n",
        "line 4: 'hold' is not a field of a check of kind http: "
        "use one of name, kind, path, headers, expect, body_contains",
    ),
    "field-twice": ("checks:\n  - name: a\n    name: b\n", "line 3: 'name' is given twice: keep one"),
    "name-twice": (
        "checks:\n  - name: a\n  - name: b\n  - name: a\n",
        "line 2: the name 'a' is given twice: give each check its own",
    ),
    "no-name": ("checks:\n  - expect: 403\n", "line 2: a check has no name: give it one, such as x-test-type"),
    "no-value": ("checks:\n  - name:\n", "line 2: name is a text or a number, and this is none"),
    "kind": ("checks:\n  - name: a\n    kind: tcp\n", "line 3: kind is 'tcp': use one of websocket, http"),
    "expect": (
        "checks:\n  - name: a\n    expect: fine\n",
        "line 2: expect is 'fine': give accepted, refused, broken, unreachable, a status such as 403, "
        "or a close code such as 4401",
    ),
    "http-expect": (
        "checks:\n  - name: a\n    kind: http\n    expect: accepted\n",
        "line 2: expect is 'accepted': an http check expects a status such as 200 or 403",
    ),
    "hold": ("checks:\n  - name: a\n    hold: 1s\n", "line 3: hold is '1s': give seconds, such as 1 or 0.5"),
    "hold-long": (
        "checks:\n  - name: a\n    hold: 9999\n",
        "line 2: hold is 9999 seconds: give 0 to 3600, the longest request timeout of Cloud Run",
    ),
    "connections": (
        "checks:\n  - name: a\n    connections: two\n",
        "line 3: connections is 'two': give a whole number, such as 2",
    ),
    "connections-many": ("checks:\n  - name: a\n    connections: 9\n", "line 2: connections is 9: give 1 to 8"),
    "intrusive": ("checks:\n  - name: a\nintrusive: yes\n", "line 3: intrusive is 'yes': give true or false"),
    "path": (
        "checks:\n  - name: a\n    path: '{other}'\n",
        "line 2: path is '{other}': begin it with /, {websocket_path} or {health_path}",
    ),
    "reserved-header": (
        "checks:\n  - name: a\n    headers: {Upgrade: h2c}\n",
        "line 2: header 'Upgrade' is written by the probe: leave it out; origin and subprotocol have their own options",
    ),
    "header-break": (
        'checks:\n  - name: a\n    headers: {X-Token: "CANARY\\r\\nA: b"}\n',
        "line 2: header 'X-Token' has a value that cannot be sent: leave out line breaks and controls",
    ),
    "headers-list": (
        "checks:\n  - name: a\n    headers: [a]\n",
        "line 3: headers is a mapping of fields to values, and this is none",
    ),
    "subprotocol": (
        "checks:\n  - name: a\n    subprotocols: [a b]\n",
        "line 2: subprotocol 'a b' is not a token: use letters, digits and !#$%&'*+-.^_`|~",
    ),
    "not-yaml": ("checks: [\n", "line 2: not YAML: expected the node content, but found '<stream end>'"),
    "two-documents": ("checks: []\n---\nchecks: []\n", "line 2: not YAML: but found another document"),
    "tag": (
        "checks: !!python/object/apply:os.system [exit]\n",
        "line 1: a check is a mapping of fields to values, and this is none",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """The line and what is allowed there; never the value of a header."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_matrix(path)
    assert str(caught.value) == f"matrix {path!r}, {message}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e3e", "matrix 'e3e' is not known: use one of e2e, or a path to a .yaml"),
        ("..", "matrix '..' is not known: use one of e2e, or a path to a .yaml"),
        ("", "matrix '' is not known: use one of e2e, or a path to a .yaml"),
        ("none.yaml", "matrix 'none.yaml' cannot be read (No such file or directory): give a .yaml file"),
        ("/", "matrix '/' cannot be read (Is a directory): give a .yaml file"),
    ],
)
def test_names(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up in the package and never made into a path; a path is read from where one stands."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        load_matrix(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty: give it a list named checks"),
        (b"\xff\xfe", "is not UTF-8: save it as UTF-8 text"),
        (b"# " + b"x" * 70_000, "has 70002 bytes: at most 65536 are read; split it"),
        (b"checks: [\x07]", "not YAML: unacceptable character #x0007: special characters are not allowed"),
    ],
)
def test_unreadable(tmp_path: Path, text: bytes, message: str) -> None:
    """A file that is no text of a sensible size is refused before it is parsed."""
    path = tmp_path / "own.yaml"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        load_matrix(str(path))


class Service:
    """A service as staging should be: refuses without the header, accepts with it, echoes; counts what is open."""

    def __init__(self) -> None:
        """Begin with nobody connected."""
        self.open, self.most, self.agents = 0, 0, set[str]()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Decide by path and header."""
        self.agents.add(request.headers["User-Agent"])
        if request.path == "/health":
            return connection.respond(HTTPStatus.OK, "fine")
        headers = (request.headers.get("X-Test-Type"), request.headers.get("X-E2E-Test"))
        return None if "e2e" in headers or "true" in headers else connection.respond(HTTPStatus.FORBIDDEN, "no")

    async def echo(self, connection: ServerConnection) -> None:
        """Send back every message."""
        self.open += 1
        self.most = max(self.most, self.open)
        async for message in connection:
            await connection.send(message)
        self.open -= 1


def rows_of(matrix: Matrix, service: Service, **options: Any) -> list[Row]:
    """The rows of a matrix against a service on loopback, from a thread as a notebook's kernel would."""

    async def both() -> list[Row]:
        async with serve(service.echo, "127.0.0.1", 0, process_request=service.answer) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(run_matrix, f"http://127.0.0.1:{port}", matrix, here=HERE, **options)

    return asyncio.run(both())


def test_e2e_against_a_good_service() -> None:
    """All seven pass, each under its own probe id, and the second connection was open beside the first."""
    service = Service()
    rows = rows_of(load_matrix("e2e"), service)
    assert [row["status"] for row in rows] == ["ok"] * 7
    assert len({row["probe_id"] for row in rows}) == len({row["trace_id"] for row in rows}) == 7
    assert {agent.split(" (")[0] for agent in service.agents} == {"incident/0.1.0"}
    assert (service.most, service.open) == (2, 0)
    assert probe_document(rows)["status"] == "ok"


def test_paths_of_the_run() -> None:
    """A service's own paths go into the checks, and what its query holds is not shown."""
    rows = rows_of(Matrix("m", (Check(path="{websocket_path}?k=v", expect="403"),)), Service(), websocket_path="/live")
    assert rows[0]["url"].endswith("/live?k=***")
    assert rows[0]["url"].startswith("ws://127.0.0.1:")


def test_intrusive_runs_at_one_a_second() -> None:
    """Tries of headers and credentials against somebody's service are not made in a burst."""
    checks = (Check("a", "http", "/health"), Check("b", "http", "/health"))
    began = time.perf_counter()
    rows_of(Matrix("m", checks, intrusive=True), Service())
    assert time.perf_counter() - began >= 1


@pytest.mark.parametrize(
    ("endpoint", "options", "message"),
    [
        (
            "http://h",
            {"websocket_path": "ws"},
            "parameter 'websocket_path' is 'ws': begin it with a slash, such as /ws",
        ),
        (
            "http://h?token=CANARY",
            {},
            "url has a query, and the paths of a matrix are added to it: give the URL up to its path",
        ),
        ("ftp://h", {}, "url scheme is 'ftp': give wss://, ws://, https:// or http:// and a host"),
    ],
)
def test_refused_before_anything_is_sent(endpoint: str, options: dict[str, str], message: str) -> None:
    """Wrong usage is said at once, not after half of the checks."""
    with pytest.raises(UsageError) as caught:
        run_matrix(endpoint, load_matrix("e2e"), here=HERE, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["ok", "failed", "uncertain"], "failed"),
        (["ok", "uncertain"], "uncertain"),
        (["ok", "skipped"], "ok"),
        ([], "skipped"),
    ],
)
def test_document(statuses: list[str], status: str) -> None:
    """The worst row is the probe's status."""
    rows = [{"status": each} for each in statuses]
    assert probe_document(rows) == {"schema": 1, "status": status, "handshakes": rows}

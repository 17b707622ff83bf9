"""Matrices: what a file may say, what it is told when it says something else, and how its checks run."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from incident.findings import UsageError
from incident.sources.checks import Check, Row
from incident.sources.endpoint import Surroundings
from incident.sources.id_tokens import IdToken
from incident.sources.matrices import Matrix, announcement, load_matrix, probe_document, run_matrix
from incident.sources.matrix_file import matrix_names

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
  - {name: b, kind: http, expect: 204, body_contains: ready, id_token: false}
  - {name: c, path: '{other_case}', origin: '{origin}', id_token: true}
"""
    assert load_matrix(write(tmp_path, text)) == Matrix(
        "own",
        (
            Check(
                "a", "websocket", "/x?y=1", {"X-On": "on", "X-N": "1.0"}, "https://o.example", ("chat", "v2"), "4401",
                None, "hi", "hi", 0.25, 3,
            ),
            Check("b", "http", "{health_path}", expect="204", body_contains="ready"),
            Check("c", path="{other_case}", origin="{origin}"),
        ),
        intrusive=True,
        id_token={"b": False, "c": True},
    )  # fmt: skip


WEBSOCKET_FIELDS = (
    "name, kind, path, headers, id_token, expect, origin, subprotocols, send, expect_message, hold, connections"
)
KNOWN = "authentication, e2e, headers, origins, paths"

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
        "use one of name, kind, path, headers, id_token, expect, body_contains",
    ),
    "field-twice": ("checks:\n  - name: a\n    name: b\n", "line 3: 'name' is given twice: keep one"),
    "name-twice": (
        "checks:\n  - name: a\n  - name: b\n  - name: a\n",
        "line 4: the name 'a' is given twice: give each check its own",
    ),
    "no-name": ("checks:\n  - expect: 403\n", "line 2: a check has no name: give it one, such as x-test-type"),
    "no-value": ("checks:\n  - name:\n", "line 2: name is a text or a number, and this is none"),
    "kind": ("checks:\n  - name: a\n    kind: tcp\n", "line 3: kind is 'tcp': use one of websocket, http"),
    "expect": (
        "checks:\n  - name: a\n    expect: fine\n",
        "line 3: expect is 'fine': give accepted, refused, broken, unreachable, a status such as 403, "
        "or a close code such as 4401",
    ),
    "http-expect": (
        "checks:\n  - name: a\n    kind: http\n    expect: accepted\n",
        "line 4: expect is 'accepted': an http check expects a status such as 200 or 403",
    ),
    "hold": ("checks:\n  - name: a\n    hold: 1s\n", "line 3: hold is '1s': give seconds, such as 1 or 0.5"),
    "hold-long": (
        "checks:\n  - name: a\n    hold: 9999\n",
        "line 3: hold is 9999 seconds: give 0 to 3600, the longest request timeout of Cloud Run",
    ),
    "connections": (
        "checks:\n  - name: a\n    connections: two\n",
        "line 3: connections is 'two': give a whole number, such as 2",
    ),
    "connections-many": ("checks:\n  - name: a\n    connections: 9\n", "line 3: connections is 9: give 1 to 8"),
    "intrusive": ("checks:\n  - name: a\nintrusive: yes\n", "line 3: intrusive is 'yes': give true or false"),
    "path": (
        "checks:\n  - name: a\n    path: '{other}'\n",
        "line 3: path is '{other}': begin it with /, {websocket_path}, {health_path} or {other_case}",
    ),
    "path-end": (
        "checks:\n  - name: a\n    path: '{websocket_path}{health_path}'\n",
        "line 3: path is '{websocket_path}{health_path}': begin it with /, {websocket_path}, {health_path} or "
        "{other_case}",
    ),
    "origin": (
        "checks:\n  - name: a\n    origin: '{orgin}'\n",
        "line 3: origin is '{orgin}': give an origin such as https://app.example, null or {origin}",
    ),
    "id-token": (
        "checks:\n  - name: a\n    id_token: CANARY\n",
        "line 3: id_token is neither true nor false: a token itself belongs into no file; give --id-token",
    ),
    "reserved-header": (
        "checks:\n  - name: a\n    headers: {Upgrade: h2c}\n",
        "line 3: header 'Upgrade' is written by the probe: leave it out; origin and subprotocol have their own options",
    ),
    "header-break": (
        'checks:\n  - name: a\n    headers: {X-Token: "CANARY\\r\\nA: b"}\n',
        "line 3: header 'X-Token' has a value that cannot be sent: leave out line breaks and controls",
    ),
    "headers-list": (
        "checks:\n  - name: a\n    headers: [a]\n",
        "line 3: headers is a mapping of fields to values, and this is none",
    ),
    "subprotocol": (
        "checks:\n  - name: a\n    subprotocols: [a b]\n",
        "line 3: subprotocol 'a b' is not a token: use letters, digits and !#$%&'*+-.^_`|~",
    ),
    "second-subprotocol": (
        "checks:\n  - name: a\n    subprotocols:\n      - v2\n      - a b\n    hold: 1\n",
        "line 5: subprotocol 'a b' is not a token: use letters, digits and !#$%&'*+-.^_`|~",
    ),
    "expect-unquoted-number": (
        "checks:\n  - name: a\n    hold: 1\n    expect: 42\n",
        "line 4: expect is '42': give accepted, refused, broken, unreachable, a status such as 403, "
        "or a close code such as 4401",
    ),
    "path-without-slash": (
        "checks:\n  - name: a\n    kind: websocket\n    path: ws\n",
        "line 4: path is 'ws': begin it with /, {websocket_path}, {health_path} or {other_case}",
    ),
    "header-name": (
        "checks:\n  - name: a\n    headers:\n      X-A: b\n      CANARY token: c\n",
        "line 5: a header's name is not a token: write 'Name: value', with no space in the name",
    ),
    "header-no-value": (
        "checks:\n  - name: a\n    headers:\n      X-A:\n",
        "line 4: the value of header 'X-A' is a text or a number, and this is none",
    ),
    "header-twice": (
        "checks:\n  - name: a\n    headers:\n      X-a: CANARY\n      x-A: CANARY\n",
        "line 5: header 'x-A' is given twice: keep one",
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
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e3e", f"matrix 'e3e' is not known: use one of {KNOWN}, or a path to a .yaml"),
        ("..", f"matrix '..' is not known: use one of {KNOWN}, or a path to a .yaml"),
        ("", f"matrix '' is not known: use one of {KNOWN}, or a path to a .yaml"),
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
        (b"checks: " + 600 * b"[" + 600 * b"]", "cannot be read: its lists are nested too deep"),
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


class Strict(Service):
    """A service that also asks for an ID token as Cloud Run does, knows one path, and takes its own pages alone."""

    def __init__(self, *, token: str = "") -> None:
        """With a token, IAM asks for it."""
        super().__init__()
        self.token, self.seen = token, list[Request]()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Decide by token, path, origin and header, in that order."""
        self.seen.append(request)
        given = request.headers.get("X-Serverless-Authorization") or request.headers.get("Authorization")
        if self.token and given != self.token:
            status = HTTPStatus.UNAUTHORIZED if given else HTTPStatus.FORBIDDEN
            return connection.respond(status, f"no such token: {given}")
        if request.path not in ("/ws", "/health"):
            return connection.respond(HTTPStatus.NOT_FOUND, "no such page")
        if request.headers.get("Origin", own := f"http://{request.headers['Host']}") != own:
            return connection.respond(HTTPStatus.FORBIDDEN, "origin")
        if request.path == "/health" and request.headers.get("Upgrade"):
            return connection.respond(HTTPStatus.BAD_REQUEST, "no socket here")
        return super().answer(connection, request)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intrusive matrices without their pause, which one test measures."""
    monkeypatch.setattr("incident.sources.matrices.INTRUSIVE_PAUSE_S", 0)


def brisk(name: str) -> Matrix:
    """A packaged matrix that holds its connections for a moment only."""
    matrix = load_matrix(name)
    return replace(matrix, checks=tuple(replace(check, hold=0.05) for check in matrix.checks))


def rows_of(matrix: Matrix, service: Service, **options: Any) -> list[Row]:
    """The rows of a matrix against a service on loopback, from a thread as a notebook's kernel would."""

    async def both() -> list[Row]:
        async with serve(service.echo, "127.0.0.1", 0, process_request=service.answer) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            if isinstance(token := options.get("id_token"), IdToken):
                options["id_token"] = replace(token, origin=url)
            return await asyncio.to_thread(run_matrix, url, matrix, here=HERE, **options)

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


@pytest.mark.parametrize("options", [{"parallel": 2}, {"here": Surroundings(control=None, retries=1)}])
def test_intrusive_is_never_faster(options: dict[str, Any]) -> None:
    """Several at a time, or a retry after half a second, would be a burst by another name."""
    name = "parallel" if "parallel" in options else "retries"
    with pytest.raises(UsageError) as caught:
        run_matrix("http://h", load_matrix("headers"), **options)
    assert str(caught.value) == (f"matrix 'headers' is intrusive, and runs one try a second: leave out --{name}")


def test_which_are_intrusive() -> None:
    """Those that try headers and credentials; the others send what a browser on some page would."""
    assert [name for name in matrix_names() if load_matrix(name).intrusive] == ["authentication", "headers"]


def test_the_names_of_the_headers_matrix() -> None:
    """Who decides, header or environment, is read from these names."""
    assert [check.name for check in load_matrix("headers").checks] == [
        "no-header", "x-test-type", "x-e2e-test", "both-headers", "wrong-value", "other-case",
    ]  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["headers", "origins", "paths"])
def test_matrix_against_a_good_service(name: str) -> None:
    """What a matrix expects is what a service that does as it should answers."""
    rows = rows_of(brisk(name), Strict())
    assert {row["name"]: row["because"] for row in rows if row["status"] != "ok"} == {}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "failing"),
    [
        ("headers", ["no-header", "wrong-value"]),
        ("origins", ["foreign-origin", "null-origin"]),
        ("paths", ["trailing-slash", "other-case", "no-such-path", "health-as-websocket", "reserved-healthz"]),
        ("authentication", ["no-token", "bad-token"]),
    ],
)
def test_matrix_against_a_service_that_lets_everybody_in(name: str, failing: list[str]) -> None:
    """A matrix that an open door passes would be of no use."""
    service = Service()
    service.answer = lambda connection, request: None  # type: ignore[method-assign]
    rows = rows_of(brisk(name), service)
    assert [row["name"] for row in rows if row["status"] == "failed"] == failing


def test_own_origin_and_other_case() -> None:
    """What depends on the run is filled in, and a path without letters has no other case to try."""
    service = Strict()
    rows_of(brisk("origins"), service)
    host = service.seen[0].headers["Host"]
    assert [request.headers.get("Origin") for request in service.seen] == [
        None, f"http://{host}", "https://foreign-origin.invalid", "null",
    ]  # fmt: skip
    service = Strict()
    rows = rows_of(brisk("paths"), service, websocket_path="/Chat?v=2")
    assert [request.path for request in service.seen][:3] == ["/Chat?v=2", "/Chat/?v=2", "/cHAT?v=2"]
    rows = rows_of(brisk("paths"), Strict(), websocket_path="/1")
    assert [(row["name"], row["because"]) for row in rows if row["status"] == "skipped"] == [
        ("other-case", "the path '/1' has no letters, so it has no other case")
    ]


@pytest.mark.usefixtures("quick")
def test_authentication_with_a_token() -> None:
    """The token goes where the file lets it, and no row shows it, although the service says it back."""
    service = Strict(token="Bearer CANARY.canary.CANARY")
    rows = rows_of(brisk("authentication"), service, id_token=IdToken(service.token, ""))
    assert [row["status"] for row in rows] == ["ok", "ok", "ok"]
    assert [request.headers.get("Authorization") for request in service.seen] == [
        None, "Bearer incident.not-a.token", service.token,
    ]  # fmt: skip
    assert "CANARY" not in json.dumps(rows)
    assert rows[2]["sent"] == ["X-Test-Type", "Authorization"]


def test_a_token_goes_with_every_check_that_says_nothing() -> None:
    """A private service answers none of the end-to-end checks otherwise; an application's own token stays."""
    service = Strict(token="Bearer a.b.c")
    checks = (
        Check(path="/ws", headers={"X-Test-Type": "e2e"}),
        Check("own", path="/ws", headers={"Authorization": "Basic eA==", "X-Test-Type": "e2e"}),
    )
    rows = rows_of(Matrix("m", checks), service, id_token=IdToken(service.token, ""))
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert service.seen[1].headers["Authorization"] == "Basic eA=="


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("token", "because"),
    [
        (None, "it needs an ID token, and none was asked for: give --id-token"),
        ("no ID token: nobody has one", "no ID token: nobody has one"),
    ],
)
def test_without_a_token(token: str | None, because: str) -> None:
    """A check that lacks its token was not tried: that is no failure of the service."""
    service = Strict(token="Bearer a.b.c")
    rows = rows_of(brisk("authentication"), service, id_token=token)
    assert [row["status"] for row in rows] == ["ok", "ok", "skipped"]
    assert len(service.seen) == 2
    skipped = rows[2]
    assert skipped["because"] == because
    assert (skipped["verdict"], skipped["stage"], skipped["http_status"], skipped["attempts"]) == (None, None, None, 0)
    assert skipped.keys() == rows[0].keys()
    assert set(skipped["timings"].values()) == {None}


def test_asked_for_and_not_there() -> None:
    """A handshake without the token that was asked for would be another question, so it is not tried either."""
    service = Strict(token="Bearer a.b.c")
    rows = rows_of(Matrix("m", (Check(),)), service, id_token="no ID token: nobody has one")
    assert [row["status"] for row in rows] == ["skipped"]
    assert service.seen == []


GIVEN = {"id_token": IdToken("Bearer CANARY", "https://chat.example.com")}


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("headers", {}, "6 checks to chat.example.com, one a second, with X-E2E-Test, X-Test-Type"),
        ("headers", {"id_token": None}, "6 checks to chat.example.com, one a second, with X-E2E-Test, X-Test-Type"),
        ("headers", GIVEN, "6 checks to chat.example.com, one a second, with X-E2E-Test, X-Test-Type, an ID token"),
        ("headers", {"id_token": "no ID token: nobody has one"}, ""),
        (
            "authentication", {},
            "3 checks to chat.example.com, one a second, with Authorization, X-Test-Type, an ID token",
        ),
        (
            "authentication", GIVEN,
            "3 checks to chat.example.com, one a second, with Authorization, X-Test-Type, an ID token",
        ),
        (
            "authentication", {"id_token": None},
            "2 checks to chat.example.com, one a second, with Authorization, X-Test-Type",
        ),
        ("e2e", GIVEN, ""),
    ],
)  # fmt: skip
def test_announcement(name: str, options: dict[str, Any], said: str) -> None:
    """What is about to be sent is said, no more and no less, by the names of headers and never by their values."""
    words = f"matrix {name!r} is intrusive: it sends {said}" if said else ""
    assert announcement(load_matrix(name), "wss://chat.example.com", **options) == words


def test_parallel() -> None:
    """Several at a time take no longer than one, never more than were asked for, and the rows keep the file's order."""
    service = Service()
    checks = tuple(Check(f"{n}", headers={"X-Test-Type": "e2e"}, hold=0.3 if n % 2 else 0.2) for n in range(16))
    began = time.perf_counter()
    rows = rows_of(Matrix("m", checks), service, parallel=8)
    took = time.perf_counter() - began
    assert [row["name"] for row in rows] == [check.name for check in checks]
    assert {row["status"] for row in rows} == {"ok"}
    assert 1 < service.most <= 8
    assert took < 16 * 0.25 / 2


def test_serial_unless_told_otherwise() -> None:
    """RFC 6455 4.1 allows one connection to a host that is connecting."""
    service = Service()
    checks = tuple(Check(f"{n}", headers={"X-Test-Type": "e2e"}, hold=0.05) for n in range(3))
    assert len(rows_of(Matrix("m", checks), service)) == 3
    assert service.most == 1


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
        ("http://h", {"parallel": 65}, "parallel is 65: give 1 to 64"),
        (
            "http://h:1",
            {"id_token": IdToken("Bearer CANARY", "http://h")},
            "http://h:1 is not http://h, and the ID token goes nowhere else",
        ),
    ],
)
def test_refused_before_anything_is_sent(endpoint: str, options: dict[str, Any], message: str) -> None:
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

"""`incident probe` as a process: exit codes, what is printed and what never is, and what is not imported."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import pytest
import trustme
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from incident.cli import main
from incident.cli.probe import check_options, parse_headers, refuse_with_matrix
from incident.findings import EXIT_CODES, STATUSES
from incident.sources.matrices import load_matrix
from incident.sources.matrix_file import FIELDS, matrix_names
from incident.sources.trust import trust_note


class Service:
    """A server on loopback that answers 403 to everybody, and keeps what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """Listen, over TLS where there is a context for it."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.context = context
        self.port = int(self.listener.getsockname()[1])
        self.asked: list[str] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Answer one after the other, until the listener is shut down."""
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with suppress(OSError), self.over_tls(peer) as peer:
                self.asked.append(peer.recv(65536).decode("latin-1"))
                peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    def over_tls(self, peer: socket.socket) -> socket.socket:
        """The connection as it is read; one whose handshake fails is an OSError."""
        return self.context.wrap_socket(peer, server_side=True) if self.context else peer

    def sent(self, header: str) -> list[str | None]:
        """What each request had in a header."""
        found = (re.search(rf"^{header}: (.*)\r$", request, re.MULTILINE | re.IGNORECASE) for request in self.asked)
        return [match[1] if match else None for match in found]


@contextmanager
def running(held: Service) -> Iterator[Service]:
    """A server until its listener is shut down."""
    with held.listener:
        yield held
        held.listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def service() -> Iterator[Service]:
    """A running server."""
    with running(Service()) as held:
        yield held


@pytest.fixture
def port(service: Service) -> int:
    """Its port."""
    return service.port


def incident(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, as a shell runs it."""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ours |= {"GOOGLE_APPLICATION_CREDENTIALS": ""} | environment
    command = [sys.executable, "-m", "incident", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=ours, check=False)


def notes(result: subprocess.CompletedProcess[str]) -> list[str]:
    """The notes on standard error, each in one line again; none is wider than a terminal."""
    assert max(map(len, result.stderr.splitlines()), default=0) <= 80
    return [" ".join(note.split()) for note in result.stderr.split("note: ")[1:]]


def test_exit_codes_and_output(port: int) -> None:
    """Scripts read the code and the JSON, people the table."""
    expected = incident("probe", f"ws://127.0.0.1:{port}/ws", "--expect", "403", "--json")
    assert (expected.returncode, expected.stderr) == (0, "")
    document = json.loads(expected.stdout)
    assert (document["schema"], document["status"], document["handshakes"][0]["http_status"]) == (1, "ok", 403)
    failed = incident("probe", f"ws://127.0.0.1:{port}/ws")
    assert failed.returncode == 3
    assert "answered 403 Forbidden; only 101 opens a WebSocket" in failed.stdout
    assert failed.stdout.splitlines()[-1] == "0 of 1 checks ok"


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
        (
            ["ws://h/", "--matrix", "e3e"],
            "matrix 'e3e' is not known: use one of authentication, e2e, headers, origins, paths, or a path to a .yaml",
        ),
        (
            ["ws://h/", "--matrix", "e2e", "--header", "A: CANARY"],
            "--header and --matrix exclude each other, but for Authorization: write it into the file",
        ),
        (
            ["ws://h/", "--matrix", "e2e", "--subprotocol", "chat"],
            "--subprotocol and --matrix exclude each other: write it into the matrix's file",
        ),
        (
            ["ws://h/", "--matrix", "e2e", "--expect-message", "hi"],
            "--expect-message and --matrix exclude each other: write it into the matrix's file",
        ),
        (
            ["https://a.run.app", "--matrix", "e2e", "--header", "Authorization: CANARY", "--id-token"],
            "--header Authorization and --id-token exclude each other with --matrix: give one of them",
        ),
        (
            ["ws://h/", "--header", "Authorization:", "Bearer", "CANARY"],
            "more than one URL was given: quote a header, --header 'Name: value'",
        ),
        (
            ["ws://h/", "--header", "authorization: Bearer "],
            "--header number 1 has no token: the command that should have printed the token printed nothing; "
            "run that command alone and read what it says",
        ),
        (
            ["ws://h/", "--matrix", "authentication", "--header", "Authorization:"],
            "--header number 1 has no token: the command that should have printed the token printed nothing; "
            "run that command alone and read what it says",
        ),
        (
            ["ws://a.run.app", "--matrix", "authentication", "--header", "Authorization: Bearer CANARY"],
            "a token is not sent to a.run.app over plain text: give a wss:// or an https:// URL",
        ),
        (
            ["https://a.run.app", "--matrix", "e2e", "--header", "Authorization: CANARY", "--insecure"],
            "--insecure and a token exclude each other: whoever answers would get the token",
        ),
        (
            ["ws://h/", "--websocket-path", "/live"],
            "--websocket-path is for --matrix: a single handshake goes to the path of its URL",
        ),
        (
            ["ws://h/", "--health-path", "/health"],
            "--health-path is for --matrix: a single handshake goes to the path of its URL",
        ),
        (
            ["ws://h/", "--connect-to", "http://user:CANARY@proxy:3128"],
            "--connect-to has a user or a password in it: give HOST:PORT alone; it is no proxy",
        ),
        (["ws://h/", "--json", "--metrics"], "--json and --metrics exclude each other: give one of them"),
        (["ws://h/", "--parallel", "2"], "--parallel is for --matrix: a single handshake has no other beside it"),
        (
            ["ws://h/", "--matrix", "headers", "--parallel", "2"],
            "matrix 'headers' is intrusive, and runs one try a second: leave out --parallel",
        ),
        (
            ["ws://h/", "--matrix", "headers", "--retries", "1"],
            "matrix 'headers' is intrusive, and runs one try a second: leave out --retries",
        ),
        (["ws://h/", "--audience", "https://h"], "--audience is for --id-token: give both, or neither"),
        (["ws://h/", "--service", "chat"], "--service is for --id-token: give both, or neither"),
        (
            ["wss://h/", "--id-token", "--service", "chat"],
            "--service alone names no service: give --project and --region too",
        ),
        (
            ["wss://chat.example.com/", "--id-token"],
            "chat.example.com is not known to be the service's: give --project, --region and --service, so that its "
            "URLs and custom audiences can be read",
        ),
        (
            ["ws://a.run.app/", "--id-token"],
            "a token is not sent to a.run.app over plain text: give a wss:// or an https:// URL",
        ),
        (
            ["wss://a.run.app/", "--id-token", "--insecure"],
            "--insecure and a token exclude each other: whoever answers would get the token",
        ),
        (
            ["ws://h/", "--connect-to", "h"],
            "connect-to is 'h': give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080",
        ),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    """Wrong usage ends with 2 and one line that helps, and no value of a header is in it."""
    result = CliRunner().invoke(main, ["probe", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"incident: {message}\n"
    assert "CANARY" not in result.stderr


def test_header_values_are_never_printed(port: int) -> None:
    """Terminals are shared and recorded."""
    secret = ("--header", "Authorization: Bearer CANARY")
    for shown in ((), ("--json",)):
        result = incident("probe", f"ws://127.0.0.1:{port}/ws?token=CANARY", *secret, *shown)
        assert result.returncode == 3
        assert "CANARY" not in result.stdout + result.stderr


def test_notes_go_to_standard_error(port: int) -> None:
    """What is to be known of this side is said before the rows, and never among them; no proxy's address is shown."""
    url = f"127.0.0.1:{port}/ws"
    result = incident("probe", f"ws://{url}", "--insecure", "--json", HTTP_PROXY="http://u:CANARY@127.0.0.1:1")
    assert notes(result) == ["HTTP_PROXY is set and was not used: the probe connects directly"]
    assert json.loads(result.stdout)["handshakes"][0]["http_status"] == 403
    secure = incident("probe", f"wss://{url}", "--insecure")
    assert notes(secure) == ["--insecure: the certificate is not checked, so whoever answers may not be this service"]


@pytest.mark.parametrize(
    ("url", "header", "said"),
    [
        ("ws://name.invalid/ws", "Authorization", "Authorization goes"),
        ("ws://name.invalid/ws", "x-serverless-authorization", "X-Serverless-Authorization goes"),
        ("ws://name.invalid/ws", "X-Test-Type", ""),
        ("wss://name.invalid/ws", "Authorization", ""),
        ("ws://127.0.0.1:1/ws", "Authorization", ""),
    ],
)
def test_credentials_in_plain_text(url: str, header: str, said: str) -> None:
    """Who types a header for a URL gets it sent there, and is told that others can read it."""
    result = CliRunner().invoke(main, ["probe", url, "--header", f"{header}: Bearer CANARY"])
    words = f"note: {said} to name.invalid over plain text: whoever is on the way can read it"
    assert " ".join(result.stderr.split()) == (words if said else "")
    assert "CANARY" not in result.output


def test_trusted_certificates_that_cannot_be_read(port: int, tmp_path: Path) -> None:
    """That is said over TLS alone, and no path is shown."""
    nothing = {"SSL_CERT_FILE": str(tmp_path / "CANARY"), "SSL_CERT_DIR": str(tmp_path)}
    secure, plain = (incident("probe", f"{scheme}://127.0.0.1:{port}/", **nothing) for scheme in ("wss", "ws"))
    assert (notes(secure), notes(plain)) == ([trust_note(nothing)], [])
    assert "CANARY" not in secure.stdout + secure.stderr


@pytest.mark.parametrize("shown", [(), ("--metrics",)])
def test_an_output_that_cannot_hold_a_character(port: int, tmp_path: Path, shown: tuple[str, ...]) -> None:
    """The rows of a probe that was made are not lost for it."""
    file = tmp_path / "own.yaml"
    file.write_text("checks:\n  - {name: 握手, expect: 403}\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    result = incident("probe", url, "--matrix", str(file), *shown, PYTHONIOENCODING="latin-1")
    assert (result.returncode, result.stderr) == (0, "")
    assert "??" in result.stdout


def test_distrust_is_said_though_all_is_ok(tmp_path: Path) -> None:
    """With --insecure nobody knows who answered, and standard output alone says so too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path / "own.yaml"
    file.write_text("checks:\n  - {name: a, expect: 403}\n  - {name: b, expect: 403}\n")
    with running(Service(context)) as service:
        url = f"https://127.0.0.1:{service.port}"
        result = incident("probe", url, "--matrix", str(file), "--insecure")
    assert result.returncode == 0
    assert result.stdout.count("certificate not trusted: ") == 1


def test_an_intrusive_matrix_says_what_it_sends(service: Service, tmp_path: Path) -> None:
    """Names of headers, never their values."""
    file = tmp_path / "own.yaml"
    file.write_text("intrusive: true\nchecks:\n  - {name: a, headers: {X-Own: CANARY}, expect: 403}\n")
    result = incident("probe", f"http://127.0.0.1:{service.port}", "--matrix", str(file))
    assert (result.returncode, service.sent("X-Own")) == (0, ["CANARY"])
    assert notes(result) == [
        f"matrix 'own' is intrusive: it sends 1 check to 127.0.0.1:{service.port}, one a second, with X-Own"
    ]
    assert "CANARY" not in result.stdout + result.stderr
    with_token = incident(
        "probe", f"http://127.0.0.1:{service.port}", "--matrix", str(file), "--header", "Authorization: Bearer CANARY"
    )
    assert notes(with_token) == [f"{notes(result)[0]}, an ID token"]


def test_parallel_says_that_the_rules_do_not_allow_it(port: int) -> None:
    """Whoever reads the rows knows what they were made with; the rows keep their order."""
    result = incident("probe", f"http://127.0.0.1:{port}", "--matrix", "e2e", "--parallel", "7", "--json")
    assert notes(result) == [
        "7 checks at a time: RFC 6455 section 4.1 allows one connection to a host that is still connecting"
    ]
    assert [row["name"] for row in json.loads(result.stdout)["handshakes"]][::6] == ["health", "second-connection"]


def test_metrics(port: int) -> None:
    """What a textfile collector reads: the samples alone, one newline at the end, and the same exit code."""
    result = incident("probe", f"ws://127.0.0.1:{port}/ws", "--metrics", "--expect", "403")
    assert (result.returncode, result.stderr) == (0, "")
    families = {family.name for family in text_string_to_metric_families(result.stdout)}
    assert {"probe_success", "probe_http_status_code"} <= families
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_only_on_a_terminal(port: int, no_color: str, coloured: bool) -> None:
    """A terminal of its own is made for it; files, pipes and NO_COLOR get none."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "incident", "probe", f"ws://127.0.0.1:{port}/ws"]
    environment = os.environ | {"NO_COLOR": no_color, "TERM": "xterm"}
    subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment, timeout=30, check=False)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert (b"\x1b[" in shown) is coloured
    assert "\x1b[" not in incident("probe", f"ws://127.0.0.1:{port}/ws", NO_COLOR=no_color).stdout


def test_help_fits_a_terminal() -> None:
    """Every option has its words, and no line is cut by 80 columns."""
    shown = incident("probe", "--help").stdout
    assert max(map(len, shown.splitlines())) <= 80
    for option in ("--matrix", "--header", "--origin", "--subprotocol", "--expect", "--hold", "--connect-to", "--retries",
                   "--metrics", "--send", "--expect-message", "--insecure", "--parallel", "--id-token", "--json"):  # fmt: skip
        assert f"  {option}" in shown


class Metadata(BaseHTTPRequestHandler):
    """Google's metadata server, as far as google-auth asks it for an ID token; the token names its audience."""

    def do_GET(self) -> None:
        """Answer only what carries the header of its protocol."""
        assert self.headers["Metadata-Flavor"] == "Google"
        url = urlsplit(self.path)
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if url.path.endswith("/identity"):
            self.reply("text/html", id_token(parse_qs(url.query)["audience"][0]))
        else:
            self.reply("application/json", json.dumps({"email": "probe@my-project.iam.gserviceaccount.com"}))

    def reply(self, kind: str, body: str) -> None:
        """One answer."""
        self.send_response(200)
        for name, value in (("Metadata-Flavor", "Google"), ("Content-Type", kind), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def id_token(audience: str) -> str:
    """A token of the right form, signed by nobody."""
    parts = ({"alg": "none"}, {"aud": audience, "exp": int(time.time()) + 3600}, {"signature": "CANARY"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


@pytest.fixture
def metadata() -> Iterator[ThreadingHTTPServer]:
    """A metadata server on loopback; `asked` are the paths it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def at(address: str) -> dict[str, str]:
    """The environment in which google-auth looks for a metadata server there, once; and a proxy that nobody may ask."""
    return {
        "GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "GCE_METADATA_DETECT_RETRIES": "1",
        "HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": "a.run.app",
    }  # fmt: skip


def test_id_token_of_the_metadata_server(service: Service, metadata: ThreadingHTTPServer) -> None:
    """On Cloud Run and Compute Engine: fetched for the service's URL, sent to it, shown nowhere."""
    url, there = "ws://canary---chat-7gq2x-uc.a.run.app/ws", f"127.0.0.1:{service.port}"
    result = incident(
        "probe", url, "--id-token", "--connect-to", there, "--expect", "403", "--json",
        **at(f"127.0.0.1:{metadata.server_port}"),
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    sent = service.sent("Authorization")[0]
    assert sent is not None
    claims = sent.removeprefix("Bearer ").split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"] == "https://chat-7gq2x-uc.a.run.app"
    assert json.loads(result.stdout)["handshakes"][0]["sent"] == ["Authorization"]
    assert all(part not in result.stdout for part in sent.removeprefix("Bearer ").split("."))


def test_id_token_in_a_matrix(service: Service, metadata: ThreadingHTTPServer) -> None:
    """Only the checks that may carry it do; it is fetched once."""
    result = incident(
        "probe", "ws://chat-7gq2x-uc.a.run.app", "--matrix", "authentication", "--id-token",
        "--connect-to", f"127.0.0.1:{service.port}", **at(f"127.0.0.1:{metadata.server_port}"),
    )  # fmt: skip
    assert result.returncode == 3
    assert [bool(value) for value in service.sent("Authorization")] == [False, True, True]
    assert service.sent("Authorization")[1] == "Bearer incident.not-a.token"
    assert sum("/identity" in path for path in metadata.asked) == 1  # type: ignore[attr-defined]
    assert notes(result) == [
        "matrix 'authentication' is intrusive: it sends 3 checks to chat-7gq2x-uc.a.run.app, one a second, with "
        "Authorization, X-Test-Type, an ID token"
    ]


def test_no_id_token_to_be_had(service: Service) -> None:
    """gcloud's user credentials make none through google-auth: the row is skipped and says the way that works."""
    result = incident(
        "probe", "ws://chat-7gq2x-uc.a.run.app/ws", "--id-token", "--connect-to", f"127.0.0.1:{service.port}", "--json",
        **at("127.0.0.1:1"),
    )  # fmt: skip
    row = json.loads(result.stdout)["handshakes"][0]
    assert (result.returncode, row["status"], service.asked) == (4, "skipped", [])
    assert row["because"] == (
        "no ID token: google-auth found no service account's key in GOOGLE_APPLICATION_CREDENTIALS and no metadata "
        "server; it makes none of gcloud's user credentials: give --header "
        '"Authorization: Bearer $(gcloud auth print-identity-token)"'
    )
    assert result.stderr == ""


def test_the_token_of_gcloud(service: Service, tmp_path: Path) -> None:
    """Beside a matrix a header Authorization is the token, for those checks that may carry one."""
    file = tmp_path / "own.yaml"
    file.write_text("checks:\n  - {name: a, id_token: false}\n  - {name: b}\n  - {name: c, id_token: true}\n")
    url = f"http://127.0.0.1:{service.port}"
    result = incident("probe", url, "--matrix", str(file), "--header", "authorization: Bearer CANARY")
    assert service.sent("Authorization") == [None, "Bearer CANARY", "Bearer CANARY"]
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
    for heavy in (
        "pandas",
        "numpy",
        "matplotlib",
        "papermill",
        "pyarrow",
        "google",
        "grpc",
        "IPython",
        "nbformat",
        "yaml",
    ):
        assert f"'{heavy}'" not in loaded


class TestGuide:
    """docs/probe.md: what it shows is what there is."""

    PAGE = (Path(__file__).parents[1] / "docs" / "probe.md").read_text(encoding="utf-8")
    COMMANDS = re.findall(r"^incident probe .*$", PAGE, re.MULTILINE)

    @pytest.mark.parametrize("line", COMMANDS)
    def test_every_command_is_one(self, line: str) -> None:
        """Options, and which of them go together, without sending anything."""
        words = shlex.split(line.split(" > ")[0].replace("$(gcloud auth print-identity-token)", "TOKEN"))[2:]
        with main.commands["probe"].make_context("probe", words):
            context = click.get_current_context()
            check_options(context.params)
            headers = parse_headers(context.params["headers"])
            if context.params["matrix"]:
                refuse_with_matrix(headers)
                load_matrix(context.params["matrix"])

    def test_every_option_that_it_names(self) -> None:
        """Prose is not run, so its options are looked up."""
        known = {name for parameter in main.commands["probe"].params for name in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]*", self.PAGE)) <= known

    def test_every_matrix_with_what_it_is(self) -> None:
        """A matrix that is not in the table is not found."""
        table = re.findall(r"^\| `([a-z0-9]+)` \| .* \| (yes)? ?\|$", self.PAGE, re.MULTILINE)
        assert sorted((name, bool(intrusive)) for name, intrusive in table) == [
            (name, load_matrix(name).intrusive) for name in matrix_names()
        ]

    def test_its_own_matrix(self, tmp_path: Path) -> None:
        """People begin with a copy of it."""
        file = tmp_path / "own.yaml"
        file.write_text(re.findall(r"```yaml\n(.*?)```", self.PAGE, re.DOTALL)[0])
        assert [check.expected for check in load_matrix(str(file)).checks] == ["200", "accepted", "4403"]

    def test_every_field(self) -> None:
        """All that a check may say is in the table."""
        table = self.PAGE.split("| field | is |")[1].split("\n\n")[0]
        rows = [line.split("|")[1] for line in table.splitlines()[2:]]
        assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {
            name for names in FIELDS.values() for name in names
        }

    def test_exit_codes(self) -> None:
        """Scripts are written from this table."""
        table = dict(re.findall(r"^\| (\d) \| (.*) \|$", self.PAGE, re.MULTILINE))
        assert {code: [status for status in STATUSES if f"`{status}`" in words] for code, words in table.items()} == {
            "2": [], **{str(code): [name for name in STATUSES if EXIT_CODES[name] == code] for code in EXIT_CODES.values()},
        }  # fmt: skip

    def test_metrics(self, port: int) -> None:
        """The names that it promises are printed."""
        result = CliRunner().invoke(main, ["probe", f"ws://127.0.0.1:{port}/ws", "--metrics"])
        for name in re.findall(r"`(probe_\w+)`", self.PAGE):
            assert f'\n{name}{{check="handshake",place="endpoint"}} ' in result.stdout

"""What the probe says of real servers, held against the page that says so to people.

docs/servers.md is made from such a run (`make servers`), and each row of it is a test: what was observed must be what
is written, ports, durations and versions apart. What is not installed is skipped, and its rows stay as they are.
"""

import re
import threading
from pathlib import Path

import pytest
import yaml

from incident.sources.checks import Check
from incident.sources.endpoint import Surroundings, probe
from incident.sources.stages import Limits

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "servers.md"
MADE = ROOT / "build" / "servers" / "servers.md"
SERVERS = yaml.safe_load((Path(__file__).parent / "servers.yaml").read_text("utf-8"))
ROWS = [(server["name"], row) for server in SERVERS for row in server["rows"]]
COLUMNS = ("what it does", "verdict", "HTTP", "stage", "rule", "status", "what the probe says", "what it means")
CHECK = ("kind", "hold", "send", "expect_message")


def apart(text):
    """Words without what differs from run to run and from release to release."""
    for pattern, shown in (
        (r"\bafter \d+(\.\d+)? m?s\b", "after …"),
        (r"\b(port )\d+", r"\1…"),
        (r"(127\.0\.0\.1|localhost):\d+", r"\1:…"),
        (r"\b(nginx)/\d+(\.\d+)+", r"\1/…"),
    ):
        text = re.sub(pattern, shown, text)
    return text


def line(row, seen):
    """A line of the page: what a server does, what the probe said of it, what it means."""
    said = [seen[name] for name in ("verdict", "http_status", "stage", "rule", "status")]
    shown = ["" if value is None else str(value) for value in said]
    cells = [row["does"], *shown, apart(seen["because"]), row["means"]]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def parts(page):
    """What the page says above its tables, and for each server the versions and the lines by their first cell."""
    above, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    known = {}
    for section in sections:
        name, _, versions, _, _, _, *lines = section.rstrip().splitlines()
        known[name] = versions, {text.split(" | ")[0].removeprefix("| "): text for text in lines}
    return above, known


def page(above, known):
    """The whole page, in the order of the rows."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    sections = []
    for server in SERVERS:
        versions, lines = known.get(server["name"], ("", {}))
        rows = [lines[row["does"]] for row in server["rows"] if row["does"] in lines]
        sections.append("\n".join([f"## {server['name']}", "", versions, "", *head, *rows]))
    return above + "\n\n".join(sections) + "\n"


@pytest.fixture(scope="module")
def written():
    """The lines of the page; those that were observed replace them in a copy, which `make servers` takes over."""
    above, known = parts(PAGE.read_text("utf-8"))
    observed = {name: (versions, dict(lines)) for name, (versions, lines) in known.items()}
    yield known, observed
    MADE.parent.mkdir(parents=True, exist_ok=True)
    MADE.write_text(page(above, observed), encoding="utf-8")


def ask(name, row, servers, places):
    """Probe a server as a row says, and do to it meanwhile what the row says."""
    server = servers.start(name)
    scheme = row.get("scheme", "ws")
    host = row.get("host", "localhost" if scheme == "wss" else "127.0.0.1")
    url = f"{scheme}://{host}:{places[row.get('port', server.port)]}{row['path']}"
    check = Check(**{"hold": 0.2, **{option: row[option] for option in CHECK if option in row}})
    limits = Limits(connect=2, tls=2, status=row.get("answer_within", 5), headers=2, total=10, message=2, close=0.3)
    here = Surroundings(control=None, limits=limits)
    if "before" in row:
        server.end() if row["before"] == "exit" else server.send(row["before"])
    if "during" in row:
        probe(url, Check(hold=0), here)  # an application that is still being imported would take the signal otherwise
        threading.Timer(0.1, server.send, [row["during"]]).start()
        check = Check(hold=5)
    seen = probe(url, check, here)
    if {"before", "during"} & set(row):
        servers.forget(name)
    return seen


@pytest.mark.parametrize(("name", "row"), [pytest.param(*case, id=f"{case[0]}: {case[1]['does']}") for case in ROWS])
def test_what_the_probe_says(name, row, servers, places, written, monkeypatch):
    """A table that nobody runs again is a table of what was once believed."""
    if row.get("trusted", True):
        monkeypatch.setenv("SSL_CERT_FILE", str(places["folder"] / "authority.pem"))
    seen = line(row, ask(name, row, servers, places))
    known, observed = written
    ran = ", ".join(f"{part} {version}" for part, version in servers.versions(name).items())
    observed[name] = ran, observed.get(name, ("", {}))[1] | {row["does"]: seen}
    documented = known.get(name, ("", {}))[1].get(row["does"])
    assert seen == documented, "docs/servers.md says otherwise: `make servers` writes what was observed"


def test_the_page_has_these_rows_and_no_others():
    """A row that was taken out of the table must not live on in the page."""
    _, known = parts(PAGE.read_text("utf-8"))
    assert [(name, does) for name, (_, lines) in known.items() for does in lines] == [
        (name, row["does"]) for name, row in ROWS
    ]

"""The table of a probe for people: narrow, calm, and safe whatever the other side wrote."""

from __future__ import annotations

from typing import Any

import pytest
from wcwidth import wcswidth

from incident.cells import cells, fitted, wrapped
from incident.tables import Table, handshake_table

STAGES = ("resolve", "connect", "tls", "status", "headers", "open")


def times(**took: float) -> dict[str, float | None]:
    """Timings by stage, null where it was not reached."""
    return {f"{name}_s": took.get(name) for name in STAGES}


def row(**fields: Any) -> dict[str, Any]:
    """A row of a probe."""
    base = {"name": "x", "kind": "websocket", "verdict": "refused", "stage": "status", "http_status": 403}
    base |= {"rule": "status-101", "expected": "accepted", "status": "failed", "attempts": 1, "held_s": None}
    base |= {"because": "answered 403 Forbidden; only 101 opens a WebSocket", "place": "endpoint", "sent": []}
    base |= {"timings": times(resolve=0.001, connect=0.002, status=0.009, headers=0.00002)}
    return base | {"addresses": [address("203.0.113.7")], "tls": None} | fields


def accepted(**fields: Any) -> dict[str, Any]:
    """A row of a handshake that was accepted and held."""
    opened = {"verdict": "accepted", "stage": "open", "http_status": 101, "rule": None, "status": "ok", "held_s": 1.0}
    return row(**opened | {"because": "accepted, still open after 1.0 s"} | fields)


def address(host: str, error: str | None = None) -> dict[str, Any]:
    """An address that was tried."""
    return {"address": host, "port": 443, "family": "IPv6" if ":" in host else "IPv4", "connect_s": 0, "error": error}


def tls(**fields: Any) -> dict[str, Any]:
    """A TLS session with a certificate that is trusted for a while."""
    base = {"version": "TLSv1.3", "names": ["*.a.run.app"], "issuer": "CN=WR2", "not_after": "2026-12-28T08:00:00Z"}
    return base | {"days_left": 33.4, "trusted": True, "because": ""} | fields


def details(*rows: dict[str, Any]) -> list[str]:
    """The lines under the rows, without their indent."""
    return [line[4:] for line in handshake_table(rows).splitlines() if line.startswith("    ")]


def test_table() -> None:
    """A row that is fine takes one line; one that is not says where it stopped, why, what took time, what was sent."""
    rows = [
        row(name="no-header-refused", expected="403", status="ok"),
        row(name="x-test-type", sent=["X-Test-Type", "Authorization"]),
        row(name="id-token", status="skipped", verdict=None, stage=None, because="give --id-token", timings=times()),
    ]
    assert handshake_table(rows).splitlines() == [
        "check                 expected    observed                  time      status",
        "no-header-refused     403         refused 403               12 ms     ok",
        "x-test-type           accepted    refused 403               12 ms     failed",
        "    at status   answered 403 Forbidden; only 101 opens a WebSocket",
        "    times (ms)  resolve 1, connect 2, status 9, headers 0",
        "    sent        X-Test-Type, Authorization",
        "id-token              accepted    not tried                 -         skipped",
        "    because     give --id-token",
        "headers sent: X-Test-Type, Authorization",
        "1 of 3 checks ok, 1 skipped",
    ]


def test_a_single_row_says_all() -> None:
    """Who asks about one handshake wants to know of it, also where it is fine."""
    took = times(resolve=0.0124, connect=0.0098, tls=0.0304, status=0.0412, headers=0.0004, open=0.0)
    assert handshake_table([accepted(timings=took, tls=tls())]).splitlines()[1:] == [
        "x                     accepted    accepted                  94 ms     ok",
        "    at open     accepted, still open after 1.0 s",
        "    times (ms)  resolve 12, connect 10, tls 30, status 41, headers 0.4",
        "    certificate expires in 33 days, on 2026-12-28; TLSv1.3",
        "1 of 1 checks ok",
    ]


def test_a_second_try_is_said_though_it_is_ok() -> None:
    """A cold start is no outage, and no secret either."""
    tried = accepted(because="accepted; try 1: answered 503, after 12.4 s", attempts=2)
    assert details(tried, accepted()) == [
        "at open     accepted; try 1: answered 503, after 12.4 s",
        "times (ms)  resolve 1, connect 2, status 9, headers 0",
    ]


def test_addresses_are_shown_where_one_failed_and_once() -> None:
    """IPv6 that is broken for everybody is one line, and no line where all went well."""
    addresses = [address("2001:db8::1", "network is unreachable"), address("203.0.113.7")]
    said = ["addresses   [2001:db8::1]:443 network is unreachable; 203.0.113.7:443", "            connected"]
    assert details(accepted(addresses=addresses), accepted(addresses=addresses)) == said
    assert details(accepted(), accepted()) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, []),
        ({"days_left": 13.9}, ["certificate expires in 13 days, on 2026-12-28; TLSv1.3"]),
        ({"days_left": 1.2}, ["certificate expires in 1 day, on 2026-12-28; TLSv1.3"]),
        (
            {"trusted": False, "because": "self-signed certificate", "names": list("abcde")},
            ["certificate not trusted: self-signed certificate; expires in 33 days, on",
             "            2026-12-28; for a, b, c and 2 more; issued by CN=WR2; TLSv1.3"],
        ),
        (
            {"trusted": False, "because": "still open", "days_left": -3.5, "names": []},  # a reason that is not shown
            ["certificate not trusted: still open; expired 3 days ago, on 2026-12-28;",
             "            issued by CN=WR2; TLSv1.3"],
        ),
        (dict.fromkeys(tls()) | {"trusted": False, "because": "bad"}, ["certificate not trusted: bad"]),
        (dict.fromkeys(tls()) | {"because": "the TLS handshake failed"}, []),  # nobody saw a certificate
    ],
)  # fmt: skip
def test_certificates_are_shown_where_they_matter_and_once(fields: dict[str, Any], said: list[str]) -> None:
    """Under 14 days left, or not trusted: of seven checks at one endpoint the first says it."""
    assert details(accepted(tls=tls(**fields)), accepted(tls=tls(**fields))) == said


def test_distrust_is_said_once_whatever_comes_first() -> None:
    """With --insecure all seven may be ok, and the table says all the same that nobody knows who answered."""
    distrusted = tls(trusted=False, because="self-signed certificate", names=[], issuer="")
    reason = "the certificate was not checked (--insecure): self-signed certificate"
    passed, refused = accepted(tls=distrusted, because=reason), row(tls=distrusted, because=reason)
    alone = ["expires in 33 days, on 2026-12-28; TLSv1.3"]
    whole = [
        "certificate not trusted: self-signed certificate; expires in 33 days, on",
        "            2026-12-28; TLSv1.3",
    ]
    assert details(passed, passed, refused)[:2] == whole
    assert [line for line in details(passed, refused) if "expires" in line] == whole[:1]
    assert [line[12:] for line in details(refused, passed) if "expires" in line] == alone
    assert [line[12:] for line in details(passed) if "expires" in line] == alone


def test_a_row_without_a_result_has_no_none() -> None:
    """What was not tried, or saw no certificate, has words or nothing."""
    nothing = dict.fromkeys(("verdict", "stage", "http_status", "rule", "addresses", "tls", "held_s", "sent"))
    skipped = row(status="skipped", because="give --id-token", attempts=0, timings=times(), **nothing)
    unseen = row(tls=dict.fromkeys(tls()) | {"because": "the TLS handshake failed"})
    for rows in ([skipped], [skipped, unseen], [unseen]):
        assert "None" not in handshake_table(rows)


def test_a_matrix_says_which_headers_it_sent() -> None:
    """Whoever reads the result of an intrusive matrix knows what was tried, though all went well."""
    rows = [accepted(sent=["X-Test-Type"]), accepted(sent=["X-E2E-Test", "X-Test-Type"])]
    assert handshake_table(rows).splitlines()[-2:] == ["headers sent: X-Test-Type, X-E2E-Test", "2 of 2 checks ok"]
    assert "headers sent" not in handshake_table([accepted(), accepted()])


def test_places_stand_under_their_names() -> None:
    """The same check at three places is three rows that must not be confused."""
    rows = [accepted(), accepted(place="service"), accepted(place="tag:canary")]
    lines = handshake_table(rows).splitlines()
    assert [line for line in lines if line.startswith("at ")] == ["at the service's own URL", "at tag canary"]


def test_colours_stand_on_words() -> None:
    """Without colours, or with other eyes, the table says the same."""
    rows = [row(status=status) for status in ("ok", "failed", "uncertain", "skipped")]
    plain, coloured = (handshake_table(rows, color=color) for color in (False, True))
    assert "\x1b" not in plain
    for code, status in (("36", "ok"), ("1;31", "failed"), ("33", "uncertain"), ("2", "skipped")):
        assert f" \x1b[{code}m{status}\x1b[0m" in coloured
        coloured = coloured.replace(f"\x1b[{code}m{status}\x1b[0m", status)
    assert coloured == plain


def test_hostile_text() -> None:
    """No text of the other side moves the cursor, adds a line that looks like ours, or breaks the width."""
    because = "\x1b[2J\r\n7 of 7 checks ok\u202e " + "x" * 300 + "\u0301" * 1000
    hostile = row(name="n\x1b" * 50, because=because, status="\x1b[31m", sent=["X-\x1b"], place="tag:\x1b")
    lines = handshake_table([hostile], color=True).splitlines()
    assert all(cells(line) <= 80 and line.isprintable() for line in lines)
    assert "7 of 7 checks ok" not in lines


@pytest.mark.parametrize(
    "name",
    ["握手検査の名前がとても長い場合", "🙂🙂🙂 👩‍👩‍👧", "école e\u0301cole", "한국어 \u1112\u1161\u11ab", "a" * 40],
)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_columns_stay_aligned(name: str, width: int) -> None:
    """A name in any script begins and ends where the others do."""
    lines = handshake_table([row(name=name, because=name * 20), row()], width).splitlines()
    assert max(map(cells, lines)) <= width
    heads = [line for line in lines if line.endswith("failed")]
    assert len({cells(line.partition("accepted")[0]) for line in heads}) == 1


def test_long_names_are_cut_with_an_ellipsis() -> None:
    """What is missing is marked."""
    assert (
        handshake_table([row(name="a-name-that-is-longer-than-its-column")])
        .splitlines()[1]
        .startswith("a-name-that-is-longe… accepted ")
    )
    assert fitted("日本語の名前", 8) == "日本語… "


@pytest.mark.parametrize(
    "text", ["abc", "日本語", "e\u0301", "🙂", "한국어", "\u1112\u1161\u11ab", "ﬁｆ…→", "नमस्ते"[:2], "אב", "ไท"]
)
def test_cells_are_those_of_a_terminal(text: str) -> None:
    """The usual library agrees, where a text is not one picture of several characters."""
    assert cells(text) == wcswidth(text)


def test_wrapping_loses_nothing() -> None:
    """A word that is longer than a line is broken, in whole characters."""
    text = "not trusted " + "日" * 50 + " end"
    lines = wrapped(text, 15)
    assert max(map(cells, lines)) <= 15
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped("", 10) == []


def test_a_frame_as_people_read_it():
    """Whole texts on their own lines, nothing where nothing is known, and no markup of the other side's."""
    from incident.frames import rows_frame

    logs = rows_frame("logs", [{"text": "Traceback:\n  <script>", "http_request_status": 503}])
    shown = Table(logs[["timestamp", "revision_name", "http_request_status", "http_request_latency", "text"]])
    assert "<td style=" in shown._repr_html_()
    assert "Traceback:\n  &lt;script&gt;" in shown._repr_html_()
    assert repr(shown).splitlines() == [
        "timestamp  revision_name  http_request_status  http_request_latency  text",
        "                          503                                        Traceback:",
    ]

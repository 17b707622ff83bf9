"""Estimates: few calls, near enough, and numbers that a person can act on."""

from typing import Any

import pandas as pd
import pytest

from incident.sources.calls import Calls, Pace
from incident.sources.clients import Clients
from incident.sources.limits import Allowance, Limits, Spent
from incident.sources.log_pages import Position, Reader
from incident.sources.log_queries import AUDIT, BY_USE, QUERIES, query_of
from incident.sources.volume import Cut, Volume, capped_gaps, halves

STDERR, STDOUT, REQUESTS = (f"run.googleapis.com/{log}" for log in ("stderr", "stdout", "requests"))


def reader(google: Any, make: Any, **limits: int) -> Reader:
    """A reader of the stand-in."""
    calls = Calls(pace=Pace(most=10_000), allowance=Allowance(Limits(**limits)))
    return Reader(make.SCOPE, calls, Clients(google.address))


def fill(google: Any, make: Any, late: int) -> None:
    """Six lines of stderr a minute all hour, and so many requests a minute in its second half."""
    google.filters, google.page = True, 10
    for minute in range(60):
        stamp = f"2025-09-07T10:{minute:02d}"
        google.entries += [make.entry(STDERR, f"{stamp}:{n * 10 + 1:02d}Z") for n in range(6)]
        google.entries += [make.request_entry(f"{stamp}:{n * 4 + 2:02d}Z") for n in range(late if minute >= 30 else 0)]
    google.entries.sort(key=lambda entry: entry.timestamp.ToNanoseconds())


def measured(google: Any, make: Any, **limits: int) -> tuple[Volume, Reader]:
    """The volume of the stand-in's window, once its first page has been read."""
    reading, volume = reader(google, make, **limits), Volume((make.SCOPE.start, make.SCOPE.end))
    page = reading.page(QUERIES["stderr"], Position(*volume.window))
    volume.measure(reading, page)
    return volume, reading


def test_samples_are_spread() -> None:
    """However few samples there are, they look at the whole window and not at its beginning."""
    spread = halves()
    assert [next(spread) for _ in range(7)] == [0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize(("calls", "samples"), [(19, 0), (20, 1), (60, 1), (1000, 1)])
def test_sizing_is_one_call_in_twenty(google: Any, make: Any, calls: int, samples: int) -> None:
    """36 pages of stderr are worth one sizing call, whatever the limit allows; a limit below twenty calls none."""
    fill(google, make, 0)
    volume, reading = measured(google, make, calls=calls)
    assert len(volume.samples) == volume.calls == samples
    assert reading.calls.allowance.entries == 10, "what is only counted is not taken"
    assert len(volume.queries(make.SCOPE)) == bool(samples)


def test_an_estimate_of_each_query(google: Any, make: Any) -> None:
    """A burst in half of the window is not taken for the whole of it."""
    fill(google, make, 14)
    google.page = 5  # 156 pages: seven sizing calls
    volume, _ = measured(google, make, calls=1000)
    assert 4 <= len(volume.samples) <= 7
    assert volume.entries("stderr", volume.window) == pytest.approx(360, rel=0.3)
    assert volume.entries("requests", volume.window) == pytest.approx(420, rel=0.5)
    half = (volume.window[0], volume.window[0] + pd.Timedelta("30min"))
    assert (volume.entries("requests", half) or 0) < (volume.entries("requests", volume.window) or 0) / 2


def test_an_empty_page_is_no_sample(google: Any, make: Any) -> None:
    """The server may answer without an entry and with a token: that says nothing of how many there are."""
    fill(google, make, 0)
    google.empty_pages = True
    reading, volume = reader(google, make, calls=100), Volume((make.SCOPE.start, make.SCOPE.end))
    first, second = reading.pages(QUERIES["stderr"], Position(*volume.window)).__iter__(), None
    assert not next(first).entries
    second = next(first)
    volume.measure(reading, second)
    assert [sum(sample.counts.values()) for sample in volume.samples] == [9], "the tenth ends it"
    assert volume.calls == 2


def test_each_entry_answers_one_query(make: Any) -> None:
    """An entry that two queries gave would cost twice; one that none gave would be missing without a word."""
    made = [make.entry(log, "2025-09-07T10:00:01Z", severity=severity)
            for log in (STDERR, STDOUT, REQUESTS, "run.googleapis.com/varlog/system")
            for severity in (0, 200, 300, 400, 500)]  # fmt: skip
    from incident.drill import lql

    for entry in made:
        takers = [query.name for query in BY_USE if lql.parse(query.filter(make.SCOPE))(entry)]
        assert takers == [query_of(entry)]
    assert lql.parse(QUERIES["logs"].filter(make.SCOPE))(made[0])


def cut(make: Any, name: str = "requests", came: int = 0, last: str = "") -> Cut:
    """A query that a limit ended."""
    window = make.SCOPE.start, make.SCOPE.end
    at = Position(*window, last=pd.Timestamp(last)) if last else None
    return Cut(QUERIES[name], window, came, at)


@pytest.mark.parametrize(
    ("option", "cuts", "reason", "remedy"),
    [
        (
            "--max-entries", [("requests", 500, "2025-09-07T10:20:00Z")],
            "--max-entries 9 was reached: other request entries before 2025-09-07T10:20:00Z are missing, about 250",
            "give a higher --max-entries (about 1300 would have been enough), or a shorter window",
        ),
        (
            "--max-calls", [("requests", 0, "")],
            "--max-calls 9 was reached: other request entries were not read",
            "give a higher --max-calls (at least 10), or a shorter window",
        ),
        (
            "--max-calls", [("logs", 3000, "2025-09-07T10:15:00Z")],
            "--max-calls 9 was reached: entries after 2025-09-07T10:15:00Z are missing, about 9000",
            "give a higher --max-calls (about 19 would have been enough), or a shorter window",
        ),
        (
            "--max-calls", [("audit", 0, "")],
            "--max-calls 9 was reached: audit entries were not read",
            "give a higher --max-calls (at least 10), or a shorter window",
        ),
    ],
)  # fmt: skip
def test_what_a_limit_cost(make: Any, option: str, cuts: list[Any], reason: str, remedy: str) -> None:
    """Which entries, which part of the window, and the number to give: not "some entries may be missing"."""
    volume = Volume((make.SCOPE.start, make.SCOPE.end))
    [gap] = capped_gaps(
        [cut(make, *given) for given in cuts], Spent(option, 9), Allowance(Limits(), entries=1000, calls=9), volume
    )
    assert (gap.kind, gap.reason, gap.remedy) == ("capped", reason, remedy)
    assert gap.frame == ("audit" if cuts[0][0] == AUDIT.name else "logs")

"""Parameters are strict, times are exact, windows are half-open."""

import pandas as pd
import pytest

from incident.findings import UsageError
from incident.scope import Parameters, Scope, moment, notebook_parameters, rfc3339, scope, without_zone

NOW = pd.Timestamp("2025-09-07T12:00:00Z")
NAMES = "project, region, service, start, end, endpoint, websocket_path, health_path, matrix, source, before, incident, run_dir, max_entries, max_calls, repo, compare_to, max_bytes_billed"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"serivce": "x"}, f"parameter 'serivce' is not known: did you mean 'service'? use one of {NAMES}"),
        ({"zz": "x"}, f"parameter 'zz' is not known: use one of {NAMES}"),
        ({"service": 137}, "parameter 'service' is 137, a int: give text; with papermill, -r service VALUE keeps a value as it is"),
        ({"service": 'x" OR "'}, "parameter 'service' is 'x\" OR \"': a service's name is a-z, 0-9 and -, and starts with a letter"),
        ({"project": "P"}, "parameter 'project' is 'P': a project id is 6 to 30 of a-z, 0-9 and -"),
        ({"region": "here"}, "parameter 'region' is 'here': a region is named like us-central1"),
        ({"start": "-2hours"}, "parameter 'start' is '-2hours': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
        ({"end": "2025-13-01"}, "parameter 'end' is '2025-13-01': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
        ({"start": "yesterday"}, "parameter 'start' is 'yesterday': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
        ({"websocket_path": "ws"}, "parameter 'websocket_path' is 'ws': a path starts with / and has no query, such as /ws"),
        ({"source": "clod"}, "parameter 'source' is 'clod': use cloud, sample:NAME, export:DIR, pull:DIR, run:RUN or analytics:PROJECT.DATASET"),
        ({"incident": "../x"}, "parameter 'incident' is '../x': a name of a folder: letters, digits, . _ and -, 64 at most"),
        ({"max_calls": "0"}, "parameter 'max_calls' is '0': give a whole number above 0, or leave it empty: there is no limit then"),
        ({"before": "a\x1b[2J"}, "parameter 'before' is 'a\\x1b[2J': control characters are not allowed"),
        ({"endpoint": "chat.example"}, "parameter 'endpoint' is 'chat.example': give a URL such as https://chat-7gq2x.a.run.app"),
        ({"endpoint": "https://[::1"}, "parameter 'endpoint' is 'https://[::1': give a URL such as https://chat-7gq2x.a.run.app"),
        (
            {"endpoint": "https://me:hunter2@chat.example/"},
            "parameter 'endpoint' on https://chat.example carries a user, a query or a fragment: give the address alone; "
            "credentials in it would be kept in the archive",
        ),
    ],
)  # fmt: skip
def test_bad_parameters(given, message):
    """Each mistake gets the value, what is allowed, and no guess; a password in it is not repeated."""
    with pytest.raises(UsageError) as refused:
        Parameters.read(given)
    assert str(refused.value) == message


def test_needed():
    """A live source without a project would ask for somebody else's."""
    with pytest.raises(
        UsageError, match=r"^parameter 'region' is empty: source 'cloud' needs it, give --region VALUE$"
    ):
        Parameters.read({"source": "cloud", "project": "my-project"}).needed("project", "region")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2025-09-07T12:00:00Z"),
        ("-90s", "2025-09-07T11:58:30Z"),
        ("-30m", "2025-09-07T11:30:00Z"),
        ("-2h", "2025-09-07T10:00:00Z"),
        ("-1d", "2025-09-06T12:00:00Z"),
        ("2025-09-07", "2025-09-07T00:00:00Z"),
        ("2025-09-07 10:00", "2025-09-07T10:00:00Z"),
        ("2025-09-07T10:00:00+02:00", "2025-09-07T08:00:00Z"),
        ("2025-09-07T10:00:00.123456789Z", "2025-09-07T10:00:00.123456789Z"),
    ],
)
def test_moment(text, expected):
    """Times mean one instant each, to the nanosecond; without a zone they are UTC."""
    assert rfc3339(moment("start", text, NOW)) == expected


def test_reversed_window():
    """A reversed window matches nothing, which would read as peace."""
    with pytest.raises(UsageError) as refused:
        scope(Parameters.read({"start": "now", "end": "-1h"}), NOW)
    assert str(refused.value) == (
        "the window is reversed: start 2025-09-07T12:00:00Z is not before end 2025-09-07T11:00:00Z; "
        "give an earlier --start or a later --end"
    )


def test_times_without_a_zone_are_named():
    """The run says which times it took for UTC."""
    assert without_zone(Parameters.read({"start": "2025-09-07T10:00", "end": "2025-09-07T10:00Z"})) == ["start"]


def test_scope_survives_json():
    """An archived run replays on the same window, nanoseconds included."""
    made = Scope("p", "r", "s", "", moment("start", "2025-09-07T10:00:00.000000001Z", NOW), NOW, "/chat", "/up")
    assert Scope.from_json(made.as_json()) == made


def test_notebook_parameters_keep_what_was_injected():
    """papermill only warns of an unknown parameter; the name must reach the strict reading."""
    cells = ["", 'service = "chat"\nregion = ""', 'serivce = "x"', "from incident import gather", "later = 3"]
    variables = {"In": cells, "service": "chat", "region": "", "serivce": "x", "later": 3, "pd": pd}
    assert notebook_parameters(variables) == {"region": "", "service": "chat", "serivce": "x"}


def test_notebook_parameters_after_a_magic():
    """A magic in the first cells is no parameters cell, and no crash."""
    assert notebook_parameters({"In": ["%matplotlib inline", "x = 1"], "x": 1}) == {}

"""The filter: what is taken, and what is refused with which words."""

import pytest

from incident.drill.entries import Origin, new_entry
from incident.drill.lql import MAX_FILTER, FilterError, parse, parse_time
from incident.platform import STDERR

ENTRY = new_entry(Origin("p", "r1", "chat", "chat-1"), STDERR, "WARNING", 1_700_000_000_123_456_789)
ENTRY.trace, ENTRY.http_request.user_agent = "projects/p/traces/1f", "incident/0.1.0 (probe 1f)"
LOG = "projects/p/logs/run.googleapis.com%2Fstderr"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ("\n  \n", True),
        ('resource.type="cloud_run_revision"', True),
        ('resource.type = "Cloud_Run_Revision"', True),
        ('resource.labels.service_name="chat" AND resource.labels.location="r2"', False),
        ('(resource.labels.service_name="chat")\n(resource.labels.location="r1")\n', True),
        ('resource.labels.service_name="chat"\nAND\nresource.labels.location="r2"', False),
        (f'logName=("projects/p/logs/x" OR "{LOG}")', True),
        (f'logName=(\n"projects/p/logs/x"\nOR "{LOG}"\n)', True),
        ('logName="projects/p/logs/x"', False),
        ("severity>=WARNING", True),
        ('severity>="error"', False),
        ("severity=warning", True),
        ('timestamp>="2023-11-14T22:13:20.123456789Z"', True),
        ('timestamp>"2023-11-14T22:13:20.123456789Z"', False),
        ('timestamp<"2023-11-14T22:13:20.12345679Z"', True),
        ('timestamp<"2023-11-14T23:13:20.123456789+01:00"', False),
        ('trace=("projects/p/traces/1f" OR "projects/p/traces/2e")', True),
        ('httpRequest.userAgent="Incident/0.1.0 (probe 1f)"', True),
        ('httpRequest.userAgent="incident/0.1.0 (probe 2e)"', False),
        ('severity=INFO OR severity=WARNING AND resource.labels.location="r2"', False),
        ('(severity=INFO AND resource.labels.location="r2") OR severity=WARNING', True),
    ],
)
def test_what_a_filter_takes(text, taken):
    """OR binds tighter than AND, a new line is AND, case is ignored, and times keep nine digits."""
    assert parse(text)(ENTRY) is taken


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('textPayload:"x"', "unexpected ':\"x\"' at position 11"),
        ('resource.type=~"x"', "unexpected '=~\"x\"' at position 13"),
        ('NOT severity="INFO"', "field 'NOT' is not known: use one of resource.type, logName, insertId, severity, "
         "timestamp, receiveTimestamp, resource.labels.service_name, resource.labels.revision_name, "
         "resource.labels.location, resource.labels.project_id, resource.labels.method, trace, "
         "httpRequest.userAgent"),
        ('-severity="INFO"', "unexpected '-severity=\"INFO\"' at position 0"),
        ("resource.type=cloud_run_revision", "expected a quoted value for 'resource.type', found 'cloud_run_revision'"),
        ('resource.type>"a"', "'resource.type' cannot be compared with '>'"),
        ("severity>=LOUD", "'LOUD' is not a severity: use one of DEFAULT, DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, "
         "ALERT, EMERGENCY"),
        ('timestamp>="yesterday"', '"yesterday" is not an RFC 3339 time'),
        ('timestamp>="2023-11-14T22:13:20"', '"2023-11-14T22:13:20" is not an RFC 3339 time'),
        ('timestamp>="2023-11-14T22:13:20.1234567890Z"', '"2023-11-14T22:13:20.1234567890Z" is not an RFC 3339 time'),
        ('timestamp>="2023-02-30T00:00:00Z"', '"2023-02-30T00:00:00Z" is not an RFC 3339 time'),
        ('(severity=INFO', "expected a closing parenthesis, found 'the end'"),
        ("severity=INFO)", "unexpected ')'"),
        ("severity=INFO severity=INFO", "unexpected 'severity'"),
        ("severity=INFO AND", "expected a field, found 'the end'"),
        ('logName=("a" AND "b")', "expected OR or a closing parenthesis after the values of 'logName', found 'AND'"),
        ("x" * (MAX_FILTER + 1), "the filter has 20001 characters, at most 20000 are allowed"),
    ],
)  # fmt: skip
def test_what_is_refused(text, message):
    """A stand-in that took what Cloud Logging refuses, or the reverse, would hide a mistake of ours."""
    with pytest.raises(FilterError) as told:
        parse(text)
    assert str(told.value) == message


def test_time_before_the_epoch_and_with_offset():
    """Whole seconds are counted without floats, so no digit is lost."""
    assert parse_time("1969-12-31T23:59:59.999999999Z") == -1
    assert parse_time("2025-09-07T01:42:58.996000001+00:00") == 1757209378_996000001

"""Every frame has its columns and types, whatever came in."""

import pandas as pd
import pytest

from incident.frames import DTYPES, FRAMES, batch, frame, keys, rows_frame, table, validated


@pytest.mark.parametrize("name", FRAMES)
def test_an_empty_frame_is_valid(name):
    """A source that returned nothing still gives every rule its columns, with their types."""
    made = frame(name)
    assert list(made.columns) == list(FRAMES[name].columns)
    assert [str(kind) for kind in made.dtypes] == [DTYPES[kind] for kind in FRAMES[name].columns.values()]
    assert set(FRAMES[name].key) <= set(made.columns)


def test_pages_join_with_their_categories():
    """Each page brings a dictionary of its own; the frame has one."""
    pages = [batch("logs", [{"revision_name": name, "insert_id": name}]) for name in ("a", "b", "a")]
    made = frame("logs", pages)
    assert list(made["revision_name"]) == ["a", "b", "a"]
    assert list(made["revision_name"].cat.categories) == ["a", "b"]


def test_nanoseconds_survive():
    """Two entries a nanosecond apart are two entries: identity depends on it."""
    times = [pd.Timestamp("2025-09-07T10:00:00.000000001Z"), pd.Timestamp("2025-09-07T10:00:00.000000002Z")]
    made = rows_frame("logs", [{"timestamp": time} for time in times])
    assert list(made["timestamp"]) == times


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("timestamp", pd.to_datetime(["2025-09-07"]).as_unit("us").tz_localize("UTC"), "datetime64[us, UTC], where datetime64[ns, UTC] is due"),
        ("timestamp", pd.to_datetime(["2025-09-07"]).as_unit("ns"), "datetime64[ns], where datetime64[ns, UTC] is due"),
        ("severity", ["ERROR"], "str, where category is due"),
        ("http_request_status", [503], "int64, where Int64 is due"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named(column, values, message):
    """pandas guesses the unit of a time from its text; the validator is what pins it."""
    made = rows_frame("logs", [{"insert_id": "a"}]).assign(**{column: values})
    with pytest.raises(TypeError) as refused:
        validated("logs", made)
    assert str(refused.value) == f"frame 'logs', column {column!r}: {message}"


def test_an_unknown_column_is_our_mistake():
    """A source that misspells a column would lose it in silence."""
    with pytest.raises(KeyError, match="frame 'iam' has no column rôle"):
        batch("iam", [{"rôle": "x"}])


def test_a_table_has_the_frame_s_own_types():
    """What is written is read back the same, extra columns left out."""
    made = rows_frame("iam", [{"role": "a", "member": "b"}]).assign(extra=1)
    assert table("iam", made).schema.equals(FRAMES["iam"].schema)


def test_keys_are_text():
    """A finding cites rows in JSON, so times are text to the nanosecond."""
    made = rows_frame("logs", [{"log_name": "l", "timestamp": pd.Timestamp(1, tz="UTC"), "insert_id": "i"}])
    assert keys("logs", made) == (("logs", ("l", "1970-01-01T00:00:00.000000001+00:00", "i")),)


def test_an_optional_column_is_kept_where_it_is_and_checked():
    """A source that reduces entries says how many a row stands for; all others have no such column."""
    made = rows_frame("logs", [{"insert_id": "a"}])
    assert "entry_count" not in table("logs", made).schema.names
    weighed = made.assign(entry_count=pd.array([3], dtype="Int64"))
    assert frame("logs", table("logs", weighed).to_batches())["entry_count"].to_list() == [3]
    with pytest.raises(TypeError, match="column 'entry_count': int64, where Int64 is due"):
        validated("logs", made.assign(entry_count=[3]))

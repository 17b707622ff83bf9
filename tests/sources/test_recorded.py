"""Recordings: which one a name means, and which part of it a window keeps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from incident.evidence import Evidence, save
from incident.findings import Gap, UsageError
from incident.frames import rows_frame
from incident.scope import Parameters
from incident.sources.recorded import cut, find_run, recorded, run_summary, runs, sample_folder

OLD, NEW, OTHER = "20250907T101500Z-3f2a", "20250907T114500Z-00ff", "20250908T090000Z-3f2a"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Two whole runs of one incident, one of another, one that was interrupted, and a folder that is no run."""
    for incident, run in (("staging", NEW), ("staging", OLD), ("production", OTHER)):
        folder = tmp_path / incident / run
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    (tmp_path / "staging" / "20250909T000000Z-aaaa").mkdir()
    (tmp_path / "staging" / "notes").mkdir()
    (tmp_path / "staging" / "notes" / "manifest.json").write_text("{}")
    return tmp_path


@pytest.fixture
def evidence(make: Any) -> Evidence:
    """Entries at 10:00, 10:30 and 10:59:59 of a window from 10:00 to 11:00."""
    times = ("2025-09-07T10:00:00.000000001Z", "2025-09-07T10:30:00Z", "2025-09-07T10:59:59Z")
    rows = [{"log_name": "a", "timestamp": pd.Timestamp(at), "insert_id": at} for at in times]
    gaps = (Gap("logs", "it settles later", "look again", "unsettled"), Gap("logs", "cut", "go on", "capped"))
    return Evidence(
        make.SCOPE, make.END, {"logs": rows_frame("logs", rows), "audit": rows_frame("audit", rows)}, gaps,
        frozenset({"logs", "audit"}),
    )  # fmt: skip


def test_runs_are_whole_ones_newest_last(outputs: Path) -> None:
    """A run without its manifest was interrupted: nobody may compare with it or read it as evidence."""
    assert [run.name for run in runs(outputs)] == [OLD, NEW, OTHER]


@pytest.mark.parametrize(
    ("name", "incident", "run"),
    [
        (OLD, None, OLD),
        ("20250908", None, OTHER),
        ("latest", None, OTHER),
        ("latest", "staging", NEW),
        ("latest", "", OTHER),
    ],
)
def test_find_run(outputs: Path, name: str, incident: str | None, run: str) -> None:
    """A run is named by its id, by as much of it as is its own, or as the latest."""
    assert find_run(outputs, name, incident).name == run


def test_find_run_by_path(outputs: Path) -> None:
    """A run that was moved elsewhere is still a run."""
    assert find_run(outputs / "elsewhere", str(outputs / "staging" / OLD)) == outputs / "staging" / OLD


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("20250907", f"run '20250907' means 2 runs: give more of its id, {NEW}, {OLD}"),
        ("2024", f"run '2024' is not known: use latest, or {OTHER}, {NEW}, {OLD}"),
        ("20250909", f"run '20250909' is not known: use latest, or {OTHER}, {NEW}, {OLD}"),
        ("./there", "run 'there' is no whole run: it has no manifest.json; give a run's id or its folder"),
    ],
)
def test_a_run_that_cannot_be_meant(outputs: Path, name: str, message: str) -> None:
    """Who names a run wrongly is told what there is."""
    with pytest.raises(UsageError) as refused:
        find_run(outputs, name)
    assert str(refused.value) == message


def test_no_runs_at_all(tmp_path: Path) -> None:
    """The first run of all has nothing before it, and the message says where was looked."""
    with pytest.raises(UsageError) as refused:
        find_run(tmp_path, "latest")
    assert str(refused.value) == f"run 'latest' is not known: there is no whole run under {str(tmp_path)!r}"


def test_many_runs_are_listed_shortly(tmp_path: Path) -> None:
    """A year of runs must not scroll the message away."""
    for number in range(9):
        folder = tmp_path / "staging" / f"20250907T10000{number}Z-0000"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="and 4 older"):
        find_run(tmp_path, "x")


def test_samples(tmp_path: Path) -> None:
    """A sample's name is one of those there, so that no path can be made of it."""
    for name in ("staging", "staging-fixed"):
        (tmp_path / "in" / name / "evidence").mkdir(parents=True)
        (tmp_path / "in" / name / "evidence" / "evidence.json").write_text("{}")
    (tmp_path / "in" / "half").mkdir()
    folder = tmp_path / "in"
    assert sample_folder("staging", folder) == folder / "staging" / "evidence"
    for name in ("stagin", "../in/staging", "half", "."):
        with pytest.raises(UsageError) as refused:
            sample_folder(name, folder)
        assert str(refused.value) == f"sample {name!r} is not known: use one of staging, staging-fixed"


def test_a_run_is_read_back(outputs: Path, evidence: Evidence) -> None:
    """An archived run is evidence as it was, to the nanosecond and the gap."""
    save(evidence, outputs / "staging" / OLD / "evidence")
    read = recorded(Parameters(source=f"run:{OLD}"), outputs)
    assert (read.scope, read.gaps, read.complete) == (evidence.scope, evidence.gaps, evidence.complete)
    pd.testing.assert_frame_equal(read.logs, evidence.logs)


def test_another_service_is_refused(outputs: Path, evidence: Evidence) -> None:
    """A recording answers for its own service alone, whatever the parameters hope."""
    save(evidence, outputs / "staging" / OLD / "evidence")
    with pytest.raises(UsageError) as refused:
        recorded(Parameters(source=f"run:{OLD}", service="mail"), outputs)
    assert str(refused.value) == f"parameter 'service' is 'mail': run:{OLD} holds 'chat'; leave it empty"


def test_a_run_without_evidence(outputs: Path) -> None:
    """A whole run may have lost its evidence to a prune."""
    with pytest.raises(UsageError) as refused:
        recorded(Parameters(source=f"run:{OLD}"), outputs)
    assert str(refused.value) == f"run {OLD!r} holds no evidence/evidence.json: name another run"


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("", "", [0, 30, 59]),
        ("-45m", "", [30, 59]),
        ("-59s", "now", [59]),
        ("", "2025-09-07T10:30:00Z", [0]),
        ("2025-09-07T10:30:00Z", "", [30, 59]),
        ("2025-09-07T09:00:00Z", "2025-09-07T12:00:00Z", [0, 30, 59]),
    ],
)
def test_windows(evidence: Evidence, start: str, end: str, minutes: list[int]) -> None:
    """Relative times count from the newest entry, which is inside; an entry at the end of a window is outside."""
    part = cut(evidence, Parameters(source="sample:x", start=start, end=end))
    for frame in (part.logs, part.audit):
        assert list(frame["timestamp"].dt.minute) == minutes


def test_gaps_of_a_part(evidence: Evidence) -> None:
    """What followed from the frames is found anew; what a call reported holds for each part."""
    part = cut(evidence, Parameters(source="sample:x", end="2025-09-07T10:30:00Z"))
    assert [gap.kind for gap in part.gaps] == ["capped"]
    nothing = cut(evidence, Parameters(source="sample:x", start="2025-09-07T10:40:00Z", end="2025-09-07T10:50:00Z"))
    assert nothing.complete == {"audit"}


def test_a_window_beyond_the_recording(evidence: Evidence) -> None:
    """A window may ask for more than was recorded: the run says what it had, and a window outside is refused."""
    part = cut(evidence, Parameters(source="sample:x", start="2025-09-07T09:00:00Z", end="2025-09-07T10:30:00Z"))
    held = "2025-09-07T10:00:00.000000001Z to 2025-09-07T11:00:00Z"
    asked = "2025-09-07T09:00:00Z to 2025-09-07T10:30:00Z"
    assert part.notes == (f"sample:x holds {held}: the window {asked} was cut to it",)
    with pytest.raises(UsageError) as refused:
        cut(evidence, Parameters(source="sample:x", start="2025-09-07T12:00:00Z", end="2025-09-07T13:00:00Z"))
    assert str(refused.value) == (
        f"the window 2025-09-07T12:00:00Z to 2025-09-07T13:00:00Z lies outside sample:x, which holds {held}"
    )


def test_no_entries(evidence: Evidence) -> None:
    """A recording without an entry still has a window, and relative times count from its end."""
    empty = replace(evidence, frames={})
    assert cut(empty, Parameters(source="sample:x", start="-30m")).scope.start == pd.Timestamp("2025-09-07T10:30:00Z")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"scope": 1}'])
def test_a_summary_that_cannot_be_read(outputs: Path, text: str) -> None:
    """A spoiled summary is said, not guessed at."""
    run = outputs / "staging" / OLD
    (run / "summary.json").write_text(text)
    with pytest.raises(UsageError) as refused:
        run_summary(run)
    assert str(refused.value) == f"run {OLD!r} has no summary.json that can be read: name another run"


def test_a_summary(outputs: Path) -> None:
    """The summary is JSON as it was written."""
    run = outputs / "staging" / OLD
    (run / "summary.json").write_text(json.dumps({"scope": {}, "status": "ok"}))
    assert run_summary(run)["status"] == "ok"

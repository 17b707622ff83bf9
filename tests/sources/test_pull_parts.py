"""A pull's folder that was damaged, filled, or shared: what is missing is said, and the pull's own command mends it."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pandas as pd
import pytest

from incident.evidence import Evidence
from incident.findings import SourceError, UsageError
from incident.scope import Parameters
from incident.sources.calls import Calls, Pace
from incident.sources.gather import gather
from incident.sources.log_pages import Position
from incident.sources.log_queries import LOGS
from incident.sources.pull_parts import PARTS, Plan, Progress, PullFolder
from incident.sources.pull_windows import divided, expected, windows_of
from incident.sources.pulling import pull_to
from incident.sources.volume import Cut, Volume

STDERR = "run.googleapis.com/stderr"
SCOPE = {"project": "my-project", "region": "us-central1", "service": "chat",
         "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"}  # fmt: skip
NOW = pd.Timestamp("2025-09-07T12:00:00Z")


def at(second: float) -> str:
    """A time in the window."""
    return (pd.Timestamp(SCOPE["start"]) + pd.Timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def busy(google: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service with five pages of log, one before and two in each of the two windows."""
    monkeypatch.setattr("incident.sources.pull_windows.PAGES_A_WINDOW", 2)
    google.filters, google.page = True, 20
    google.entries = [make.entry(STDERR, at(36 * n), f"{n:04d}", text_payload=f"line {n}") for n in range(100)]
    return google


@pytest.fixture
def pull(google: Any) -> Callable[..., Plan]:
    """A pull from the stand-in whose retries take milliseconds."""

    def run(folder: Path, **given: str) -> Plan:
        calls = Calls(first_pause=0.001, longest_pause=0.002, pace=Pace(most=10_000))
        parameters = Parameters.read({"source": "cloud", **SCOPE, **given})
        environ = {"INCIDENT_GCP_ENDPOINT": google.address}
        return pull_to(folder, parameters, environ=environ, now=lambda: NOW, calls=calls)

    return run


def read(folder: Path) -> Evidence:
    """The evidence of a pull."""
    return gather({"source": f"pull:{folder}"}, environ={}, outputs=folder)


def pages(google: Any) -> int:
    """How many pages of the log were asked for."""
    return len(google.requests("ListLogEntries"))


ALL = [f"line {n}" for n in range(100)]
LOST = ["0002-000001", "0003-000001", "0003-000002", "0004-000002"]
"""The only part of a closed window, and a first, a middle and a last part of windows that came after it."""


@pytest.mark.parametrize("lost", LOST)
def test_a_part_that_is_missing(busy: Any, pull: Any, tmp_path: Path, lost: str) -> None:
    """A folder that lost a part is not whole: a run says so, and the pull's own command asks for what is missing."""
    folder = tmp_path / "p"
    assert pull(folder).result["gaps"] == []
    (folder / PARTS / f"{lost}.parquet").unlink()
    evidence = read(folder)
    assert len(evidence.logs) < 100
    assert "logs" not in evidence.complete
    [gap] = [gap for gap in evidence.gaps if (gap.frame, gap.kind) == ("logs", "partial")]
    assert gap.reason.endswith(f" are missing: {str(folder)!r} lacks parts that were pulled")
    assert gap.remedy == (
        f"give the pull's command again: incident pull --to {folder} --project my-project --region us-central1 "
        "--service chat --start 2025-09-07T10:00:00Z --end 2025-09-07T11:00:00Z "
        "--what logs,service,revisions,builds,iam"
    )
    busy.asked = []
    assert pull(folder).result["gaps"] == []
    assert 1 <= pages(busy) <= 5
    evidence = read(folder)
    assert list(evidence.logs["text"]) == ALL
    assert "logs" in evidence.complete


@pytest.mark.parametrize("name", [f"{PARTS}/0003-000001.parquet", "service.parquet"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_file_that_is_damaged(busy: Any, pull: Any, tmp_path: Path, name: str, size: int) -> None:
    """A file cut short is no traceback: it is named, and doing what is said mends it."""
    pull(tmp_path / "p")
    file = tmp_path / "p" / name
    os.truncate(file, size)
    with pytest.raises(UsageError) as refused:
        read(tmp_path / "p")
    assert str(refused.value) == (
        f"{str(file)!r} cannot be read (ArrowInvalid): delete it and give the pull's command again, "
        "which asks for what is missing"
    )
    file.unlink()
    assert pull(tmp_path / "p").result["gaps"] == []
    assert list(read(tmp_path / "p").logs["text"]) == ALL


def test_a_plan_without_its_result(busy: Any, pull: Any, tmp_path: Path) -> None:
    """A plan that somebody edited is named too, whatever it lacks."""
    pull(tmp_path / "p")
    file = tmp_path / "p" / "pull.json"
    plan = json.loads(file.read_text())
    del plan["result"]["ready"]
    for held, why in ((plan, "KeyError"), (plan | {"windows": None}, "TypeError"), ([], "TypeError")):
        file.write_text(json.dumps(held))
        with pytest.raises(UsageError) as refused:
            read(tmp_path / "p")
        assert str(refused.value) == f"{str(file)!r} cannot be read ({why}): give --to another folder"


def test_an_unreadable_last_part_is_asked_for_again(busy: Any, pull: Any, tmp_path: Path) -> None:
    """A pull that was ended while the disk failed goes on before its damaged part, and asks for no other twice."""
    busy.faults["ListLogEntries"] = [None] * 4 + [grpc.StatusCode.PERMISSION_DENIED] * 9
    assert pull(tmp_path / "p").result["gaps"]
    busy.faults.clear()
    parts = sorted((tmp_path / "p" / PARTS).iterdir())
    parts[-1].write_bytes(b"")
    busy.asked = []
    assert pull(tmp_path / "p").result["gaps"] == []
    assert list(read(tmp_path / "p").logs["text"]) == ALL
    assert pages(busy) == len(list((tmp_path / "p" / PARTS).iterdir())) - len(parts) + 1


def test_a_full_disk(busy: Any, pull: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room is the other side's: the file is named, and what came before is gone on with."""

    def full(file: int) -> None:
        if pages(busy) >= 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("incident.sources.pull_parts.os.fsync", full)
        with pytest.raises(SourceError) as failed:
            pull(tmp_path / "p")
    assert str(failed.value) == (
        f"{str(tmp_path / 'p' / PARTS / '0002-000001.parquet')!r} cannot be written (No space left on device): "
        "make room; the same command goes on"
    )
    busy.asked = []
    assert pull(tmp_path / "p").result["gaps"] == []
    assert pages(busy) == len(list((tmp_path / "p" / PARTS).iterdir())) - 2, "two were kept"
    assert list(read(tmp_path / "p").logs["text"]) == ALL


def test_one_pull_a_folder(busy: Any, pull: Any, tmp_path: Path) -> None:
    """Two pulls into one folder would write over each other; and no other user may read what they write."""
    with PullFolder(tmp_path / "p").alone():
        with pytest.raises(UsageError) as refused:
            pull(tmp_path / "p")
        assert (tmp_path / "p").stat().st_mode & 0o777 == 0o700
    assert str(refused.value) == (
        f"another pull is writing to {str(tmp_path / 'p')!r}: wait until it ends, or give --to another folder"
    )
    assert pull(tmp_path / "p").result["gaps"] == []
    assert (tmp_path / "p" / PARTS).stat().st_mode & 0o777 == 0o700


def test_an_interruption_is_said_at_once(busy: Any, tmp_path: Path) -> None:
    """A call that hangs cannot be recalled: whoever presses Ctrl-C is told what is waited for, while it is."""
    hangs, goes_on = Event(), Event()

    def hang(request: Any) -> None:
        if pages(busy) >= 4:
            hangs.set()
            goes_on.wait(20)

    busy.on_entries = hang
    command = [sys.executable, "-m", "incident", "pull", *(f"--{name}={value}" for name, value in SCOPE.items())]
    environ = os.environ | {"INCIDENT_GCP_ENDPOINT": busy.address}
    with subprocess.Popen(
        [*command, "--to", tmp_path / "p"], env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        assert hangs.wait(20)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.readline()
        assert not goes_on.is_set()
        goes_on.set()
        assert process.wait(20) == 130
    assert said == "incident: interrupted: waiting for calls that are under way, 30 s at most\n"


@pytest.mark.parametrize(("burst", "most"), [(120, 5), (500, 25)])
def test_a_burst_at_the_start(google: Any, make: Any, pull: Any, tmp_path: Path, burst: int, most: int) -> None:
    """What the first second was full of says little of the hour: no call each for many windows that hold nothing."""
    google.filters, google.page = True, 100
    google.entries = [make.entry(STDERR, at(n / burst), f"b{n}", text_payload="x") for n in range(burst)]
    google.entries += [make.entry(STDERR, at(600 * n + 30), f"e{n}", text_payload="x") for n in range(5)]
    assert pull(tmp_path / "p").result["gaps"] == []
    assert pages(google) <= most
    assert len(read(tmp_path / "p").logs) == burst + 5


def test_an_even_log_is_divided_as_it_is_worth(make: Any) -> None:
    """A page is believed for a few windows, three for more, and no log of a few pages is divided."""
    plan = Plan({}, make.SCOPE, NOW, windows_of(make.SCOPE, False))
    start, whole = make.SCOPE.start, make.SCOPE.end - make.SCOPE.start

    def windows(parts: int, pages: float) -> int:
        last = start + whole * (parts / pages)
        progress = Progress(Position(start, make.SCOPE.end, "t", last=last), parts, 1000 * parts)
        found = divided(plan, 2, progress, 1000)
        return len(found.windows) - len(plan.windows) if found else 0

    assert plan.windows[2].query == LOGS.name
    assert [windows(1, pages) for pages in (2.5, 25, 45, 100)] == [0, 2, 4, 0]
    assert [windows(3, pages) for pages in (2.5, 25, 100, 1000)] == [0, 2, 9, 16]


@pytest.mark.parametrize(("came", "seconds", "total"), [(1, 1e-9, None), (1000, 1, None), (40, 1800, None),
                                                        (1000, 1800, 2000)])  # fmt: skip
def test_too_little_to_estimate(make: Any, came: int, seconds: float, total: int | None) -> None:
    """One entry in a nanosecond is not 3,600,000,000,000 in an hour: how many is not known."""
    at = make.SCOPE.start + pd.Timedelta(seconds=seconds)
    window = (make.SCOPE.start, make.SCOPE.start + pd.Timedelta("1h"))
    cut = Cut(LOGS, window, came, Position(*window, last=at))
    missing = cut.missing(Volume(window))
    assert missing == (None if total is None else total - came)
    plan = Plan({}, make.SCOPE, NOW, windows_of(make.SCOPE, False))
    assert expected(plan, {2: Progress(cut.at, 1, came)}) == total

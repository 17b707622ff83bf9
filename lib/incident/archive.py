"""A run's folder: built aside, sealed by a manifest, moved to its place in one rename; and which runs there are.

Decides whether a folder is a whole run: its manifest is there, and every file that it names, with its size and sha256.
The manifest guards against accident; it cannot tell a change that was made together with the manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import pandas as pd

from incident.evidence import Evidence
from incident.findings import SourceError, UsageError
from incident.http1 import printable
from incident.sources import recorded

SCHEMA = 1
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
BUILDING = ".building-"


@dataclass(frozen=True)
class Run:
    """A whole run as `runs list` shows it; `started` is UTC, `cause` the primary active one, or empty."""

    run_id: str
    incident: str
    service: str
    status: str
    cause: str
    started: pd.Timestamp
    folder: Path


def new_run_id(started: pd.Timestamp, token: Callable[[int], str] = secrets.token_hex) -> str:
    """A run's name: when it started, in UTC, and four hexadecimal digits that tell two of one second apart.

    >>> new_run_id(pd.Timestamp("2025-09-07T10:15:00.5Z"), token=lambda size: "3f2a")
    '20250907T101500Z-3f2a'
    """
    return f"{started.tz_convert('UTC'):%Y%m%dT%H%M%SZ}-{token(2)}"


@dataclass(frozen=True)
class RunFolder:
    """Where a run is built, and the place it is moved to; `incident` is a name that `Parameters` has checked."""

    outputs: Path
    incident: str
    run_id: str

    @property
    def place(self) -> Path:
        """Where the finished run lies."""
        return self.outputs / self.incident / self.run_id

    @property
    def building(self) -> Path:
        """Where it is built: beside its place, so that one rename moves it, under a name no command reads as a run."""
        return self.outputs / self.incident / f"{BUILDING}{self.run_id}-{os.getpid()}"

    def make(self) -> Path:
        """The empty folder that the run is built in, for this user's eyes only."""
        if self.place.exists():
            raise UsageError(f"run {self.run_id} is there already under {str(self.outputs)!r}: run again")
        try:
            self.building.parent.mkdir(parents=True, exist_ok=True)
            self.building.mkdir(mode=0o700)
        except OSError as error:
            raise UsageError(
                f"no run can be kept under {str(self.outputs)!r} ({error.strerror}): give --outputs DIR"
            ) from error
        return self.building

    def discard(self) -> None:
        """Remove what was built, and the folders above it where they hold nothing else."""
        shutil.rmtree(self.building, ignore_errors=True)
        with suppress(OSError):  # not empty, or not there
            self.place.parent.rmdir()
            self.outputs.rmdir()


def seal(folder: Path, about: Mapping[str, Any]) -> None:
    """Close a folder: modes, then the manifest, which is the last file written, then all of it down to the disk."""
    for path in _own(folder):
        path.chmod(0o700 if path.is_dir() else 0o600)
    write_json(folder / MANIFEST, {"schema": SCHEMA, **about, "files": dict(_described(folder))})
    for path in (*_own(folder), folder):
        _sync(path)


def about(
    run: RunFolder, runbook: str, parameters: Mapping[str, str], evidence: Evidence, gaps: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """What a manifest says beside its files: what was asked, with what, by which versions, and what is missing."""
    return {
        "run_id": run.run_id,
        "incident": run.incident,
        "runbook": runbook,
        "parameters": dict(parameters),
        "scope": evidence.scope.as_json(),
        "queries": [asdict(query) for query in evidence.queries],
        "gaps": list(gaps),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of Python, of this package, whose rules they are, and of each package it needs."""
    found = {"python": platform.python_version()}
    for name in ("incident", *(_bare(requirement) for requirement in requires("incident") or ())):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _bare(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def publish(run: RunFolder) -> Path:
    """Move a sealed folder to its place: there is no moment at which half of it can be seen there."""
    os.rename(run.building, run.place)
    _sync(run.place.parent)
    return run.place


def is_whole(folder: Path, contents: bool = True) -> bool:
    """Whether the manifest is there, and every file it names with its size and, unless `contents` is false, sha256."""
    try:
        named = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(_matches(folder / name, told, contents) for name, told in named.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _matches(file: Path, told: Mapping[str, Any], contents: bool) -> bool:
    if file.is_symlink() or not file.is_file() or file.stat().st_size != told["size"]:
        return False
    return not contents or _sha256(file) == told["sha256"]


def read_summary(folder: Path) -> dict[str, Any]:
    """A run's `summary.json`; what is none of this schema is a `SourceError`."""
    file = folder / SUMMARY
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        if summary["schema"] == SCHEMA:
            return dict(summary)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise SourceError(f"run {folder.name!r} has no {SUMMARY} of schema {SCHEMA}: it was changed; name another run")


def list_runs(outputs: Path) -> list[Run]:
    """The whole runs under `outputs`, newest first; judged by the sizes of their files, not by their contents."""
    found = (_run(folder) for folder in recorded.runs(outputs) if is_whole(folder, contents=False))
    return sorted(filter(None, found), key=lambda run: run.started, reverse=True)


def _run(folder: Path) -> Run | None:
    try:
        summary = read_summary(folder)
    except SourceError:  # whole, but of a schema that only another version reads
        return None
    return Run(
        summary["run_id"], summary["incident"], summary["scope"]["service"], summary["status"],
        primary_cause(summary), pd.Timestamp(summary["started"]), folder,
    )  # fmt: skip


def primary_cause(summary: Mapping[str, Any]) -> str:
    """The first active cause of a summary, which lists them in that order; empty where none is active."""
    return next((str(cause["cause"]) for cause in summary["causes"] if cause["active"]), "")


RUN_COLUMNS = {"run": 22, "started UTC": 12, "age": 5, "status": 10, "service": 12, "cause": 19}


def runs_table(runs: Iterable[Run], now: pd.Timestamp) -> str:
    """Runs as text of 80 columns at most, under the name of their incident, the one with the newest run first.

    >>> start = pd.Timestamp("2025-09-07T10:15:00Z")
    >>> run = Run("20250907T101500Z-3f2a", "staging", "chat", "failed", "startup-exception", start, Path())
    >>> print(runs_table([run], start + pd.Timedelta("3h")))
    run                   started UTC age  status    service     cause
    staging
    20250907T101500Z-3f2a 09-07 10:15 3h   failed    chat        startup-exception
    """
    incidents: dict[str, list[Run]] = {}
    for run in runs:
        incidents.setdefault(run.incident, []).append(run)
    if not incidents:
        return "no whole runs: incident run RUNBOOK makes one; --outputs DIR looks elsewhere"
    lines = [_row(RUN_COLUMNS)]
    for name, group in incidents.items():
        lines += [printable(name, 80), *(_run_row(run, now) for run in group)]
    return "\n".join(lines)


def _run_row(run: Run, now: pd.Timestamp) -> str:
    return _row([run.run_id, f"{run.started:%m-%d %H:%M}", age(now - run.started), run.status, run.service, run.cause])


def _row(cells: Iterable[str]) -> str:
    fitted = (printable(cell, width - 1).ljust(width) for cell, width in zip(cells, RUN_COLUMNS.values(), strict=True))
    return "".join(fitted).rstrip()


def age(passed: pd.Timedelta) -> str:
    """A time span in one unit, rounded down: people compare it, they do not compute with it.

    >>> [age(pd.Timedelta(span)) for span in ("40s", "90min", "80h")]
    ['40s', '1h', '3d']
    """
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60)):
        if passed.total_seconds() >= seconds:
            return f"{passed.total_seconds() // seconds:.0f}{unit}"
    return f"{max(passed.total_seconds(), 0):.0f}s"


def write_json(file: Path, value: Any) -> None:
    """Write a JSON document for people and programs: indented, UTF-8, a lone surrogate as its escape."""
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    file.write_bytes(text.encode("utf-8", "backslashreplace"))
    file.chmod(0o600)


def _own(folder: Path) -> list[Path]:
    """What lies in a folder, without links: what one points to is not the run's to change or to vouch for."""
    return sorted(path for path in folder.rglob("*") if not path.is_symlink() and (path.is_dir() or path.is_file()))


def _described(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in _own(folder):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), {"size": file.stat().st_size, "sha256": _sha256(file)}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

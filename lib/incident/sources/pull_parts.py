"""A pull's folder: its plan, and its parts, each of which says where the next one begins.

Decides: what is whole. A part is one page, written aside and renamed, and carries in its own metadata how far its
window has come and the token of the next page; so there is no moment at which a page is there and not known to be, and
none is asked for twice. The plan, `pull.json`, is replaced in one rename too, and last of all says that the pull is
finished. A part that is missing, or cannot be read, is found by what the parts say of themselves: it and those after
it are asked for again. Cannot tell: whether somebody changed a file; `incident runs verify` is for archived runs alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incident.findings import SourceError, UsageError
from incident.http1 import printable
from incident.scope import Scope, rfc3339
from incident.sources.log_pages import LogPage, Position

PLAN = "pull.json"
KEY = "redaction.key"
PARTS = "parts"
ASIDE = ".new"
PART = re.compile(r"(\d{4})-(\d{6})\.parquet")
PROGRESS = b"incident.progress"
SCHEMA = 1
RESULT = frozenset({"gaps", "complete", "queries", "ready", "entries"})
"""What a finished pull says of itself, at least."""

RESOURCES = ("service", "traffic", "revisions", "builds", "iam")
"""The frames that are a file each, and no pages."""

DAMAGE = (pa.ArrowException, OSError, KeyError, TypeError, ValueError)
"""What reading a damaged file fails with."""


@dataclass(frozen=True)
class Window:
    """One window of one query; `closed` where other windows took over what was left of it."""

    query: str
    start: pd.Timestamp
    end: pd.Timestamp
    closed: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a window has come: its parts, their entries, what they cost, and where the next begins; None: the end."""

    next: Position | None
    parts: int = 0
    entries: int = 0
    calls: int = 0
    seconds: float = 0.0

    def after(self, page: LogPage) -> Progress:
        """The progress once a page is kept."""
        return Progress(
            page.next, self.parts + 1, self.entries + len(page.entries), self.calls + page.calls,
            round(self.seconds + page.seconds, 6),
        )  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is pulled: the command's own words, the scope they came to, the windows, and, at the end, the result."""

    given: Mapping[str, str]
    scope: Scope
    pulled: pd.Timestamp
    windows: tuple[Window, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The plan as `pull.json` holds it."""
        windows = [asdict(window) | _times(window) for window in self.windows]
        return {
            "schema": SCHEMA, "given": dict(self.given), "scope": self.scope.as_json(),
            "pulled": rfc3339(self.pulled), "windows": windows, "result": dict(self.result),
        }  # fmt: skip

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Plan:
        """The plan that `as_json` made."""
        windows = [Window(**held | {n: pd.Timestamp(held[n]) for n in ("start", "end")}) for held in saved["windows"]]
        scope, pulled, result = Scope.from_json(saved["scope"]), pd.Timestamp(saved["pulled"]), saved["result"]
        if result and (missing := RESULT - result.keys()):
            raise KeyError(*missing)
        return cls(saved["given"], scope, pulled, tuple(windows), result)


def _times(window: Window | Position) -> dict[str, str]:
    return {"start": rfc3339(window.start), "end": rfc3339(window.end)}


@dataclass(frozen=True)
class PullFolder:
    """The folder of one pull."""

    path: Path

    def plan(self) -> Plan | None:
        """The plan that is there; None in a folder that is not there yet, or is empty. Else a `UsageError`."""
        file = self.path / PLAN
        try:
            return Plan.from_json(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if not self.path.exists() or not any(self.path.iterdir()):
                return None
            raise UsageError(f"{str(self.path)!r} holds other files: give --to a folder of its own") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = type(error).__name__
            raise UsageError(f"{str(file)!r} cannot be read ({why}): give --to another folder") from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder, for this user's eyes only, and hold it; `UsageError` where another pull does."""
        self._make_folder(self.path)
        held = os.open(self.path, os.O_RDONLY)
        try:
            _lock(held, self.path)
            yield
        finally:
            os.close(held)

    def make(self) -> None:
        """Make room for parts, and clear away what is none: what was being written when a pull was ended, what cannot
        be read, and what follows on a part that is missing.
        """
        self._make_folder(self.path)
        self._make_folder(self.path / PARTS)
        left = [*self.path.glob(f"*{ASIDE}"), *self.path.glob(f"{PARTS}/*{ASIDE}")]
        found = (PART.fullmatch(file.name) for file in (self.path / PARTS).iterdir())
        for number in {int(part[1]) for part in found if part}:
            left += [self.path / PARTS / name for name in self.parts(number)[len(self.sound(number)) :]]
        for file in left:
            file.unlink(missing_ok=True)

    def _make_folder(self, path: Path) -> None:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror
            raise UsageError(f"--to {str(self.path)!r} cannot be made ({why}): give another folder") from None

    def save(self, plan: Plan) -> None:
        """Replace the plan."""
        self._replace(PLAN, (json.dumps(plan.as_json(), indent=1) + "\n").encode())

    def key(self, fresh: bytes) -> bytes:
        """The key of the pull's redaction: the one that is there, else `fresh`, which is then kept."""
        file = self.path / KEY
        if not file.exists():
            self._replace(KEY, fresh)
        return file.read_bytes()

    def forget_key(self) -> None:
        """Delete the key, so that nothing can be guessed back from its tags."""
        (self.path / KEY).unlink(missing_ok=True)

    def keep(self, number: int, table: pa.Table, progress: Progress) -> str:
        """Write the part with which window `number` has come to `progress`; its name."""
        saved = asdict(progress)
        if at := progress.next:
            saved["next"] |= _times(at) | {"last": rfc3339(at.last) if at.last is not None else None}
        name = f"{number:04d}-{progress.parts:06d}.parquet"
        self._write(name, table, {PROGRESS: json.dumps(saved).encode()})
        return name

    def rewrite(self, name: str, table: pa.Table) -> None:
        """Replace a part by the same one with other texts in it."""
        held = pq.read_schema(self.path / PARTS / name).metadata or {}
        self._write(name, table, {PROGRESS: held[PROGRESS]})

    def parts(self, number: int) -> list[str]:
        """The names of a window's parts, in their order."""
        found = sorted(file.name for file in (self.path / PARTS).glob(f"{number:04d}-*.parquet"))
        return [name for name in found if PART.fullmatch(name)]

    def sound(self, number: int) -> list[str]:
        """A window's parts up to the first that is missing, cannot be read, or holds other than what it says."""
        sound: list[str] = []
        rows = 0
        for name in self.parts(number):
            try:
                held = pq.read_metadata(self.path / PARTS / name)
                says = json.loads(held.metadata[PROGRESS])
                rows += held.num_rows
                if (says["parts"], says["entries"]) != (len(sound) + 1, rows):
                    break
            except DAMAGE:
                break
            sound.append(name)
        return sound

    def progress(self, number: int, window: Window) -> Progress:
        """How far a window has come, by the last of its parts that are sound."""
        if not (names := self.sound(number)):
            return Progress(Position(window.start, window.end))
        saved = json.loads(pq.read_schema(self.path / PARTS / names[-1]).metadata[PROGRESS])
        if at := saved["next"]:
            times = {name: pd.Timestamp(at[name]) for name in ("start", "end", "last") if at[name]}
            saved["next"] = Position(**at | times)
        return Progress(**saved)

    def tables(self, numbers: Iterable[int], schema: pa.Schema) -> Iterator[tuple[str, pa.Table]]:
        """The parts of some windows, one after the other, each with its name."""
        for number in numbers:
            for name in self.parts(number):
                yield name, self.table(f"{PARTS}/{name}", schema)

    def table(self, name: str, schema: pa.Schema) -> pa.Table:
        """A file of the folder; `UsageError` where it is missing or damaged."""
        file = self.path / name
        try:
            return pq.read_table(file, schema=schema)
        except DAMAGE as error:
            why, first = type(error).__name__, "delete it and " if file.exists() else ""
            raise UsageError(
                f"{printable(str(file), 200)!r} cannot be read ({why}): {first}give the pull's command again, "
                "which asks for what is missing"
            ) from None

    def command(self, plan: Plan) -> str:
        """The command that this pull was made with, but for its limits.

        >>> scope = Scope("p", "r", "chat", "", pd.Timestamp(0, tz="UTC"), pd.Timestamp(1, tz="UTC"))
        >>> PullFolder(Path("my chat")).command(Plan({"service": "chat", "end": ""}, scope, scope.end))
        "incident pull --to 'my chat' --service chat"
        """
        given = [word for name, value in plan.given.items() if value for word in (f"--{name}", value)]
        return printable(shlex.join(["incident", "pull", "--to", str(self.path), *given]), 1000)

    def _write(self, name: str, table: pa.Table, metadata: Mapping[bytes, bytes]) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
        self._replace(f"{PARTS}/{name}", sink.getvalue())

    def write_frame(self, name: str, table: pa.Table) -> None:
        """Write a frame that is no pages."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._replace(f"{name}.parquet", sink.getvalue())

    def _replace(self, name: str, data: Any) -> None:
        """Put a file in its place in one rename, down on the disk, for this user's eyes only."""
        place = self.path / name
        aside = place.with_name(place.name + ASIDE)
        try:
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(place)
        except OSError as error:
            shown = printable(str(place), 200)
            raise SourceError(
                f"{shown!r} cannot be written ({error.strerror}): make room; the same command goes on"
            ) from None


def _lock(held: int, path: Path) -> None:
    """Lock an open folder until it is closed; where the file system has no locks, it is not."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another pull is writing to {printable(str(path), 200)!r}: wait until it ends, or give --to another folder"
        ) from None
    except OSError:
        return


def closed(plan: Plan, number: int, others: Iterable[Window]) -> Plan:
    """The plan in which other windows take over what is left of window `number`."""
    windows = [replace(w, closed=True) if at == number else w for at, w in enumerate(plan.windows)]
    return replace(plan, windows=(*windows, *others))

"""A pull's folder: its plan, and its parts, each of which says where the next one begins.

Decides: what is whole. A part is one page, written aside and renamed, and carries in its own metadata how far its
window has come and the token of the next page; so there is no moment at which a page is there and not known to be, and
none is asked for twice. The plan, `pull.json`, is replaced in one rename too, and last of all says that the pull is
finished. Cannot tell: whether somebody changed a file; `incident runs verify` is for archived runs alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incident.findings import UsageError
from incident.scope import Scope, rfc3339
from incident.sources.log_pages import LogPage, Position

PLAN = "pull.json"
KEY = "redaction.key"
PARTS = "parts"
ASIDE = ".new"
PART = re.compile(r"(\d{4})-(\d{6})\.parquet")
PROGRESS = b"incident.progress"
SCHEMA = 1


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
        scope, pulled = Scope.from_json(saved["scope"]), pd.Timestamp(saved["pulled"])
        return cls(saved["given"], scope, pulled, tuple(windows), saved["result"])


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
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = type(error).__name__
            raise UsageError(f"{str(file)!r} cannot be read ({why}): give --to another folder") from None

    def make(self) -> None:
        """Make the folder, for this user's eyes only, and clear away what was being written when a pull was ended."""
        try:
            (self.path / PARTS).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror
            raise UsageError(f"--to {str(self.path)!r} cannot be made ({why}): give another folder") from None
        for left in [*self.path.glob(f"*{ASIDE}"), *self.path.glob(f"{PARTS}/*{ASIDE}")]:
            left.unlink(missing_ok=True)

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

    def progress(self, number: int, window: Window) -> Progress:
        """How far a window has come, by its last part."""
        if not (names := self.parts(number)):
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
                yield name, pq.read_table(self.path / PARTS / name, schema=schema)

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
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(place)


def closed(plan: Plan, number: int, others: Iterable[Window]) -> Plan:
    """The plan in which other windows take over what is left of window `number`."""
    windows = [replace(w, closed=True) if at == number else w for at, w in enumerate(plan.windows)]
    return replace(plan, windows=(*windows, *others))

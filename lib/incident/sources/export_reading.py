"""One folder of exported files being read for one service: what came, what is missing, what it cost.

Decides: which gap a file leaves that is absent, cut, of another service, or holds values that cannot be read. Reads
the values of `json_files`. Cannot tell: what a value that could not be read would have said; it is counted, and the
first one named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from incident.evidence import Query
from incident.findings import Gap
from incident.http1 import printable
from incident.sources import rest
from incident.sources.export_files import FILES, command, file_of
from incident.sources.export_scope import fits
from incident.sources.file_texts import Unreadable
from incident.sources.json_files import values
from incident.sources.rest import UNREADABLE, Identity

Made = TypeVar("Made")


@dataclass
class Tally:
    """How many values a file has given so far, what was made of them, and which could not be read."""

    number: int = 0
    made: int = 0
    bad: int = 0
    first: str = ""

    def add_bad(self, error: Exception) -> None:
        """Count the value that came last as one that could not be read."""
        self.bad += 1
        self.first = self.first or f"the first is number {self.number}: {rest.why(error)}"


@dataclass
class Reading:
    """One folder being read for one service; `url` is the service's own, once it is known."""

    folder: Path
    where: Identity
    url: str = "URL"
    clock: Callable[[], float] = time.monotonic
    gaps: list[Gap] = field(default_factory=list)
    complete: set[str] = field(default_factory=set)
    queries: list[Query] = field(default_factory=list)

    def read(self, kind: str, make: Callable[[Any], Made | None]) -> Iterator[Made]:
        """What `make` makes of a file's values, None being left out; what is wrong with the file becomes gaps."""
        with self.tally(kind) as (file, tally):
            for value in values(file) if file else ():
                tally.number += 1
                try:
                    thing = make(value)
                except UNREADABLE as error:
                    tally.add_bad(error)
                    continue
                if thing is not None:
                    tally.made += 1
                    yield thing

    @contextmanager
    def tally(self, kind: str) -> Iterator[tuple[Path | None, Tally]]:
        """The file of a kind, None where there is none, and its tally, from which gaps are made when the block ends."""
        file, tally, began = file_of(self.folder, kind), Tally(), self.clock()
        if file is None:
            self._gap(kind, f"the export holds no {kind}.json", "absent")
            yield None, tally
            return
        try:
            yield file, tally
        except Unreadable as error:
            self._gap(kind, f"{file.name} {error}" + (f"; {tally.number} values came before" if tally.number else ""))
        if tally.bad:
            words = f"{tally.bad} of {tally.number} values could not be read, {tally.first}"
            self._gap(kind, f"{file.name}: {words}")
        self._done(kind, file, tally, began)

    def _done(self, kind: str, file: Path, tally: Tally, began: float) -> None:
        if kind == "handshakes" and not tally.made and not self.gaps_on(kind):
            self._gap(kind, f"{file.name} holds no handshake", "empty")
        if tally.number and not tally.made and not self.gaps_on(kind):
            whose = f"service {self.where.service!r} in {self.where.region}, project {self.where.project!r}"
            self._gap(kind, f"{file.name}: none of its {tally.number} values is of {whose}", "empty")
        if not self.gaps_on(kind):
            self.complete |= set(FILES[kind])
        took = round(self.clock() - began, 6)
        self.queries += [Query(frame, file.name, "", "", tally.made, 0, took) for frame in FILES[kind][:1]]

    def gaps_on(self, kind: str) -> bool:
        """Whether anything is missing of what a file holds."""
        return any(gap.frame in FILES[kind] for gap in self.gaps)

    def remedy(self, kind: str) -> str:
        """The line for a shell that writes a file anew."""
        return command(kind, *self.where, self.folder, self.url)

    def _gap(self, kind: str, reason: str, gap_kind: str = "partial") -> None:
        remedy = self.remedy(kind) + (", or give --endpoint URL to probe it now" if kind == "handshakes" else "")
        self.gaps += [Gap(frame, printable(reason, 300), remedy, gap_kind) for frame in FILES[kind]]

    def of_service(self, make: Callable[[Any], Made]) -> Callable[[Any], Made | None]:
        """`make` for values of our service alone; a part that a value does not say is no other's."""

        def made(value: Any) -> Made | None:
            said = rest.identity(value)
            return make(value) if said is not None and fits(said, self.where) else None

        return made

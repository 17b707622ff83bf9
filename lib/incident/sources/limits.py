"""What a run may take of a project's log: so many entries, so many calls; and what is left of it.

Decides: when to stop, and in which words a gap says that. Only calls to Cloud Logging count, those that failed too,
since its read quota is the narrow one. Cannot tell: how much there would have been; `volume` estimates that.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from incident.scope import Parameters

PAGE_SIZE = 1000
"""The most that `entries.list` gives in one call."""


@dataclass(frozen=True)
class Limits:
    """The most log entries, and the most calls to Cloud Logging; None is no limit.

    >>> Limits.of(Parameters(max_entries="5000"))
    Limits(entries=5000, calls=None)
    """

    entries: int | None = None
    calls: int | None = None

    @classmethod
    def of(cls, parameters: Parameters) -> Limits:
        """The limits that parameters set."""
        return cls(*(int(text) if text else None for text in (parameters.max_entries, parameters.max_calls)))

    def __bool__(self) -> bool:
        """Whether there is a limit at all."""
        return self.entries is not None or self.calls is not None


class Spent(Exception):
    """A limit is reached: `option` names it, `given` is its value."""

    def __init__(self, option: str, given: int) -> None:
        super().__init__(f"{option} {given}")
        self.option, self.given = option, given


@dataclass
class Allowance:
    """What is left of the limits; several threads may share one."""

    limits: Limits = field(default_factory=Limits)
    entries: int = 0
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def book(self) -> None:
        """Count one call; `Spent` where none is left."""
        with self._lock:
            if self.limits.calls is not None and self.calls >= self.limits.calls:
                raise Spent("--max-calls", self.limits.calls)
            self.calls += 1

    def page_size(self) -> int:
        """How many entries the next page may have; `Spent` where none is left."""
        most = self.limits.entries
        if most is not None and self.entries >= most:
            raise Spent("--max-entries", most)
        return PAGE_SIZE if most is None else min(PAGE_SIZE, most - self.entries)

    def pages(self) -> float:
        """How many pages the limits allow at most, from the beginning."""
        most = [self.limits.calls, self.limits.entries and self.limits.entries / PAGE_SIZE]
        return min((number for number in most if number is not None), default=math.inf)

    def take(self, entries: int) -> None:
        """Count the entries of a page."""
        with self._lock:
            self.entries += entries

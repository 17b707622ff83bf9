"""How far a pull has come: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from incident.sources.pull_windows import Snapshot

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

BAR = "{desc}: {n_fmt}/{total_fmt} |{bar:20}| {rate_fmt}, left {remaining}{postfix}"


class Progress:
    """Shows entries, calls, the quota and the time left, on `stream`; several threads may tell it."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._lock = stream, clock, threading.Lock()
        self._bar: Any = None
        self._first: tuple[float, int] | None = None
        self._said = clock()

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._bar = tqdm(desc="entries", file=self._stream, bar_format=BAR, leave=False, dynamic_ncols=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def tell(self, now: Snapshot) -> None:
        """Show a snapshot, if it is time."""
        with self._lock:
            self._first = self._first or (self._clock(), now.entries)
            if self._bar is not None:
                self._move(now)
            elif self._clock() - self._said >= EVERY:
                self._said = self._clock()
                print(self.line(now), file=self._stream, flush=True)

    def _move(self, now: Snapshot) -> None:
        if not self._bar.n:
            self._bar.initial = now.entries  # what earlier sittings took says nothing of the rate
        self._bar.n, self._bar.total = now.entries, now.expected
        self._bar.set_postfix_str(f"{now.calls} calls, {now.calls_per_minute} a minute at most")

    def line(self, now: Snapshot) -> str:
        """A snapshot as one line.

        >>> import sys
        >>> from incident.sources.pull_windows import Snapshot
        >>> Progress(sys.stderr).line(Snapshot(3000, 12000, 4, 60))
        '3,000 of about 12,000 entries, 4 calls (60 a minute at most)'
        """
        of = f" of about {now.expected:,}" if now.expected else ""
        left = f", about {seconds:.0f} s left" if (seconds := self._left(now)) is not None else ""
        return f"{now.entries:,}{of} entries, {now.calls} calls ({now.calls_per_minute} a minute at most){left}"

    def _left(self, now: Snapshot) -> float | None:
        """The seconds that the rest takes at the rate of this sitting so far."""
        if self._first is None or now.expected is None or (came := now.entries - self._first[1]) <= 0:
            return None
        return max(0, now.expected - now.entries) * (self._clock() - self._first[0]) / came

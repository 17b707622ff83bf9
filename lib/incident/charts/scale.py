"""Time on a horizontal axis: where a moment lies, and which moments are named."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

TICK_STEPS = pd.to_timedelta(
    ["1ms", "2ms", "5ms", "10ms", "20ms", "50ms", "100ms", "200ms", "500ms", "1s", "2s", "5s", "10s", "15s", "30s",
     "1min", "2min", "5min", "10min", "15min", "30min", "1h", "2h", "3h", "6h", "12h", "1D", "2D", "7D", "28D"]
)  # fmt: skip


@dataclass(frozen=True)
class TimeScale:
    """A span of time laid between two x, in pixels."""

    start: pd.Timestamp
    end: pd.Timestamp
    left: float
    right: float

    def x(self, time: pd.Timestamp) -> float:
        """Where a moment lies; one outside the span lies at its edge."""
        part = float((min(max(time, self.start), self.end) - self.start) / (self.end - self.start))
        return self.left + part * (self.right - self.left)

    def pixels(self, count: float) -> pd.Timedelta:
        """How long so many pixels last."""
        return (self.end - self.start) * (count / (self.right - self.left))

    def ticks(self, apart: float) -> list[tuple[float, pd.Timestamp]]:
        """Round moments at least `apart` pixels from each other."""
        least = self.pixels(apart)
        step = next((step for step in TICK_STEPS if step >= least), TICK_STEPS[-1])
        moments = pd.date_range(self.start.ceil(step), self.end, freq=step)
        return [(self.x(moment), moment) for moment in moments]

    def tick_label(self, moment: pd.Timestamp, apart: float) -> str:
        """A tick in words: with seconds where ticks are closer than a minute, the date where a day or more apart."""
        least = self.pixels(apart)
        if least > pd.Timedelta("12h"):
            return f"{moment:%m-%d}"
        return f"{moment:%H:%M:%S}" if least < pd.Timedelta("30s") else f"{moment:%H:%M}"


def seconds_label(moment: pd.Timestamp, span: pd.Timedelta) -> str:
    """The seconds of a moment, as exactly as the span needs: `:41.24`, below a second `:41.240`."""
    digits = 3 if span < pd.Timedelta("1s") else 2
    return f":{moment:%S.%f}"[: 4 + digits]

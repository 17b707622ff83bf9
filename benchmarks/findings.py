"""From a frame of log entries to findings, beside `factorize` of its text column alone, which is the floor.

    python benchmarks/findings.py [--entries 200000] [--repeat 3]

The entries are those of `pull.py`. Each figure is the median of its rounds in this one process, of processor time;
each part is timed by itself, in the order in which a summary needs them, so that what an earlier part has computed is
not counted again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pandas as pd
from pull import pages

PARTS = ("requests", "incident", "entries", "groups", "sequence", "changes", "checks")
"""The parts of a case, in the order in which each needs those before it."""


def evidence(count: int) -> Any:
    """Evidence whose logs are `count` entries; the other frames are vouched for and empty."""
    from incident.evidence import Evidence
    from incident.frames import FRAMES
    from incident.scope import Scope
    from incident.sources import columns, decode, entries

    batches = [columns.page_batch(decode.Page.FromString(page).entries) for page in pages(count)]
    logs = entries.probes_marked(columns.logs_frame(batches)[0], {})
    start, end = logs["timestamp"].min(), logs["timestamp"].max() + pd.Timedelta("1s")
    scope = Scope("my-project", "us-central1", "chat", "", start, end)
    return Evidence(scope, end + pd.Timedelta("2h"), {"logs": logs}, complete=frozenset(FRAMES)).with_gaps()


def timed(work: Callable[[], object]) -> float:
    """Seconds of the processor that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def one_round(read: Any) -> dict[str, float]:
    """Seconds of each part, and of the floor."""
    from incident.analysis.case import Case
    from incident.causes import CAUSES

    case = Case(read)
    seconds = {"factorize": timed(lambda: pd.factorize(read.logs["text"].astype("object")))}
    seconds |= {part: timed(lambda part=part: getattr(case, part)) for part in PARTS}
    seconds |= {"causes": timed(lambda: [rule.judge(case) for rule in CAUSES])}
    return seconds | {"all": sum(value for name, value in seconds.items() if name != "factorize")}


def main() -> None:
    """Print the medians, and each as a ratio to the floor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    read = evidence(options.entries)
    rounds = [one_round(read) for _ in range(options.repeat)]
    floor = median(seconds["factorize"] for seconds in rounds)
    print(f"{options.entries:,} entries, {read.logs['text'].nunique():,} distinct texts; median of {options.repeat}")
    for name in rounds[0]:
        took = median(seconds[name] for seconds in rounds)
        print(f"  {name:<12}{took:8.3f} s  {took / floor:6.1f} times factorize of the text column")


if __name__ == "__main__":
    main()

"""An exported file of entries to a frame: this package beside `json` and `pandas.json_normalize`, and `json` alone.

    python benchmarks/export.py [--entries 200000] [--repeat 5] [--form array|lines|both]

The file is what gcloud prints of the entries that `benchmarks/pull.py` makes, with some audit entries among them, in a
temporary folder: an array as `--format=json` indents it, or one entry a line. Each reader is a fresh process, in turns;
each figure is the median of its rounds, each ratio the median of the rounds' own ratios. Imports are not counted in
the time; the peak is of the whole process. Redaction is timed apart, on the result.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import pull

DISTINCT = 20_000
"""Entries that are made; a longer file has them again, an hour later each time, under ids of their own."""

AUDIT_EVERY = 500
ENDS = {"array": ("[\n  ", ",\n  ", "\n]\n"), "lines": ("", "\n", "\n")}
"""What stands before, between and after the entries of a file."""

Figures = dict[str, float]


def documents(count: int) -> Iterator[dict[str, Any]]:
    """Entries as REST JSON, oldest first."""
    from incident.drill.gcloud_files import log_entry

    rng = random.Random(pull.SEED)
    made = [whole(log_entry(entry)) for entry in islice(pull.log_entries(rng), min(count, DISTINCT))]
    for number in range(count):
        entry, hours = made[number % len(made)], 10 + number // len(made)
        hour = f"2025-09-{7 + hours // 24:02d}T{hours % 24:02d}"
        times = {name: hour + entry[name][13:] for name in ("timestamp", "receiveTimestamp")}
        own = times | {"insertId": rng.randbytes(8).hex()}
        yield (audit(entry) if number % AUDIT_EVERY == 0 else entry) | own


def whole(value: Any) -> Any:
    """A document with its whole numbers as Google prints them: a Struct's are doubles."""
    if isinstance(value, dict):
        return {name: whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def audit(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry of a deploy, at an entry's place."""
    payload = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "run.googleapis.com",
        "methodName": "google.cloud.run.v1.Services.ReplaceService",
        "resourceName": "namespaces/my-project/services/chat",
        "authenticationInfo": {"principalEmail": "ada@example.com"}, "request": {"service": {"spec": {"template": {}}}},
    }  # fmt: skip
    log = "projects/my-project/logs/cloudaudit.googleapis.com%2Factivity"
    kept = {name: entry[name] for name in ("resource", "labels")}
    return kept | {"logName": log, "severity": "NOTICE", "protoPayload": payload}


def write(file: Path, form: str, count: int) -> None:
    """Write a file as gcloud prints it: sorted names, text as it is, two spaces a level; or one entry a line."""
    before, between, after = ENDS[form]
    with file.open("w", encoding="utf-8") as opened:
        opened.write(before)
        for number, entry in enumerate(documents(count)):
            text = json.dumps(entry, indent=2 if form == "array" else None, sort_keys=True, ensure_ascii=False)
            opened.write((between if number else "") + text.replace("\n", "\n  "))
        opened.write(after)


# The readers: each returns what is timed, and that returns how many entries came, and the frame where there is one.


def loads(file: Path) -> Callable[[], tuple[int, Any]]:
    """`json` alone: the file's values as dictionaries."""
    return lambda: (len(parsed(file)), None)


def normalize(file: Path) -> Callable[[], tuple[int, Any]]:
    """`json` and `pandas.json_normalize`, as a notebook has it."""
    import pandas as pd

    def frame() -> tuple[int, Any]:
        data = pd.json_normalize(parsed(file))
        return len(data), data

    return frame


def parsed(file: Path) -> list[Any]:
    """The entries of a file of either form."""
    with file.open(encoding="utf-8") as opened:
        return [json.loads(line) for line in opened] if file.parent.name == "lines" else json.load(opened)


def ours(file: Path) -> Callable[[], tuple[int, Any]]:
    """The frames `logs` and `audit`: split entries joined, each entry once, our own probes marked."""
    from incident.sources.export_entries import entry_frames
    from incident.sources.export_reading import Reading
    from incident.sources.rest import Identity

    def frames() -> tuple[int, Any]:
        reading = Reading(file.parent, Identity("my-project", "us-central1", "chat"))
        found = entry_frames(reading, {})
        assert not reading.gaps
        return len(found["logs"]) + len(found["audit"]), found["logs"]

    return frames


READERS = {"json": loads, "normalize": normalize, "ours": ours}


def measure(name: str, file: Path) -> Figures:
    """One reader's figures, of this process: seconds, processor seconds, the peak of its memory in MiB."""
    run = READERS[name](file)
    began, began_cpu = time.perf_counter(), time.process_time()
    entries, result = run()
    figures = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - began_cpu,
        "entries": float(entries),
    }
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures | (pull.redaction(result) if name == "ours" else {})


def compare(form: str, count: int, repeat: int) -> None:
    """Measure every reader in turns on a file of one form, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / form / "logs.json"
        file.parent.mkdir()
        write(file, form, count)
        size = file.stat().st_size / 2**20
        rounds = []
        for number in range(repeat):
            rounds.append({name: fresh(name, file) for name in READERS})
            print(f"round {number + 1} of {repeat} done", file=sys.stderr)
    assert all(figures["entries"] == count for each in rounds for figures in each.values())
    print(f"{form}: {count:,} entries, {size:,.0f} MiB, {repeat} rounds, medians\n")
    print(f"{'':14}{'seconds':>10}{'of cpu':>10}{'entries/s':>12}{'peak MiB':>10}")
    for name in READERS:
        took, cpu, peak = (median(each[name][key] for each in rounds) for key in ("seconds", "cpu", "peak"))
        print(f"{name:14}{took:10.2f}{cpu:10.2f}{count / took:12,.0f}{peak:10.0f}")
    print(f"\nnormalize / ours  time {ratio(rounds, 'normalize', 'seconds'):.1f}, ", end="")
    print(f"of cpu {ratio(rounds, 'normalize', 'cpu'):.1f}; ours / normalize  peak memory ", end="")
    print(f"{1 / ratio(rounds, 'normalize', 'peak'):.2f}")
    print(f"ours / json       time {1 / ratio(rounds, 'json', 'seconds'):.2f}")
    beside = median(each["ours"]["redaction_cpu"] / each["ours"]["cpu"] for each in rounds)
    print(f"redaction beside it: {beside:.1f} times the processor time of ours")
    print(f"times with nanoseconds: {median(each['ours']['nanoseconds'] for each in rounds):.1%} of ours\n")


def ratio(rounds: list[dict[str, Figures]], name: str, key: str) -> float:
    """How many times another reader takes of ours, the median of the rounds."""
    return median(each[name][key] / each["ours"][key] for each in rounds)


def fresh(name: str, file: Path) -> Figures:
    """One reader's figures in a process of its own."""
    command = [sys.executable, __file__, "--reader", name, str(file)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def main() -> None:
    """Read the command line: a comparison, or one of the processes that it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--form", choices=[*ENDS, "both"], default="both")
    parser.add_argument("--reader", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.reader:
        print(json.dumps(measure(asked.reader[0], Path(asked.reader[1]))))
        return
    for form in ENDS if asked.form == "both" else (asked.form,):
        compare(form, asked.entries, asked.repeat)


if __name__ == "__main__":
    main()

"""Lines into groups by their constant part: this package beside drain3 with masks.

    python -m venv build/benchmarks && build/benchmarks/bin/pip install -r benchmarks/requirements.txt
    python benchmarks/grouping.py [--lines 200000] [--repeat 3]

Each side is a fresh process, in turns, the peer in its own environment; each figure is the median of its rounds, each
ratio the median of the rounds' own ratios. Both get the same list of texts in memory; making the texts, imports and the
peer's configuration are not timed. Three inputs: every line distinct; one line in a hundred distinct; and every line
distinct after its masks too, where only merging helps.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

SEED = 20250907
PEER = Path(__file__).parents[1] / "build/benchmarks/bin/python"
TARGETS = {"distinct": "at least 1.4", "repeated": "at least 40", "words": "no target"}
REPEATS = 100
SHAPES = (
    "2025-09-07 10:{n:02.0f}:00,123 [{n}] ERROR: worker {n} lost 0x{id}",
    "connection from {ip}:{port} closed after {ms} ms with code 1006",
    "Failed to write message {uuid} to room {room}: timed out after {ms}ms",
    "user {name}{n} joined room {room} on instance {id}{id}{id}",
    "GET /api/v1/rooms/{room}/members?page={n} HTTP/1.1 {status} {ms}ms",
    "psycopg.OperationalError: connection to server at {ip}, port 5432 failed: Connection refused (attempt {n})",
    "cache miss for key session:{uuid} (size={n}, ttl={ms})",
    "Retrying request {id} in {ms} milliseconds, {n} of 10 attempts left",
    "Could not connect to redis-{n}.cache.internal:6379: Name or service not known, host {ip}",
    'msg="slow query" table={name}_{room} rows={n} duration={ms}ms trace={id}{id}{id}{id}',
    "heap usage {n} MiB of 512 MiB, {room} sockets open, event loop lag {ms}ms, checked by {id}",
    "wrote {n} bytes to /var/spool/app/{id}/{room}.tmp in {ms} ms",
)
WORDS = "{left} could not be sent to {right}: the queue is full"
MASKS = (
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)
"""The masks that drain3's own example configures."""


def values(rng: random.Random) -> dict[str, object]:
    """What one line holds."""
    return {
        "n": rng.randrange(1, 60), "ms": rng.randrange(1, 100_000), "port": rng.randrange(1024, 65536),
        "room": rng.randrange(10_000), "id": rng.randbytes(4).hex(), "status": rng.choice((200, 403, 503)),
        "name": rng.choice(("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal")),
        "ip": ".".join(str(rng.randrange(256)) for _ in range(4)),
        "uuid": "-".join(rng.randbytes(length).hex() for length in (4, 2, 2, 2, 6)),
    }  # fmt: skip


def word(rng: random.Random) -> str:
    return "".join(rng.choice("ghijklmnopqrstuvwxyz") for _ in range(8))


def distinct_lines(count: int, words: bool) -> list[str]:
    """So many different lines, the same in every process."""
    rng, lines = random.Random(SEED), dict[str, None]()
    while len(lines) < count:
        if words:
            lines[WORDS.format(left=word(rng), right=word(rng))] = None
        else:
            lines[rng.choice(SHAPES).format(**values(rng))] = None
    return list(lines)


def texts(kind: str, count: int) -> list[str]:
    """The input of that name; repeated lines are shuffled."""
    if kind != "repeated":
        return distinct_lines(count, kind == "words")
    lines = distinct_lines(count // REPEATS, False) * REPEATS
    random.Random(SEED).shuffle(lines)
    return lines


def ours(lines: list[str]) -> dict[str, float]:
    """Seconds from texts to groups, and how many groups."""
    import pandas as pd

    from incident.analysis.lines import constant_parts

    series = pd.Series(lines, dtype="str")
    constant_parts(series[:100])
    began = time.perf_counter()
    groups = constant_parts(series)
    return {"seconds": time.perf_counter() - began, "groups": groups.nunique()}


def drain3(lines: list[str]) -> dict[str, float]:
    """The same, of drain3 with its defaults and its example's masks."""
    from drain3 import TemplateMiner  # type: ignore[import-not-found]
    from drain3.masking import MaskingInstruction  # type: ignore[import-not-found]
    from drain3.template_miner_config import TemplateMinerConfig  # type: ignore[import-not-found]

    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in MASKS]
    miner = TemplateMiner(config=config)
    began = time.perf_counter()
    groups = [miner.add_log_message(line)["cluster_id"] for line in lines]
    return {"seconds": time.perf_counter() - began, "groups": len(set(groups))}


SIDES = {"drain3": drain3, "ours": ours}


def fresh(side: str, kind: str, count: int) -> dict[str, float]:
    """One side's figures in a process of its own."""
    python = str(PEER) if side == "drain3" else sys.executable
    done = subprocess.run([python, __file__, "--side", side, kind, str(count)], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def compare(kind: str, count: int, repeat: int) -> None:
    """Measure both sides in turns, and print their figures and the ratio."""
    rounds = [{side: fresh(side, kind, count) for side in SIDES} for _ in range(repeat)]
    for side in SIDES:
        seconds = median(each[side]["seconds"] for each in rounds)
        print(
            f"{kind:10}{side:10}{seconds:9.3f} s{count / seconds:12,.0f} lines/s{rounds[0][side]['groups']:9,} groups"
        )
    ratio = median(each["drain3"]["seconds"] / each["ours"]["seconds"] for each in rounds)
    print(f"{kind:10}ratio {ratio:.1f} ({TARGETS[kind]})")


def main() -> None:
    """Read the command line: a comparison, or one of the processes that it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        side, kind, count = asked.side
        print(json.dumps(SIDES[side](texts(kind, int(count)))))
        return
    if not PEER.exists():
        parser.error(f"{PEER} is not there: the two commands at the top of this file lay it")
    for kind in TARGETS:
        compare(kind, asked.lines, asked.repeat)


if __name__ == "__main__":
    main()

"""How much memory an instance holds, and what becomes of one that holds too much.

Memory is the resident set of every process of the instance, as Linux tells it, looked at many times a second: an
imitation of Cloud Run's control group, which counts shared pages once and acts at once. On a system that does not tell,
no instance is ever over its limit.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

EVERY = 0.01
"""Seconds between two looks."""

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
QUANTITY = re.compile(r"(?P<number>\d+)(?P<unit>[kMG]?i?)")
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def limit_bytes(quantity: str) -> int:
    """A memory limit in bytes, from Kubernetes' notation.

    >>> limit_bytes("512Mi"), limit_bytes("1G")
    (536870912, 1000000000)
    """
    found = QUANTITY.fullmatch(quantity)
    if not found or found["unit"] not in UNITS:
        raise ValueError(f"memory {quantity!r} is not a quantity: give one such as 512Mi")
    return int(found["number"]) * UNITS[found["unit"]]


def mebibytes(size: int) -> str:
    """A size as the platform writes it.

    >>> mebibytes(536870912)
    '512 MiB'
    """
    return f"{size >> 20} MiB"


async def watch(pid: int, limit: int, exceeded: Callable[[int], Awaitable[None]]) -> None:
    """Call `exceeded` with the bytes held, once, when the processes under `pid` hold more than `limit`."""
    while (held := resident(pid)) <= limit:
        await asyncio.sleep(EVERY)
    await exceeded(held)


def resident(pid: int) -> int:
    """The bytes that a process and all that it started hold; those that are gone hold none."""
    return sum(_own(found) for found in _family(pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(file).split():
            yield from _family(int(child))


def _own(pid: int) -> int:
    """Pages that are its own: what it shares with the process that forked it is counted there."""
    numbers = _read(Path(f"/proc/{pid}/statm")).split()
    return (int(numbers[1]) - int(numbers[2])) * PAGE if len(numbers) > 2 else 0


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""

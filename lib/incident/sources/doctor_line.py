"""A line of `incident doctor`: what was looked at, whether it is there, what for, and the command that mends it.

Decides: the form of a line, and that no look at anything lasts longer than its limit. Reads: nothing itself. Cannot
tell: whether a command mends what it is for; none is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass
from threading import Thread
from typing import Any, Final, Literal, TypeVar

from incident.sources.calls import FAILURES

T = TypeVar("T")
LineStatus = Literal["ok", "missing", "uncertain", "skipped"]

EXPECTED: Final = (*FAILURES, OSError)
"""What a look may fail with and that is not ours; `TimeoutError`, for one that is late, is an `OSError`."""


@dataclass(frozen=True)
class Line:
    """One line: `lets` completes "so that …", `costs` says what its absence costs.

    `status` is ok, missing, uncertain (it could not be looked at) or skipped (nothing to look at was named, or no run
    needs it: `needed` is false then). `command` mends it, or shows it; `advice` is what to do where no command does it.
    """

    name: str
    status: LineStatus
    because: str
    lets: str = ""
    costs: str = ""
    command: str = ""
    advice: str = ""
    needed: bool = True

    def as_json(self) -> dict[str, Any]:
        """The line as `incident doctor --json` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Need:
    """A thing that is looked at, what it is good for, and what its absence costs."""

    name: str
    lets: str
    costs: str
    needed: bool = True

    def line(self, status: LineStatus, because: str, command: str = "", advice: str = "") -> Line:
        """The line that says what was found of it; what nobody needs is never missing."""
        if not self.needed and status != "ok":
            status, because = "skipped", f"{because}; not needed: {self.costs}"
        return Line(self.name, status, because, self.lets, self.costs, command, advice, self.needed)


def begun(call: Callable[[], T]) -> Future[T]:
    """The future result of a call, in a daemon thread: one that never ends does not hold up our end."""
    future: Future[T] = Future()

    def settle() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # handed to who asks for the result
            future.set_exception(error)

    Thread(target=settle, daemon=True).start()
    return future


def together(calls: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | Exception]:
    """Each call's result, or what it failed with; all at the same time, `TimeoutError` for those that are late.

    >>> together({"here": lambda: 1}, seconds=5)
    {'here': 1}
    """
    futures = {name: begun(call) for name, call in calls.items()}
    wait(futures.values(), seconds)
    said: dict[str, T | Exception] = {}
    for name, future in futures.items():
        came = outcome(future, seconds)
        said[name] = came
    return said


def result(future: Future[T], seconds: float) -> T | Exception:
    """The result of a call that was begun, waited for."""
    wait([future], seconds)
    return outcome(future, seconds)


def outcome(future: Future[T], seconds: float) -> T | Exception:
    """The result of a call that had `seconds`, or what it failed with; an error of ours is raised."""
    if not future.done():
        return TimeoutError(f"no answer within {seconds:g} s")
    try:
        return future.result()
    except EXPECTED as error:
        return error

"""Calls of the stand-in that fail because a test, or a scenario, says so.

Decides: which call of a method fails, in which words, and with which ErrorInfo, as Google's answers carry it
(google.rpc.ErrorInfo). Cannot do: an answer that is cut off, or one that never comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc

from incident.drill.permissions import ApiError


@dataclass
class Fault:
    """How a method answers instead: for the next `times` calls or, without, for all; with `every` n-th ones alone."""

    error: ApiError
    times: int | None = None
    every: int = 1
    asked: int = 0

    def is_due(self) -> bool:
        """Whether the call that came now fails."""
        self.asked += 1
        return self.asked % self.every == 0


@dataclass
class Faults:
    """The faults that are set, by method."""

    held: dict[str, Fault] = field(default_factory=dict)

    def fault(
        self, method: str, code: grpc.StatusCode, message: str, times: int | None = None, *,
        every: int = 1, reason: str = "", **said: str,
    ) -> None:  # fmt: skip
        """From now on a method fails, at each `every`-th call; `reason` and `said` are its ErrorInfo's."""
        self.held[method] = Fault(ApiError(code, message, reason, **said), times, every)

    def mend(self, method: str) -> None:
        """Take a fault back."""
        self.held.pop(method, None)

    def check(self, method: str) -> None:
        """Count a call, and fail it if its turn has come."""
        if not (fault := self.held.get(method)) or not fault.is_due():
            return
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.mend(method)
        raise fault.error

"""Pace, patience and limits of calls, with clocks and answers of our own."""

import threading
from typing import Any

import pytest
from google.api_core import exceptions
from google.rpc.error_details_pb2 import ErrorInfo

from incident.sources.calls import Calls, Pace
from incident.sources.limits import Allowance, Limits, Spent


class Clock:
    """Seconds that pass only where somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


def quota(limit: str = "ReadRequestsPerMinutePerProject", value: str = "2", reason: str = "RATE_LIMIT_EXCEEDED") -> Any:
    """A refusal for the quota, as Cloud Logging words it."""
    info = ErrorInfo(
        reason=reason, domain="googleapis.com", metadata={"quota_limit": limit, "quota_limit_value": value}
    )
    return exceptions.ResourceExhausted("Quota exceeded for quota metric 'Read requests'", error_info=info)


def answering(*answers: Any) -> Any:
    """A call that gives these answers, one after the other; the last one for ever."""
    left = list(answers)

    def call(**_: Any) -> Any:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


def calls(clock: Clock, **given: Any) -> Calls:
    """Calls on a clock of our own."""
    return Calls(clock=clock, sleep=clock.sleep, pace=Pace(clock=clock, sleep=clock.sleep), **given)


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (quota(), 2),
        (quota(value="120"), 120),
        (quota(value="many"), 60),
        (quota(value="0"), 1),
        (quota(limit="ReadRequestsPerDay"), 60),
        (quota(reason="SERVICE_DISABLED"), 60),
        (exceptions.ResourceExhausted("no details"), 60),
    ],
)
def test_the_quota_is_read_from_the_error(clock: Clock, error: Any, most: int) -> None:
    """Projects have other quotas than the lowest that was seen; the refusal itself states it."""
    made = calls(clock)
    assert made.make(answering(error, "page"), None, paced=True) == "page"
    assert made.pace.most == most


def test_pacing_to_the_quota_that_was_learned(clock: Clock) -> None:
    """Once two calls a minute are known to be all, the next waits for the minute, and does not fail."""
    made = calls(clock)
    for _ in range(3):
        made.make(answering("page"), None, paced=True)
    made.make(answering(quota(), "page"), None, paced=True)
    began = clock.now
    for _ in range(4):
        made.make(answering("page"), None, paced=True)
    assert clock.now - began >= 60
    assert made.made == 9


def test_another_api_teaches_no_pace(clock: Clock) -> None:
    """The quota of Cloud Run's API says nothing of Cloud Logging's."""
    made = calls(clock)
    made.make(answering(quota(), "service"), None)
    assert made.pace.most == 60


def test_the_budget_outlasts_a_minute(clock: Clock) -> None:
    """A quota a minute that others used up is back after a minute: that long a run holds out, and then stops."""
    made = calls(clock)
    with pytest.raises(exceptions.ResourceExhausted):
        made.make(answering(exceptions.ResourceExhausted("none left")), None)
    assert 60 < sum(clock.pauses) <= 90
    assert clock.pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0]


def test_what_is_not_passing_is_not_tried_again(clock: Clock) -> None:
    """A refusal stays one, however often it is asked for."""
    made = calls(clock)
    with pytest.raises(exceptions.PermissionDenied):
        made.make(answering(exceptions.PermissionDenied("no")), None)
    assert (made.made, clock.pauses) == (1, [])


def test_the_limit_of_calls_counts_failures(clock: Clock) -> None:
    """A call that failed has used the quota all the same."""
    made = calls(clock, allowance=Allowance(Limits(calls=2)))
    with pytest.raises(Spent) as spent:
        made.make(answering(exceptions.ServiceUnavailable("gone")), None, paced=True)
    assert (spent.value.option, spent.value.given, made.made) == ("--max-calls", 2, 2)
    assert made.make(answering("service"), None) == "service", "only Cloud Logging's calls are limited"


def test_threads_share_the_pace() -> None:
    """Four windows read at once are one reader to the quota."""
    pace, waited = Pace(most=3, per=60.0, sleep=lambda seconds: waits.append(seconds) or stop()), []
    waits: list[float] = []

    def stop() -> None:
        raise TimeoutError

    def wait() -> None:
        try:
            pace.wait()
            waited.append(1)
        except TimeoutError:
            pass

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(waited), len(waits)) == (3, 2)

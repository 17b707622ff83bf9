"""Pace, patience and limits of calls, with clocks and answers of our own."""

import threading
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.rpc.error_details_pb2 import ErrorInfo

from incident.sources.calls import LOGIN, Calls, Pace, failure
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


PLUGIN = "Getting metadata from plugin failed with error: "
"""How gRPC begins what it says of credentials that could not be renewed."""


@pytest.mark.parametrize(
    "words",
    [
        "('invalid_grant: Token has been expired or revoked.', {'error': 'invalid_grant'})",
        "('invalid_grant: Invalid grant: account not found', {})",
        "('invalid_client: The OAuth client was not found.', {})",
        "('unauthorized_client: Client is unauthorized to retrieve access tokens', {})",
        "Reauthentication is needed. Please run `gcloud auth application-default login` to reauthenticate.",
    ],
)
def test_a_login_that_is_over(clock: Clock, make: Any, words: str) -> None:
    """It stays over however long one waits: one attempt, and the command that mends it."""
    made, error = calls(clock), exceptions.ServiceUnavailable(PLUGIN + words)
    with pytest.raises(exceptions.ServiceUnavailable):
        made.make(answering(error), None)
    assert (made.made, clock.pauses) == (1, [])
    gap = failure("logs", make.SCOPE, error)
    assert (gap.kind, gap.remedy) == ("refused", LOGIN)


def unreached() -> GoogleAuthError:
    """A renewal that failed since nobody was reached, as google-auth raises it by a metadata server."""
    error = RefreshError("Failed to retrieve a token from the metadata server")
    error.__cause__ = TransportError("no route to host")
    return error


@pytest.mark.parametrize(
    "error",
    [
        TransportError("no route to host"), unreached(), RefreshError("server_error", retryable=True),
        exceptions.ServiceUnavailable(f"{PLUGIN}HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): retries"),
    ],
)  # fmt: skip
def test_a_token_server_that_is_not_reached(make: Any, error: Exception) -> None:
    """Without a network nobody can log in either."""
    gap = failure("logs", make.SCOPE, error)
    assert (gap.kind, gap.remedy) == ("partial", "run again once Google's APIs answer")


SET_QUOTA_PROJECT = "gcloud auth application-default set-quota-project my-project"


@pytest.mark.parametrize(
    ("reason", "said", "because", "remedy"),
    [
        ("SECURITY_POLICY_VIOLATED", {}, "SECURITY_POLICY_VIOLATED, Prohibited. Identifier: x",
         "no grant mends it: ask who administers the organization's service perimeters to let this be read"),
        ("LOCATION_POLICY_VIOLATED", {}, "LOCATION_POLICY_VIOLATED, Prohibited. Identifier: x",
         "no grant mends it: ask who administers the project, with these words"),
        ("USER_PROJECT_DENIED", {}, "its calls may not be counted on the project that the credentials name",
         "gcloud projects add-iam-policy-binding my-project --member=MEMBER "
         "--role=roles/serviceusage.serviceUsageConsumer --condition=None"),
        ("BILLING_DISABLED", {}, "the project that its calls count on has no billing account",
         "gcloud billing projects link my-project --billing-account=ACCOUNT"),
        ("CONSUMER_INVALID", {}, "the project that the credentials count their calls on is not valid",
         SET_QUOTA_PROJECT),
        ("SERVICE_DISABLED", {"consumer": "projects/764086051850"},
         "the login names no project to count its calls on", SET_QUOTA_PROJECT),
    ],
)  # fmt: skip
def test_a_refusal_that_no_grant_mends(make: Any, reason: str, said: dict[str, str], because: str, remedy: str) -> None:
    """A grant would cost somebody's time and change nothing: Google's own reason decides what is advised."""
    info = ErrorInfo(reason=reason, domain="googleapis.com", metadata=said)
    gap = failure("logs", make.SCOPE, exceptions.PermissionDenied("Prohibited. Identifier: x", error_info=info))
    assert (gap.kind, gap.remedy) == ("refused", remedy)
    assert gap.reason == f"reading logs of project 'my-project' was refused (403): {because}"


@pytest.mark.parametrize("reason", [None, "IAM_PERMISSION_DENIED"])
def test_a_refusal_that_a_grant_mends(make: Any, reason: str | None) -> None:
    """A permission that is lacking, as IAM says it, and as older APIs do, with no reason at all."""
    info = ErrorInfo(reason=reason, domain="iam.googleapis.com") if reason else None
    gap = failure("logs", make.SCOPE, exceptions.PermissionDenied("no", error_info=info))
    assert gap.remedy == (
        "grant roles/logging.viewer to MEMBER, which is user:EMAIL or serviceAccount:EMAIL: gcloud projects "
        "add-iam-policy-binding my-project --member=MEMBER --role=roles/logging.viewer --condition=None"
    )


@pytest.mark.parametrize(
    ("frame", "error", "kind", "remedy"),
    [
        ("logs", exceptions.InvalidArgument("Unparseable filter"), "partial",
         "a fault of the query, which trying again does not mend: report it with the filter that the manifest has"),
        ("service", exceptions.InvalidArgument("Malformed name"), "partial",
         "check --project, --region and --service: gcloud run services list --project=my-project"),
        ("logs", exceptions.NotFound("no project"), "absent", "check --project: gcloud projects list"),
        ("builds", exceptions.NotFound("no project"), "absent", "check --project: gcloud projects list"),
        ("revisions", exceptions.NotFound("no service"), "absent",
         "check --project, --region and --service: gcloud run services list --project=my-project"),
    ],
)  # fmt: skip
def test_what_trying_again_does_not_mend(make: Any, frame: str, error: Exception, kind: str, remedy: str) -> None:
    """The remedy is of what failed: a query of ours, a project's name, a service's."""
    gap = failure(frame, make.SCOPE, error)
    assert (gap.kind, gap.remedy) == (kind, remedy)

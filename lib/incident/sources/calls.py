"""How calls to Google are made: paced, retried inside a budget, counted, and turned into gaps when they fail.

Decides what a failed call means: refused (403, 401, no credentials), absent (404) or partial (all else). These stay
apart to the end, since "may not be read" is not "is not there". It cannot tell a service that never was from one
that was deleted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from incident.findings import Gap
from incident.http1 import printable
from incident.scope import Scope

Answer = TypeVar("Answer")

READS_PER_MINUTE = 60
"""The lower of the values seen of Cloud Logging's quota `ReadRequestsPerMinutePerProject`."""

LOGIN = "gcloud auth application-default login"
RETRIED = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
)
"""UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL and RESOURCE_EXHAUSTED; the generated clients do not retry the last."""

FAILURES = (exceptions.GoogleAPIError, GoogleAuthError)
"""Everything that a call of an official client may fail with and that is the other side's."""


@dataclass(frozen=True)
class Access:
    """What reading a frame needs: an API, a permission and the least role that holds it."""

    api: str
    permission: str
    role: str


ACCESS = {
    "logs": Access("logging.googleapis.com", "logging.logEntries.list", "roles/logging.viewer"),
    "audit": Access("logging.googleapis.com", "logging.logEntries.list", "roles/logging.viewer"),
    "service": Access("run.googleapis.com", "run.services.get", "roles/run.viewer"),
    "traffic": Access("run.googleapis.com", "run.services.get", "roles/run.viewer"),
    "revisions": Access("run.googleapis.com", "run.revisions.list", "roles/run.viewer"),
    "iam": Access("run.googleapis.com", "run.services.getIamPolicy", "roles/run.viewer"),
    "builds": Access("cloudbuild.googleapis.com", "cloudbuild.builds.list", "roles/cloudbuild.builds.viewer"),
}


@dataclass
class Pace:
    """At most `most` calls in any `per` seconds: a burst while there is room, then no faster than the quota."""

    most: int = READS_PER_MINUTE
    per: float = 60.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _started: deque[float] = field(default_factory=deque, init=False, repr=False)

    def wait(self) -> None:
        """Return when one more call fits, and book it."""
        if len(self._started) == self.most and (pause := self._started[0] + self.per - self.clock()) > 0:
            self.sleep(pause)
        while len(self._started) >= self.most:
            self._started.popleft()
        self._started.append(self.clock())


@dataclass
class Calls:
    """Makes calls, one budget for all of them: `budget` is how many seconds a run spends on failing calls, in sum.

    `made` counts every attempt, `timeout` limits each one. `first_pause` and `longest_pause` bound the exponential
    backoff between attempts. `pace` holds for Cloud Logging alone, whose read quota is the narrow one.
    """

    budget: float = 60.0
    timeout: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    made: int = 0

    def make(self, call: Callable[..., Answer], request: Any, *, paced: bool = False) -> Answer:
        """The answer to one call; its last error once the budget is spent."""
        began, before = self.clock(), self.made

        def attempt() -> Answer:
            if paced:
                self.pace.wait()
            self.made += 1
            return call(request=request, retry=None, timeout=self.timeout)

        try:
            return self._retry()(attempt)()
        except exceptions.RetryError as error:
            raise (error.cause or error) from error
        finally:
            if self.made > before + 1:
                self.budget -= self.clock() - began

    def _retry(self) -> Retry:
        return Retry(_is_passing, self.first_pause, self.longest_pause, 2.0, timeout=max(self.budget, 0.0))

    def pages(self, call: Callable[..., Any], request: Any, *, paced: bool = False) -> Iterator[Any]:
        """The pages of a list call, each retried by itself; an empty one with a token means "go on"."""
        while True:
            page = next(self.make(call, request, paced=paced).pages)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def _is_passing(error: Exception) -> bool:
    return isinstance(error, RETRIED) and not _is_login(error)


def _is_login(error: Exception) -> bool:
    """Whether the caller must log in again; gRPC wraps a failed refresh of credentials as UNAVAILABLE."""
    expired = "Getting metadata from plugin failed" in str(error) and "eauthenticat" in str(error)
    return expired or isinstance(error, GoogleAuthError | exceptions.Unauthenticated)


def failure(frame: str, scope: Scope, error: Exception, came: str = "") -> Gap:
    """The gap that a failed call leaves on `frame`; `came` says what had come before it failed."""
    access, what = ACCESS[frame], f"reading {_what(frame, scope)}"
    if _is_login(error):
        return Gap(frame, f"{what} needs a login: {_login_words(error)}{came}", LOGIN, "refused")
    if isinstance(error, exceptions.Forbidden):
        disabled = error.reason == "SERVICE_DISABLED"
        lack = f"{access.api} is not enabled" if disabled else f"{access.permission} is needed"
        remedy = _enable(access, scope) if disabled else _grant(access, scope)
        return Gap(frame, f"{what} was refused (403): {lack}{came}", remedy, "refused")
    if isinstance(error, exceptions.NotFound):
        return Gap(frame, f"{what}: it was not found (404){came}", look_for(scope), "absent")
    return Gap(frame, f"{what} failed: {_brief(error)}{came}", "run again once Google's APIs answer", "partial")


def look_for(scope: Scope) -> str:
    """The remedy for a service that is not where it was looked for."""
    return f"check --project, --region and --service: gcloud run services list --project={scope.project}"


def _what(frame: str, scope: Scope) -> str:
    project = f"project {scope.project!r}"
    service = f"service {scope.service!r} in {scope.region}, {project}"
    if frame == "service":
        return service
    return f"{frame} of {service if ACCESS[frame].api == 'run.googleapis.com' else project}"


def _enable(access: Access, scope: Scope) -> str:
    return f"gcloud services enable {access.api} --project={scope.project}"


def _grant(access: Access, scope: Scope) -> str:
    return (
        f"grant {access.role}: gcloud projects add-iam-policy-binding {scope.project} "
        f"--member=user:EMAIL --role={access.role}"
    )


def _login_words(error: Exception) -> str:
    return "there are no credentials" if isinstance(error, DefaultCredentialsError) else "the one there is not valid"


def _brief(error: Exception) -> str:
    words = printable(getattr(error, "message", "") or str(error), 200)
    name = getattr(getattr(error, "grpc_status_code", None), "name", type(error).__name__)
    return f"{name}, {words}"

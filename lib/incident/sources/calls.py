"""How calls to Google are made: paced, retried inside a budget, counted, and turned into gaps when they fail.

Decides what a failed call means: refused (403, 401, no credentials), absent (404) or partial (all else). These stay
apart to the end, since "may not be read" is not "is not there". The pace is the read quota's: the lowest one seen,
until an answer states another. Several threads may use one `Calls`, and then share its pace, budget and limits. It
cannot tell a service that never was from one that was deleted, nor what others take of the project's quota.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from incident.findings import Gap
from incident.http1 import printable
from incident.scope import Scope
from incident.sources.limits import Allowance
from incident.sources.refusals import Remedy, by_policy, grant, is_for_want_of_a_grant, is_login, of_the_api

Answer = TypeVar("Answer")

READS_PER_MINUTE = 60
"""The lower of the values seen of Cloud Logging's quota `ReadRequestsPerMinutePerProject`."""

LOGIN = "gcloud auth application-default login"
MEMBER = "MEMBER"
WHO = "MEMBER, which is user:EMAIL or serviceAccount:EMAIL"
OURS = "a fault of the query, which trying again does not mend: report it with the filter that the manifest has"
RETRIED = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
)
"""UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL and RESOURCE_EXHAUSTED; the generated clients do not retry the last."""

QUOTA_SPENT = "RATE_LIMIT_EXCEEDED"
"""The reason that comes with RESOURCE_EXHAUSTED where a quota a minute is used up."""

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
    sleep: Callable[[float], Any] = time.sleep
    _started: deque[float] = field(default_factory=deque, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def wait(self) -> None:
        """Return when one more call fits, and book it."""
        while (pause := self._book()) > 0:
            self.sleep(pause)

    def _book(self) -> float:
        """Book a call if it fits now; else the seconds until one may fit."""
        with self._lock:
            now = self.clock()
            while self._started and self._started[0] + self.per <= now:
                self._started.popleft()
            if len(self._started) >= self.most:
                return self._started[-self.most] + self.per - now
            self._started.append(now)
            return 0.0

    def learn(self, error: exceptions.GoogleAPICallError) -> None:
        """Take over the limit a minute that a refusal for the quota states (google.rpc.ErrorInfo), if it does.

        Seen: 60 (snarfed/bridgy-fed issue 620) and 120 (DefangLabs/defang issue 1268).
        """
        said = error.metadata or {}
        limit = said.get("quota_limit_value", "")
        if error.reason == QUOTA_SPENT and "PerMinute" in said.get("quota_limit", "") and limit.isdecimal():
            self.most = max(1, int(limit))


@dataclass
class Calls:
    """Makes calls, one budget for all of them: `budget` is how many seconds a run spends on failing calls, in sum.

    `made` counts every attempt, `timeout` limits each one. `first_pause` and `longest_pause` bound the exponential
    backoff between attempts. `pace` and `allowance` hold for Cloud Logging alone, whose read quota is the narrow one.
    The budget is longer than a minute, so that a spent quota has time to come back.
    """

    budget: float = 90.0
    timeout: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] = time.sleep
    allowance: Allowance = field(default_factory=Allowance)
    made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def make(self, call: Callable[..., Answer], request: Any, *, paced: bool = False) -> Answer:
        """The answer to one call; its last error once the budget is spent, `Spent` where no call is allowed."""
        pause = self.first_pause
        while True:
            began = self._begin(paced)
            try:
                return call(request=request, retry=None, timeout=self.timeout)
            except RETRIED as error:
                if paced:
                    self.pace.learn(error)
                if is_login(error) or not self._affords(self.clock() - began + pause):
                    raise
            self.sleep(pause)
            pause = min(2 * pause, self.longest_pause)

    def _begin(self, paced: bool) -> float:
        """Count an attempt that begins now, after what it has to wait for."""
        if paced:
            self.allowance.book()
            self.pace.wait()
        with self._lock:
            self.made += 1
        return self.clock()

    def _affords(self, seconds: float) -> bool:
        """Take what a failed attempt cost from the budget, if there is so much."""
        with self._lock:
            is_enough = seconds <= self.budget
            self.budget -= seconds if is_enough else 0
            return is_enough

    def pages(self, call: Callable[..., Any], request: Any, *, paced: bool = False) -> Iterator[Any]:
        """The pages of a list call, each retried by itself; an empty one with a token means "go on"."""
        while True:
            page = next(self.make(call, request, paced=paced).pages)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def failure(frame: str, scope: Scope, error: Exception, came: str = "") -> Gap:
    """The gap that a failed call leaves on `frame`; `came` says what had come before it failed."""
    what = f"reading {_what(frame, scope)}"
    if is_login(error):
        return Gap(frame, f"{what} needs a login: {_login_words(error)}{came}", LOGIN, "refused")
    if isinstance(error, exceptions.Forbidden):
        refused = _refused(ACCESS[frame], scope, error)
        remedy = refused.command or refused.advice
        return Gap(frame, f"{what} was refused (403): {refused.because}{came}", remedy, "refused")
    if isinstance(error, exceptions.NotFound):
        remedy = look_for(scope) if _is_of_service(frame) else "check --project: gcloud projects list"
        return Gap(frame, f"{what}: it was not found (404){came}", remedy, "absent")
    return Gap(frame, f"{what} failed: {_brief(error)}{came}", _remedy(frame, scope, error), "partial")


def _remedy(frame: str, scope: Scope, error: Exception) -> str:
    """What mends a call that failed: a query that is wrong stays so, and so does a name."""
    if not isinstance(error, exceptions.InvalidArgument):
        return "run again once Google's APIs answer"
    return OURS if frame in ("logs", "audit") else look_for(scope)


def _refused(access: Access, scope: Scope, error: exceptions.Forbidden) -> Remedy:
    """Why a call was refused, and what mends it; whose the credentials are is not known here."""
    if is_for_want_of_a_grant(error):
        command = grant(scope.project, MEMBER, access.role)
        return Remedy(f"{access.permission} is needed", f"grant {access.role} to {WHO}: {command}")
    return of_the_api(error, access.api, scope.project, MEMBER) or by_policy(error)


def look_for(scope: Scope) -> str:
    """The remedy for a service that is not where it was looked for."""
    return f"check --project, --region and --service: gcloud run services list --project={scope.project}"


def _what(frame: str, scope: Scope) -> str:
    project = f"project {scope.project!r}"
    service = f"service {scope.service!r} in {scope.region}, {project}"
    if frame == "service":
        return service
    return f"{frame} of {service if _is_of_service(frame) else project}"


def _is_of_service(frame: str) -> bool:
    """Whether a frame is read of the service, and not of its whole project."""
    return ACCESS[frame].api == "run.googleapis.com"


def _login_words(error: Exception) -> str:
    return "there are no credentials" if isinstance(error, DefaultCredentialsError) else "the one there is not valid"


def _brief(error: Exception) -> str:
    words = printable(getattr(error, "message", "") or str(error), 200)
    name = getattr(getattr(error, "grpc_status_code", None), "name", type(error).__name__)
    return f"{name}, {words}"

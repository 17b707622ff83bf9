"""Queries of a linked dataset by the official BigQuery client: what one will scan, and what it gives.

Decides: how long is waited, what is tried again, and what a failure means. A query is tried again under the id of its
job, so that it is paid for once. Nothing waits without an end. Reads only. Cannot tell: what a query costs in money; a
dry run says bytes, and what a byte costs depends on the project's plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from google.api_core import exceptions

from incident.findings import Gap
from incident.http1 import printable
from incident.scope import Scope
from incident.sources.calls import FAILURES, LOGIN, MEMBER, OURS, WHO
from incident.sources.linked import Linked, in_words
from incident.sources.refusals import grant, is_login, of_the_api, words_of

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

API: Final = "bigquery.googleapis.com"
CALL_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 60.0
QUERY_SECONDS: Final = 300.0

WRONG: Final = (*FAILURES, OSError)
"""All that a query may fail with and that is the other side's: what is not reached, or not done, is an OSError."""

TO_BEGIN: Final = "bigquery.jobs.create"
TOO_MUCH: Final = "bytesBilledLimitExceeded"
DISABLED: Final = re.compile(r"has not been used in project|is disabled")


@dataclass(frozen=True)
class Question:
    """One query with its parameters, asked by one client."""

    client: Client
    sql: str
    parameters: Sequence[Any]

    def scans(self) -> int:
        """How many bytes the query will scan, by a dry run, which costs nothing."""
        job = self._begun(dry_run=True)
        return int(job.total_bytes_processed or 0)

    def rows(self, most_bytes: int) -> list[dict[str, Any]]:
        """The rows; BigQuery refuses the query where it would bill more than so many bytes."""
        job = self._begun(maximum_bytes_billed=most_bytes, job_timeout_ms=int(QUERY_SECONDS * 1000))
        came = job.result(timeout=QUERY_SECONDS, retry=self._retry, job_retry=None)
        return [dict(row.items()) for row in came]

    def _begun(self, **settings: Any) -> Any:
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(query_parameters=list(self.parameters), use_query_cache=False, **settings)
        return self.client.query(
            self.sql, job_config=config, retry=self._retry, job_retry=None, timeout=CALL_SECONDS
        )  # fmt: skip

    @property
    def _retry(self) -> Any:
        from google.cloud.bigquery import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(RETRY_SECONDS)


def parameters_of(scope: Scope, log_names: Sequence[str], traces: Sequence[str]) -> list[Any]:
    """The parameters of `analytics_sql.reduction`; the window at microseconds, so that no entry in it is left out."""
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    window = {"start": scope.start.floor("us"), "end": scope.end.ceil("us")}
    return [
        *(ScalarQueryParameter(name, "TIMESTAMP", _python(time)) for name, time in window.items()),
        ScalarQueryParameter("service", "STRING", scope.service),
        ScalarQueryParameter("region", "STRING", scope.region),
        ArrayQueryParameter("log_names", "STRING", list(log_names)),
        ArrayQueryParameter("traces", "STRING", list(traces)),
    ]


def _python(time: pd.Timestamp) -> Any:
    return time.as_unit("us").to_pydatetime()


def failure(error: Exception, linked: Linked, bound: int) -> Gap:
    """The gap that a failed query leaves on `logs`."""
    what = f"asking {linked.view}"
    if is_login(error):
        return Gap("logs", f"{what} needs a login: there are no credentials that hold", LOGIN, "refused")
    if isinstance(error, exceptions.Forbidden):
        return Gap("logs", *_refused(what, error, linked), "refused")
    if isinstance(error, exceptions.NotFound):
        remedy = f"name the linked dataset of the log bucket: bq ls --project_id={linked.project}; {link(linked)}"
        return Gap("logs", f"{what}: it was not found (404): {_words(error)}", remedy, "absent")
    if isinstance(error, exceptions.BadRequest) and TOO_MUCH in str(error.errors):
        remedy = "give a later --start, or a higher --max-bytes-billed"
        return Gap("logs", f"{what} was refused: it bills more than {in_words(bound)}", remedy, "refused")
    if isinstance(error, exceptions.BadRequest):
        return Gap("logs", f"{what} failed (400): {_words(error)}", OURS, "partial")
    if isinstance(error, TimeoutError):
        remedy = "give a later --start, or run again"
        return Gap("logs", f"{what} was not done after {QUERY_SECONDS:g} s", remedy, "partial")
    return Gap("logs", f"{what} failed: {_words(error)}", "run again once BigQuery answers", "partial")


def link(linked: Linked) -> str:
    """How a log bucket comes to have a linked dataset."""
    return (
        f"gcloud logging links create {linked.dataset} --bucket=BUCKET --location=LOCATION --project={linked.project}"
    )


def _words(error: Any) -> str:
    """BigQuery's own words, without the address and the job's id that the client puts around them."""
    said: Any = next(iter(getattr(error, "errors", None) or ()), None)
    message = said.get("message") if isinstance(said, dict) else ""
    return printable(" ".join(message.split()), 160) if message else words_of(error)


def _refused(what: str, error: exceptions.Forbidden, linked: Linked) -> tuple[str, str]:
    said, project = f"{what} was refused (403)", linked.project
    if found := of_the_api(error, API, project, MEMBER):
        return f"{said}: {found.because}", found.command or found.advice
    if DISABLED.search(str(error)):
        return f"{said}: {API} is not enabled", f"gcloud services enable {API} --project={project}"
    if TO_BEGIN in str(error):
        role, needed = "roles/bigquery.jobUser", TO_BEGIN
    elif "Access Denied" in str(error):
        role, needed = "roles/bigquery.dataViewer", "bigquery.tables.getData"
    else:
        return f"{said}: {_words(error)}", "no grant mends it: ask who administers the project, with these words"
    return f"{said}: {needed} is needed", f"grant {role} to {WHO}: {grant(project, MEMBER, role)}"

"""The exact commands that mend a cause, quoted for a shell: what comes from evidence is text to it and nothing more."""

from __future__ import annotations

import shlex

from incident.analysis.case import Case


def services(case: Case, verb: str, *options: str) -> str:
    """A `gcloud run services` command on the service of a case.

    The values come from a log or a revision, so each is quoted.
    """
    scope = case.evidence.scope
    words = ["gcloud", "run", "services", verb, scope.service, *options]
    return shlex.join([*words, "--region", scope.region, "--project", scope.project])


def probe(case: Case, *options: str) -> str:
    """An `incident probe` command at the endpoint of a case; where none is known, `URL` stands for it."""
    return shlex.join(["incident", "probe", case.evidence.scope.endpoint or "URL", *options])


def read_logs(case: Case, text: str) -> str:
    """The command that shows the log entries of the service that hold some words."""
    scope = case.evidence.scope
    wanted = f'resource.type="cloud_run_revision" resource.labels.service_name="{scope.service}" "{text}"'
    return shlex.join(["gcloud", "logging", "read", wanted, "--project", scope.project, "--limit", "20"])

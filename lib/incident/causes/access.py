"""Who may reach the service at all: the invoker policy, and the ingress setting. Both refuse before any container.

A policy's refusals are in the request log in the platform's own words; those of an ingress setting are in no log, and
only a handshake from outside shows them. Neither can tell who is meant to get in.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pandas as pd

from incident import platform
from incident.analysis.both_sides import both_sides, of_the_endpoint
from incident.analysis.case import Case
from incident.analysis.sides import SEEN
from incident.causes.protocol import names_of, statuses
from incident.causes.remedies import services
from incident.causes.rules import TOGETHER, found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.findings import Finding
from incident.frames import keys

LOGS, SERVICE = ("logs", "revisions"), ("service",)
IAM_TEXTS = (platform.NOT_AUTHENTICATED.name, platform.NOT_AUTHORIZED.name)
INVOKER, EVERYBODY = "roles/run.invoker", ("allUsers", "allAuthenticatedUsers")
OPEN, BALANCED = ("INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_UNSPECIFIED"), "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
UNLOGGED, RUN_APP = 404, ".run.app"
"""What Cloud Run answers to a request that the ingress setting keeps out, without an entry (troubleshooting page)."""


@rule("iam-denied", *LOGS)
def iam_denied(case: Case) -> Finding:
    """Cloud Run itself refuses requests, since their sender may not invoke the service.

    Reads: request entries with the platform's own sentence on authentication or authorisation, and no instance; the
    invoker policy and its changes, to say who closed it.

    Says failed: where one kind of client got that sentence more often than not, by a count that leaves no doubt.

    Ruled out by: whole logs in which no client, or only a few requests of one, got that sentence. A 403 without it is
    the application's.

    Cannot tell: whether a client is meant to be refused; what a token says, which is never logged.

    To mend it: let the callers in (`gcloud run services add-iam-policy-binding`), or send an ID token whose audience is
    the service's URL.
    """
    refused = mostly(case.requests, case.requests["platform_text"].isin(IAM_TEXTS), since=True)
    if refused.empty:
        return not_found("iam-denied", case, LOGS, _is_open(case))
    clients = ", ".join(sorted(set(refused["client"])))
    because = (
        f"requests of {clients} were refused {statuses(refused)} on {numbers(case, names_of(refused))}, in the "
        f"platform's own words and before any container{_closed_by(case, refused, 'iam')}"
    )
    return found(
        "iam-denied", case, because, _let_in(case), shown=refused, failing=refused, introduced_by=None,
        evidence=keys("iam", case.evidence.iam),
    )  # fmt: skip


@rule("ingress-denied", *SERVICE)
def ingress_denied(case: Case) -> Finding:
    """The service's ingress setting keeps requests from the internet out, and nothing of it is in its log.

    Reads: the service's ingress setting and its changes, the live handshakes, and whether the log holds them.

    Says failed: where the setting is not open to all and every check from this side got 404, as Cloud Run answers then,
    and none of them is in the log. Where the setting lets a load balancer in, only at the service's own URL.

    Ruled out by: a setting that is open to all; checks that are in the service's log.

    Cannot tell: whether clients come from inside the network, where the setting lets them in; without a live handshake
    that is all there is to say. A load balancer's own 404, which no log of the service holds either.

    To mend it: `gcloud run services update --ingress all`, or probe from inside the network.
    """
    known = case.evidence.service["ingress"]
    if known.empty:
        return not_found("ingress-denied", case, SERVICE)
    setting = known.iloc[0]
    if setting in OPEN:
        return not_found("ingress-denied", case, SERVICE, f"the service's ingress is {setting}")
    tried = of_the_endpoint(both_sides(case.evidence))
    if (tried["seen"] == SEEN).any():
        words = "the service's log holds the checks from this side, so its ingress lets them in"
        return not_found("ingress-denied", case, SERVICE, words)
    shut = _shut_out(case, tried, setting)
    words = f"the service's ingress is {setting if isinstance(setting, str) else 'not known'}"
    remedy = services(case, "update", "--ingress", "all")
    none = case.requests[:0]
    if shut.empty:
        because = f"{words}, and no handshake from this side shows what it keeps out"
        settle = "incident probe the service's own URL from where its clients are"
        return undecided("ingress-denied", case, because, f"if clients are outside: {remedy}", missing=(settle,))
    because = f"{words}, and checks from this side that got 404: {len(shut)}{_closed_by(case, none, 'ingress')}"
    rows = keys("service", case.evidence.service)
    return found(
        "ingress-denied", case, because, remedy, shown=none, failing=none, handshakes=shut, active=True,
        introduced_by=None, revisions=case.serving, evidence=rows,
    )  # fmt: skip


def _shut_out(case: Case, tried: pd.DataFrame, setting: object) -> pd.DataFrame:
    """The checks that Cloud Run keeps out: all that got an answer got 404, and the log, which was read, has none.

    That it has not settled, or is silent, is no obstacle: a service that is shut out has nothing to log, and an
    application answers some check otherwise.
    """
    answered = tried[tried["http_status"].notna()]
    unread = any(gap.frame == "logs" and gap.kind not in ("silent", "unsettled") for gap in case.evidence.gaps)
    through = setting == BALANCED and not answered["url"].map(lambda url: _is_own(case, url)).all()
    if unread or through or (answered["http_status"] != UNLOGGED).any() or not isinstance(setting, str):
        return tried[:0]
    return answered[answered["status"] == "failed"]


def _is_own(case: Case, url: str) -> bool:
    """Whether a URL's host is one that Cloud Run gave the service, and not a domain or a load balancer in front."""
    host = urlsplit(url).hostname or ""
    return host.endswith(RUN_APP) or host in {urlsplit(own).hostname for own in case.evidence.service["url"].dropna()}


def _is_open(case: Case) -> str:
    """What speaks against a closed policy: who may invoke, where that is everybody."""
    policy = case.evidence.iam
    everybody = policy[(policy["role"] == INVOKER) & policy["member"].isin(EVERYBODY[:1])]
    if everybody.empty:
        return ""
    return "allUsers may invoke the service, and no client was refused in the platform's words more often than not"


def _closed_by(case: Case, refused: pd.DataFrame, kind: str) -> str:
    """Who changed what of that kind last before the refusals began, where the audit log has it."""
    changes = case.outside_changes
    changes = changes[changes["kinds"].map(lambda kinds: kind in kinds).astype("bool")]
    if changes.empty:
        return ""
    before = changes[changes["time"] <= refused["timestamp"].min() + TOGETHER] if len(refused) else changes
    last = changes.iloc[0] if before.empty else before.iloc[-1]
    return f"; {', '.join(last['fields'])} by {last['by']} at {last['time']:%H:%M:%S} UTC"


def _let_in(case: Case) -> str:
    policy = case.evidence.iam
    members = set(policy.loc[policy["role"] == INVOKER, "member"])
    command = services(case, "add-iam-policy-binding", "--member", "allUsers", "--role", INVOKER)
    who = "" if members & set(EVERYBODY) else f" (now: {', '.join(sorted(members)) or 'nobody'})"
    return f"if everybody is meant to get in{who}: {command}; else send an ID token for the service's URL"

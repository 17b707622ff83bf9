"""Who may reach the service at all: the invoker policy, and the ingress setting. Both refuse before any container."""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.places import CLOSED, places
from incident.causes.remedies import services
from incident.causes.rules import TOGETHER, found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.findings import Finding
from incident.frames import keys

IAM_TEXTS = (platform.NOT_AUTHENTICATED.name, platform.NOT_AUTHORIZED.name)
INVOKER, EVERYBODY = "roles/run.invoker", ("allUsers", "allAuthenticatedUsers")
OPEN = ("INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_UNSPECIFIED")


@rule("iam-denied", "logs", "revisions")
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
        return not_found("iam-denied", case, ("logs", "revisions"))
    counts = refused.groupby("http_request_status")["weight"].sum()
    statuses = " and ".join(f"{count} × {status}" for status, count in counts.items())
    clients = ", ".join(sorted(set(refused["client"])))
    because = (
        f"requests of {clients} were refused {statuses} on {numbers(case, refused['revision_name'].dropna())}, in the "
        f"platform's own words and before any container{_closed_by(case, refused, 'iam')}"
    )
    return found(
        "iam-denied", case, because, _let_in(case), shown=refused, failing=refused, introduced_by=None,
        evidence=keys("iam", case.evidence.iam),
    )  # fmt: skip


@rule("ingress-denied", "service", "handshakes")
def ingress_denied(case: Case) -> Finding:
    """The service's ingress setting keeps requests from the internet out, and nothing of it is in its log.

    Reads: the service's ingress setting and its changes, and the live handshakes at the service's own URL.

    Says failed: where the setting is not open to all and a handshake got 404 from this side, as Cloud Run answers then.

    Ruled out by: a setting that is open to all.

    Cannot tell: whether clients come from inside the network, where the setting lets them in; without a live handshake
    that is all there is to say.

    To mend it: `gcloud run services update --ingress all`, or probe from inside the network.
    """
    reads = ("service", "handshakes")
    setting = case.evidence.service["ingress"].dropna()
    if setting.empty or setting.iloc[0] in OPEN:
        closed = setting.empty and not case.evidence.gap("service")
        return not_found("ingress-denied", case, reads[:1] if not closed else reads, _open_words(setting))
    shut = _shut_out(case)
    words = f"the service's ingress is {setting.iloc[0]}"
    remedy = services(case, "update", "--ingress", "all")
    none = case.requests[:0]
    if shut.empty:
        because = f"{words}, and no handshake from this side shows what it keeps out"
        settle = "incident probe the service's own URL from where its clients are"
        return undecided("ingress-denied", case, because, remedy, missing=(settle,))
    because = f"{words}, and checks from this side that got 404: {len(shut)}{_closed_by(case, none, 'ingress')}"
    rows = keys("service", case.evidence.service)
    return found(
        "ingress-denied", case, because, remedy, shown=none, failing=none, handshakes=shut, active=True,
        introduced_by=None, revisions=case.serving, evidence=rows,
    )  # fmt: skip


def _open_words(setting: pd.Series) -> str:
    return f"the service's ingress is {setting.iloc[0]}" if len(setting) else ""


def _shut_out(case: Case) -> pd.DataFrame:
    """The live handshakes that Cloud Run keeps out: 404 at the endpoint, where that is the service's own URL."""
    tried = case.evidence.endpoint_handshakes
    if set(places(case.evidence)["difference"]) - {CLOSED, ""}:
        return tried[:0]
    return tried[(tried["http_status"] == 404) & (tried["status"] == "failed")]


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

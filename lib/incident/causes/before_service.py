"""Faults on the way to the service, which its own log cannot show: a proxy, a certificate, a name.

Read from live handshakes, at the endpoint and at the service's own URL. No revision brought such a fault and every one
that serves suffers it. They cannot tell a fault of this side from one that every client sees, unless the words do.
"""

from __future__ import annotations

import re

import pandas as pd

from incident.analysis.both_sides import both_sides, of_the_endpoint
from incident.analysis.case import Case
from incident.analysis.places import BETWEEN, HEADER, SERVICE, UPGRADE, places
from incident.causes.protocol import AS_PLAIN, answered_plain, statuses
from incident.causes.remedies import probe
from incident.causes.rules import found, not_found, rule, skipped, undecided
from incident.findings import Finding

HANDSHAKES = ("handshakes",)
PASS_ON = "let the proxy in front pass on Upgrade and Connection, and speak HTTP/1.1 to the service"
OF_ANY_SIDE = re.compile(r"expired|not valid for|mismatch|not yet valid", re.IGNORECASE)
"""What OpenSSL says of a certificate that is wrong whoever looks at it; of its authority this side may be mistaken."""
NEEDS_UPGRADE = 426
"""Upgrade Required (RFC 9110 section 15.5.22): whoever says so got a request without the upgrade."""


@rule("proxy-strips-upgrade", "handshakes", "logs")
def proxy_strips_upgrade(case: Case) -> Finding:
    """Something in front of the service drops the Upgrade header, so that the service gets a plain request.

    Reads: live handshakes at the endpoint and at the service's own URL, and the log entries that they left.

    Says failed: where the service's own URL accepts a handshake that the endpoint does not, plain requests get the same
    answer at both, and the endpoint's answer is one that servers give to a plain request; or where it is 426, which
    says that no upgrade came.

    Ruled out by: an endpoint that accepts, or that answers as the service's own URL does.

    Cannot tell: which of several proxies it is; without a handshake at the service's own URL, whether it is the
    clients.

    To mend it: let the proxy pass on `Upgrade` and `Connection`, and speak HTTP/1.1 to the service.
    """
    compared = places(case.evidence)
    own = compared[compared["place"] == SERVICE]
    tried = of_the_endpoint(both_sides(case.evidence))
    shut = _answered_plain_where(tried, own[own["difference"] == UPGRADE])
    named = _answered_plain_where(tried, own[own["difference"].isin([HEADER, BETWEEN])])
    shut = shut if len(shut) else named[named["http_status"] == NEEDS_UPGRADE]
    if len(shut):
        return _stripped(case, tried, shut)
    if len(named):
        answers = _answers(named)
        because = f"the service's own URL accepts what the endpoint answers with {answers}; what is lost is not known"
        return undecided("proxy-strips-upgrade", case, because, PASS_ON, missing=(probe(case, "--matrix", "e2e"),))
    plain = answered_plain(case, (NEEDS_UPGRADE,))
    still = plain[plain["timestamp"] > case.opened["timestamp"].max()] if len(case.opened) else plain
    accepts = (tried["verdict"] == "accepted").any()
    if still.empty or accepts:
        words = "the endpoint accepts a handshake" if accepts else ""
        return not_found("proxy-strips-upgrade", case, ("handshakes", "logs"), words)
    because = f"{statuses(still)} to handshakes: the service got them without Upgrade, from a proxy or from the clients"
    settle = "incident probe the service's own URL, past what is in front of it"
    return undecided("proxy-strips-upgrade", case, because, PASS_ON, shown=still, missing=(settle,))


def _stripped(case: Case, tried: pd.DataFrame, shut: pd.DataFrame) -> Finding:
    shut = tried[tried["http_status"].isin(shut["http_status"]) & (tried["status"] == "failed")]
    because = (
        f"the service's own URL accepts what the endpoint answers with {_answers(shut)}: the upgrade is lost between"
    )
    failing = answered_plain(case, AS_PLAIN)
    failing = failing[failing["http_request_status"].isin(shut["http_status"])]
    return found(
        "proxy-strips-upgrade", case, because, PASS_ON, shown=failing, failing=failing, handshakes=shut, active=True,
        revisions=case.serving, introduced_by=None,
    )  # fmt: skip


def _answered_plain_where(tried: pd.DataFrame, differing: pd.DataFrame) -> pd.DataFrame:
    """The endpoint's answers to some checks, where they are such as servers give to a plain request."""
    return tried[tried["name"].isin(differing["name"]) & tried["http_status"].isin(AS_PLAIN)]


def _answers(rows: pd.DataFrame) -> str:
    return ", ".join(map(str, sorted(set(rows["http_status"]))))


@rule("tls-invalid", *HANDSHAKES)
def tls_invalid(case: Case) -> Finding:
    """The endpoint's certificate is not valid for its name, or has expired; no client gets as far as a request.

    Reads: live handshakes that stopped at TLS, and why.

    Says failed: where the certificate has expired or is for another name, which every client sees alike.

    Ruled out by: live handshakes that got past TLS.

    Cannot tell: an authority that only this side does not trust, or an interception on this side, from one that nobody
    trusts: that is `uncertain`.

    To mend it: renew the certificate, or name the host in it; for a Google-managed one, see whether its domain's
    records still point to the service.
    """
    tried = case.evidence.endpoint_handshakes
    stopped = _stopped_at(tried, "tls")
    plain = len(tried) and tried["url"].str.match(r"(?:ws|http):").all()
    if plain and not case.evidence.gap("handshakes"):
        return skipped("tls-invalid", "the endpoint is spoken to without TLS")
    if stopped.empty:
        past = "the live handshakes were not stopped by TLS" if len(tried) else ""
        return not_found("tls-invalid", case, HANDSHAKES, past)
    words = str(stopped["because"].iloc[0])[:200]
    if not stopped["because"].astype("str").str.contains(OF_ANY_SIDE).any():
        settle = "the same handshake from another network, or with the authority's certificate in SSL_CERT_FILE"
        because = f"{words}; it may be that only this side does not trust it"
        return undecided("tls-invalid", case, because, settle)
    remedy = "renew the certificate, or name the host in it"
    return _before("tls-invalid", case, f"checks that stopped at TLS: {len(stopped)}; {words}", remedy, stopped)


@rule("dns-failure", *HANDSHAKES)
def dns_failure(case: Case) -> Finding:
    """The endpoint's name is not found, so that no client gets as far as a connection.

    Reads: live handshakes that stopped at the name, and whether a control name was found from here.

    Says failed: where the name was not found and a control name was, so that this side's own resolver works.

    Ruled out by: live handshakes that got past the name.

    Cannot tell: a name that only this side does not find; a change of it that has not reached everybody.

    To mend it: mend the domain's records; for a mapped domain compare them with `gcloud beta run domain-mappings
    describe`.
    """
    tried = case.evidence.endpoint_handshakes
    stopped = _stopped_at(tried, "resolve")
    if stopped.empty:
        past = "the live handshakes found the endpoint's name" if len(tried) else ""
        return not_found("dns-failure", case, HANDSHAKES, past)
    words = str(stopped["because"].iloc[0])[:200]
    if not (stopped["status"] == "failed").any():
        return undecided("dns-failure", case, words, "the same handshake from another network")
    remedy = "mend the domain's records"
    return _before("dns-failure", case, f"checks that stopped at the name: {len(stopped)}; {words}", remedy, stopped)


def _stopped_at(tried: pd.DataFrame, stage: str) -> pd.DataFrame:
    """The checks that got no further than a stage before the request."""
    return tried[(tried["stage"] == stage).fillna(False) & tried["http_status"].isna() & tried["status"].ne("skipped")]


def _before(name: str, case: Case, because: str, remedy: str, stopped: pd.DataFrame) -> Finding:
    """A fault before the service, seen by the probe now; every revision that serves suffers it and none brought it."""
    none = case.requests[:0]
    return found(
        name, case, because, remedy, shown=none, failing=none, handshakes=stopped, active=True, revisions=case.serving,
        introduced_by=None,
    )  # fmt: skip

"""Faults on the way to the service, which its own log cannot show: a proxy, a certificate, a name."""

from __future__ import annotations

import pandas as pd

from incident.analysis.both_sides import both_sides, of_the_endpoint
from incident.analysis.case import Case
from incident.analysis.places import HEADER, SERVICE, UPGRADE, places
from incident.causes.protocol import AS_PLAIN, answered_plain, statuses
from incident.causes.rules import found, not_found, rule, skipped, undecided
from incident.findings import Finding

HANDSHAKES = ("handshakes",)
NEEDS_UPGRADE = 426
"""Upgrade Required (RFC 9110 section 15.5.22): whoever says so got a request without the upgrade."""


@rule("proxy-strips-upgrade", "handshakes", "logs")
def proxy_strips_upgrade(case: Case) -> Finding:
    """Something in front of the service drops the Upgrade header, so that the service gets a plain request.

    Reads: live handshakes at the endpoint and at the service's own URL, and the log entries that they left.

    Says failed: where the service's own URL accepts a handshake that the endpoint does not, plain requests get the same
    answer at both, and the endpoint's answer is one that servers give to a plain request.

    Ruled out by: an endpoint that accepts, or that answers as the service's own URL does.

    Cannot tell: which of several proxies it is; without a handshake at the service's own URL, whether it is the
    clients.

    To mend it: let the proxy pass on `Upgrade` and `Connection`, and speak HTTP/1.1 to the service.
    """
    compared = places(case.evidence)
    own = compared[(compared["place"] == SERVICE) & compared["difference"].isin([UPGRADE, HEADER])]
    tried = of_the_endpoint(both_sides(case.evidence))
    shut = tried[tried["name"].isin(own["name"]) & tried["http_status"].isin(AS_PLAIN)]
    remedy = "let the proxy in front pass on Upgrade and Connection, and speak HTTP/1.1 to the service"
    if len(shut):
        shut = tried[tried["http_status"].isin(shut["http_status"]) & (tried["status"] == "failed")]
        answers = ", ".join(map(str, sorted(set(shut["http_status"]))))
        because = f"the service's own URL accepts what the endpoint answers with {answers}: the upgrade is lost between"
        failing = answered_plain(case, AS_PLAIN)
        failing = failing[failing["http_request_status"].isin(shut["http_status"])]
        return found(
            "proxy-strips-upgrade", case, because, remedy, shown=failing, failing=failing, handshakes=shut, active=True,
            revisions=case.serving, introduced_by=None,
        )  # fmt: skip
    plain = answered_plain(case, (NEEDS_UPGRADE,))
    still = plain[plain["timestamp"] > case.opened["timestamp"].max()] if len(case.opened) else plain
    if still.empty or (tried["verdict"] == "accepted").any():
        return not_found("proxy-strips-upgrade", case, ("handshakes", "logs"))
    because = f"{statuses(still)} to handshakes: the service got them without Upgrade, from a proxy or from the clients"
    settle = "incident probe the service's own URL, past what is in front of it"
    return undecided("proxy-strips-upgrade", case, because, remedy, shown=still, missing=(settle,))


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
    stopped = tried[(tried["stage"] == "tls") & (tried["verdict"] == "unreachable")]
    if tried.empty:
        return not_found("tls-invalid", case, HANDSHAKES)
    if stopped.empty:
        past = "the live handshakes were not stopped by TLS"
        plain = tried["url"].astype("str").str.match(r"(?:ws|http):").all()
        return (
            skipped("tls-invalid", "the endpoint is spoken to without TLS")
            if plain
            else not_found("tls-invalid", case, HANDSHAKES, past)
        )
    words = str(stopped["because"].iloc[0])[:200]
    remedy = "renew the certificate, or name the host in it"
    if (
        not stopped["because"]
        .astype("str")
        .str.contains("expired|not valid for|mismatch|not yet valid", case=False)
        .any()
    ):
        settle = "the same handshake from another network, or with --ca-file and the authority's certificate"
        because = f"{words}; it may be that only this side does not trust it"
        return undecided("tls-invalid", case, because, remedy, missing=(settle,))
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
    stopped = tried[(tried["stage"] == "resolve") & (tried["verdict"] == "unreachable")]
    if stopped.empty:
        past = "the live handshakes found the endpoint's name" if len(tried) else ""
        return not_found("dns-failure", case, HANDSHAKES, past)
    words = str(stopped["because"].iloc[0])[:200]
    remedy = "mend the domain's records"
    if not (stopped["status"] == "failed").any():
        settle = "the same handshake from another network"
        return undecided("dns-failure", case, words, remedy, missing=(settle,))
    return _before("dns-failure", case, f"checks that stopped at the name: {len(stopped)}; {words}", remedy, stopped)


def _before(name: str, case: Case, because: str, remedy: str, stopped: pd.DataFrame) -> Finding:
    """A fault before the service, seen by the probe now; every revision that serves suffers it and none brought it."""
    none = case.requests[:0]
    return found(
        name, case, because, remedy, shown=none, failing=none, handshakes=stopped, active=True, revisions=case.serving,
        introduced_by=None,
    )  # fmt: skip

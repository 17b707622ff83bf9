"""ID tokens: for which audience one is fetched, where it may go, and which checks carry it.

Decides: the audience of a URL, from the service's own URLs and custom audiences; that no token leaves for any other
origin, over plain text, or to whoever answers without a trusted certificate. Reads: the Admin API, where the URL alone
does not say whose it is, and the credentials that google-auth finds. Cannot tell: whether the service takes the token.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from incident.findings import UsageError
from incident.http1 import printable
from incident.sources.checks import Check
from incident.sources.endpoint import Surroundings
from incident.sources.target import Target, parse_address, parse_target

RUN_APP: Final = re.compile(r"([a-z0-9-]+\.)+run\.app")
TAG: Final = re.compile(r"^[a-z0-9-]+?---")
TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
CARRIERS: Final = ("Authorization", "X-Serverless-Authorization")
"""Headers in which Cloud Run looks for a token; the second leaves the first to the application (its documentation,
"Service-to-service authentication")."""

REQUEST_S: Final = 5.0
SERVICE_OPTIONS: Final = "give --project, --region and --service, so that its URLs and custom audiences can be read"
GCLOUD: Final = '--header "Authorization: Bearer $(gcloud auth print-identity-token)"'
NOTHING_FOUND: Final = (
    "no ID token: google-auth found no service account's key in GOOGLE_APPLICATION_CREDENTIALS and no metadata server; "
    f"it makes none of gcloud's user credentials: give {GCLOUD}"
)


@dataclass(frozen=True)
class IdToken:
    """A value of `Authorization`, and the one origin that it may go to. Its value is never shown."""

    value: str = field(repr=False)
    origin: str


def carrying(check: Check, target: Target, token: IdToken) -> Check:
    """The check with a token in the first of Cloud Run's two headers that it does not write itself.

    Raises `UsageError` where the target is of another origin, or the check writes both headers.
    """
    if origin_of(target) != token.origin:
        raise UsageError(f"{origin_of(target)} is not {token.origin}, and the ID token goes nowhere else")
    written = {name.lower() for name in check.headers}
    free = [name for name in CARRIERS if name.lower() not in written]
    if not free:
        raise UsageError(f"check {check.name!r} writes {' and '.join(CARRIERS)}: leave one to the ID token")
    return replace(check, headers={**check.headers, free[0]: token.value})


def origin_of(target: Target) -> str:
    """The origin of a target, as a page there has it (RFC 6454 6.2).

    >>> origin_of(parse_target("wss://Chat.example:443/ws"))
    'https://chat.example'
    """
    return f"http{'s' if target.secure else ''}://{target.host_header}"


def obtain(
    url: str,
    here: Surroundings,
    asked: str = "",
    service: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> IdToken | str:
    """A token for a URL, or why there is none. `asked` is the audience to use, where the service has several.

    `service` holds `project`, `region` and `service`; without it, nobody is asked, and the host has to be of run.app.
    Raises `UsageError` for a URL that may not get one, before anything is fetched.
    """
    target = parse_target(url)
    check_way(target, here)
    if not service:
        return fetch(audience_for(url, asked=asked), origin_of(target))
    known = service_audiences(service, environ or {})
    if isinstance(known, str):
        return f"no ID token: {known}"
    return fetch(audience_for(url, *known, asked=asked), origin_of(target))


def for_endpoint(
    endpoint: str, service_urls: Sequence[str], custom_audiences: Sequence[str], here: Surroundings
) -> IdToken | str:
    """A token for an endpoint of a service whose URLs and audiences are known, or why it gets none."""
    target = parse_target(endpoint)
    try:
        check_way(target, here)
        return fetch(audience_for(endpoint, service_urls, custom_audiences), origin_of(target))
    except UsageError as error:
        return f"no ID token: {error}"


def check_way(target: Target, here: Surroundings) -> None:
    """Refuse a way on which others could read the token: plain text beyond this machine, or an unchecked certificate.

    With `--connect-to` over TLS the certificate still has to be that of the URL's host.
    """
    if here.insecure:
        raise UsageError("--insecure and a token exclude each other: whoever answers would get the token")
    if host := plain_text_host(target, here):
        raise UsageError(f"a token is not sent to {host} over plain text: give a wss:// or an https:// URL")


def plain_text_host(target: Target, here: Surroundings) -> str:
    """The host beyond this machine to which plain text would go; an empty text where none would.

    >>> plain_text_host(parse_target("ws://chat.example/ws"), Surroundings())
    'chat.example'
    """
    host = parse_address(here.connect_to)[0] if here.connect_to else target.host
    return "" if target.secure or is_loopback(host) else host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def audience_for(
    url: str, service_urls: Sequence[str] | None = None, custom_audiences: Sequence[str] = (), asked: str = ""
) -> str:
    """The audience of a token for a URL, which Cloud Run takes: the service's URL, or a custom audience.

    A tag's URL has the audience of the service's own (whether it takes its own as well is not documented). Without
    `service_urls` only a host of run.app is known to be one of Cloud Run, and its own origin is the audience: a token
    for it is of no use anywhere else. Raises `UsageError` for any other origin, and for an audience that is not listed.

    >>> audience_for("wss://canary---chat-7gq2x-uc.a.run.app/ws")
    'https://chat-7gq2x-uc.a.run.app'
    >>> audience_for("https://chat.example.com", ["https://chat-7gq2x-uc.a.run.app"], ["https://chat.example.com/"])
    'https://chat.example.com/'
    """
    host = parse_target(url).host_header
    untagged = TAG.sub("", host)
    if service_urls is None:
        if not RUN_APP.fullmatch(untagged):
            raise UsageError(f"{host} is not known to be the service's: {SERVICE_OPTIONS}")
        if asked not in ("", f"https://{untagged}"):
            raise UsageError(f"audience {asked!r} is not known to be the service's: {SERVICE_OPTIONS}")
        return f"https://{untagged}"
    listed = [*service_urls, *custom_audiences]
    own = [each for wanted in (host, untagged) for each in listed if host_in(each) == wanted]
    if not own:
        raise UsageError(f"an ID token is not sent to {host}: the service has only {', '.join(listed)}")
    if asked and asked not in listed:
        raise UsageError(f"audience {asked!r} is not one of the service: use one of {', '.join(listed)}")
    return asked or own[0]


def host_in(audience: str) -> str | None:
    """The host of an audience that is a URL, with its port; any other text has none, and allows no place."""
    try:
        return parse_target(audience).host_header
    except UsageError:
        return None


def service_audiences(service: Mapping[str, str], environ: Mapping[str, str]) -> tuple[list[str], list[str]] | str:
    """The URLs and the custom audiences of a Cloud Run service, or why they could not be read, with the remedy."""
    import pandas as pd  # this and the official clients take seconds to import
    from google.cloud.run_v2 import GetServiceRequest

    from incident.scope import Parameters, scope
    from incident.sources.calls import FAILURES, Calls, failure
    from incident.sources.clients import Clients

    read = Parameters.read({**service, "source": "cloud"})
    read.needed("project", "region", "service")
    name = f"projects/{read.project}/locations/{read.region}/services/{read.service}"
    clients = Clients.of(environ)
    try:
        found = Calls(budget=10, timeout=10).make(clients.services.get_service, GetServiceRequest(name=name))
    except FAILURES as error:
        gap = failure("service", scope(read, pd.Timestamp(datetime.now(UTC))), error)
        return f"{gap.reason}; {gap.remedy}"
    finally:
        clients.close()
    return list(found.urls or [found.uri]), list(found.custom_audiences)


def fetch(audience: str, origin: str) -> IdToken | str:
    """A token by google-auth, or why there is none, which names the way by gcloud.

    google-auth asks, in this order: the service account (or its impersonation) whose file
    `GOOGLE_APPLICATION_CREDENTIALS` names, then the metadata server (https://google.aip.dev/auth/4110). Neither is
    asked by a proxy of the environment: a metadata server speaks plain text. Where no metadata server answers, that
    takes about ten seconds.
    """
    from google.auth import exceptions
    from google.oauth2 import id_token

    try:
        value = id_token.fetch_id_token(direct_request(), audience)  # type: ignore[no-untyped-call]
    except exceptions.DefaultCredentialsError as error:
        return NOTHING_FOUND if "metadata" in str(error) else f"no ID token: {said(error)}"
    except (exceptions.GoogleAuthError, ValueError, OSError) as error:
        return f"no ID token for {audience}: {said(error)}; give {GCLOUD}"
    if not TOKEN.fullmatch(value or ""):
        return f"no ID token for {audience}: what came is none; give {GCLOUD}"
    return IdToken(f"Bearer {value}", origin)


def direct_request() -> Callable[..., Any]:
    """How google-auth sends a request: with no proxy and no netrc of the environment, and a limit of its own."""
    from google.auth.transport.requests import Request

    request = Request()
    request.session.trust_env = False

    def send(url: str, *, timeout: float | None = None, **options: Any) -> Any:
        return request(url, timeout=min(timeout or REQUEST_S, REQUEST_S), **options)

    return send


def said(error: Exception) -> str:
    """What an error of google-auth says, in a line; it may quote an answer, so words as long as a token are masked."""
    first = error.args[0] if error.args else ""
    text = first if isinstance(first, str) else type(first).__name__
    line = re.sub(r"\S{40,}", "***", text.split("\n", 1)[0])
    return printable(line, 160).rstrip(". ") or type(error).__name__

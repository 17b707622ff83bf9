"""Which credentials the official clients would use: their kind, whose they are, and whether they still hold.

Decides: from what google-auth finds (https://google.aip.dev/auth/4110: a file that `GOOGLE_APPLICATION_CREDENTIALS`
names, gcloud's own, the metadata server), and from one renewal of their token. Cannot tell: what they may do; whose
they are, where the file does not say. No token is shown or kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.auth.exceptions import GoogleAuthError, MalformedError

from incident.sources.calls import LOGIN
from incident.sources.clients import ENDPOINT, Clients
from incident.sources.doctor_line import Line, Need, begun, result
from incident.sources.id_tokens import said
from incident.sources.refusals import is_login

FILE_S: Final = 15.0
"""google-auth asks gcloud for its project beside a login's file, and gcloud takes seconds to start."""

SERVER_S: Final = 3.0
"""A metadata server answers at once, where there is one."""

KINDS: Final = {
    "google.oauth2.credentials.Credentials": "user credentials of gcloud",
    "google.oauth2.service_account.Credentials": "a service account's key",
    "google.auth.impersonated_credentials.Credentials": "an impersonated service account",
    "google.auth.compute_engine.credentials.Credentials": "the metadata server's service account",
}
NEED: Final = Need(
    "credentials",
    "Google's APIs can be asked",
    "nothing of a project can be read; the endpoint can be probed, and recorded sources can be read",
)
RENEWAL_S: Final = 5.0
FILE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
WHERE: Final = f"{FILE}, gcloud's application default login and the metadata server"


@dataclass(frozen=True)
class Caller:
    """Who would ask: `member` as a grant names it, with `EMAIL` where the credentials do not say whose they are."""

    line: Line
    there: bool
    member: str = "user:EMAIL"


def caller(clients: Clients, environ: Mapping[str, str]) -> Caller:
    """The credentials, looked for and renewed once."""
    if clients.endpoint:
        words = f"none are needed: {ENDPOINT} is {clients.endpoint}, a stand-in"
        return Caller(NEED.line("ok", words), there=True)
    file = has_file(environ)
    found = result(begun(lambda: _found(clients)), FILE_S if file else SERVER_S)
    if isinstance(found, Exception):
        return Caller(_not_found(found, file), there=False)
    renewed = result(begun(lambda: _renew(found)), RENEWAL_S)
    return Caller(_line(found, renewed), not is_login(renewed), member(found))


def _found(clients: Clients) -> Any:
    """The credentials; google-auth raises whatever comes of a file that has another form than it should."""
    try:
        return clients.credentials
    except GoogleAuthError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError("it has no form that google-auth knows") from error  # type: ignore[no-untyped-call]


def has_file(environ: Mapping[str, str]) -> bool:
    """Whether a file of credentials is named, or is where a login of gcloud leaves it."""
    config = environ.get("CLOUDSDK_CONFIG") or Path(environ.get("HOME", "~")).expanduser() / ".config" / "gcloud"
    return bool(environ.get(FILE)) or Path(config, "application_default_credentials.json").exists()


def _not_found(error: Exception, file: bool) -> Line:
    """No credentials, or a file of them that cannot be read."""
    if not file:
        return NEED.line("missing", f"there are none: {WHERE} were asked", LOGIN)
    if isinstance(error, TimeoutError):
        return NEED.line("uncertain", f"a file of them is there, and google-auth gave {error}", advice="run this again")
    return NEED.line("missing", f"a file of them is there, and cannot be read: {said(error)}", LOGIN)


def _line(found: Any, renewed: Any) -> Line:
    """What the credentials are, and whether their token could be renewed."""
    words = description(found)
    if is_login(renewed):
        return NEED.line("missing", f"{words}, expired or revoked: {said(renewed)}", _renewal(found))
    if isinstance(renewed, Exception):
        because = f"{words}; whether they still hold is not known: nobody was reached who renews them"
        return NEED.line("uncertain", because, advice="mend the network first")
    return NEED.line("ok", words)


def _renewal(found: Any) -> str:
    """The command that brings new credentials: a login where a person's are used."""
    return LOGIN if member(found).startswith("user:") else ""


def _renew(found: Any) -> None:
    from google.auth.transport.requests import Request

    found.refresh(Request())


def description(found: Any) -> str:
    """The kind of some credentials, and the account where it is known.

    >>> from google.auth.credentials import AnonymousCredentials
    >>> description(AnonymousCredentials())
    'AnonymousCredentials'
    """
    kind = type(found)
    words = KINDS.get(f"{kind.__module__}.{kind.__name__}", kind.__name__)
    email = account(found)
    return f"{words}, {email}" if email else words


def account(found: Any) -> str:
    """The account of some credentials, or an empty text; a metadata server says it once it was asked for a token."""
    email = getattr(found, "service_account_email", None) or getattr(found, "account", None) or ""
    return "" if email == "default" else str(email)


def member(found: Any) -> str:
    """The account as `--member` of a grant has it; EMAIL where the credentials do not say it."""
    kind = "serviceAccount" if hasattr(found, "service_account_email") else "user"
    return f"{kind}:{account(found) or 'EMAIL'}"

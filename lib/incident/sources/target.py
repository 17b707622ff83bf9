"""Where a check goes: a URL taken apart, and how it may be shown.

Decides: host, port, TLS and request target of a URL, and refuses what cannot be probed. Reads: text only. Cannot tell:
whether the name resolves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

from incident.findings import UsageError

DEFAULT_PORTS: Final = {"ws": 80, "http": 80, "wss": 443, "https": 443}
SAFE: Final = "/%:@!$&'()*+,;=~-._?"
SHORTEST_VALUE: Final = 16  # of a query's part without a name: a shorter one is a flag, which may be shown


@dataclass(frozen=True)
class Target:
    """One URL: what to connect to, what to ask for, and the form to show (no values of its query)."""

    secure: bool
    host: str
    port: int
    path: str
    shown: str

    @property
    def host_header(self) -> str:
        """The Host header: the port only where it is not the scheme's own (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def query_values(self) -> list[tuple[str, str]]:
        """The names and values of its query, as they are sent and as they are meant."""
        sent = [value_of(part) for part in self.path.partition("?")[2].split("&")]
        return [*sent, *((unquote_plus(name), unquote_plus(value)) for name, value in sent)]


def parse_target(url: str, path: str = "", kind: str = "websocket") -> Target:
    """Take a ws, wss, http or https URL apart; `path` is added to the URL's own, for a check of a matrix.

    >>> parse_target("https://echo-7gq2x.a.run.app", "/ws?token=t").shown
    'wss://echo-7gq2x.a.run.app/ws?token=***'
    """
    refuse_half_characters("path", path)
    parts, port = split(url)
    if path and parts.query:
        raise UsageError("url has a query, and the paths of a matrix are added to it: give the URL up to its path")
    secure = parts.scheme in ("wss", "https")
    scheme = ("http" if kind == "http" else "ws") + ("s" if secure else "")
    base = parts.path.rstrip("/") if path else parts.path or "/"
    asked = quote(base + path + (f"?{parts.query}" if parts.query else ""), safe=SAFE)
    host = ascii_name(str(parts.hostname))
    target = Target(secure, host, port or DEFAULT_PORTS[parts.scheme], asked, "")
    return Target(secure, host, target.port, asked, f"{scheme}://{target.host_header}{hide_values(asked)}")


def refuse_half_characters(name: str, text: str) -> None:
    """Raise `UsageError` for a text that has no bytes, as a surrogate alone has none in UTF-8 (RFC 3629 3)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} has half of a character (a lone surrogate): write it whole, in UTF-8") from None


def split(url: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL that can be probed, and its port; no message shows more than the scheme and the host."""
    if not url.isprintable() or " " in url:
        raise UsageError("url has a space or a control character: write it percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError("url has a host or a port that cannot be read: give wss://HOST[:PORT]/PATH") from None
    if port == 0:
        raise UsageError("url has port 0, at which nothing can listen: give 1 to 65535, or leave it out")
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise UsageError(f"url scheme is {parts.scheme!r}: give wss://, ws://, https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise UsageError("url has a user or a password before its host: leave it out, and give a header Authorization")
    if parts.fragment:
        raise UsageError("url has a fragment (#…), which a WebSocket URL may not have (RFC 6455 3): leave it out")
    return parts, port


def ascii_name(host: str) -> str:
    """A host as it is asked for: a name of other letters in its ASCII form (RFC 5891).

    >>> ascii_name("bücher.example")
    'xn--bcher-kva.example'
    """
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise UsageError(f"url host {host[:60]!r} cannot be written in ASCII: give its xn-- form") from None


def hide_values(path: str) -> str:
    """A request target whose query keeps its names alone; a long part without a name is a value.

    >>> hide_values("/ws?token=abc&v=2&flag"), hide_values("/ws?eyJhbGciOiJub25lIn0.e30.")
    ('/ws?token=***&v=***&flag', '/ws?***')
    """
    path, mark, query = path.partition("?")
    return path + mark + "&".join(map(hide_value, query.split("&")))


def value_of(part: str) -> tuple[str, str]:
    """The name and the value of one part of a query; a long part that has no `=`, or only base64's last, is a value."""
    name, _, value = part.partition("=")
    return ("", part) if len(name) >= SHORTEST_VALUE and not value.strip("=") else (name, value)


def hide_value(part: str) -> str:
    """One part of a query without its value.

    >>> hide_value("dG9rZW4gMDEyMzQ1Njc4OQ=="), hide_value("flag"), hide_value("flag=")
    ('***', 'flag', 'flag=***')
    """
    name, value = value_of(part)
    return f"{name}=***" if name and "=" in part else "***" if value else part


def parse_address(text: str, name: str = "connect-to") -> tuple[str, int]:
    """HOST:PORT, an IPv6 address in brackets.

    >>> parse_address("[::1]:8080")
    ('::1', 8080)
    """
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", text, re.ASCII)
    if not match or not 0 < int(match[3]) < 65536:
        raise UsageError(f"{name} is {text!r}: give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return match[1] or match[2], int(match[3])


def proxies(environ: Mapping[str, str], target: Target) -> str:
    """A sentence on the proxies that the environment names for a target, and the probe passes by; empty where none is.

    Only the variables' names are in it: a proxy's URL may hold a password. A host in NO_PROXY (the whole name or its
    end, with a port or without, or `*`) has no proxy that could be missed.

    >>> target = parse_target("wss://echo-7gq2x.a.run.app/ws")
    >>> proxies({"HTTPS_PROXY": "http://user:secret@proxy:3128", "http_proxy": "http://other"}, target)
    'HTTPS_PROXY is set and was not used: the probe connects directly'
    >>> proxies({"HTTPS_PROXY": "http://proxy:3128", "no_proxy": ".run.app"}, target)
    ''
    """
    schemes = ("WSS_PROXY", "HTTPS_PROXY") if target.secure else ("WS_PROXY", "HTTP_PROXY")
    known = [name for upper in (*schemes, "ALL_PROXY") for name in (upper, upper.lower())]
    found = [name for name in known if environ.get(name)]
    excepted = ",".join(environ.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    if not found or any(matches(target, entry.strip().lower()) for entry in excepted.split(",")):
        return ""
    verbs = "is set and was" if len(found) == 1 else "are set and were"
    return f"{' and '.join(found)} {verbs} not used: the probe connects directly"


def matches(target: Target, entry: str) -> bool:
    """Whether an entry of NO_PROXY names a target."""
    name = entry.removesuffix(f":{target.port}").strip("[]").removeprefix("*.").removeprefix(".")
    return entry == "*" or (bool(name) and f".{target.host}".endswith(f".{name}"))

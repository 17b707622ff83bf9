"""Who may open a socket: a user whose token is known."""

from urllib.parse import parse_qs, urlsplit

TOKENS = {"u7f3a9c21e5": "ada", "u1b8d40f6c2": "grace"}


def may_open(request, settings):
    """True for a handshake that carries a known user's token."""
    query = parse_qs(urlsplit(request.path).query)
    return query.get("token", [""])[0] in TOKENS

"""Who may open a socket: a user whose token is known, and an end-to-end test that says so in a header."""

from urllib.parse import parse_qs, urlsplit

TOKENS = {"u7f3a9c21e5": "ada", "u1b8d40f6c2": "grace"}
E2E_HEADERS = {"X-Test-Type": "e2e", "X-E2E-Test": "true"}


def simulation_enabled(settings):
    """End-to-end tests may enter only where all three variables are set."""
    return all((settings.e2e_test_env, settings.e2e_oauth_simulation_key, settings.staging_e2e_test))


def is_e2e(request, settings):
    wanted = E2E_HEADERS.items()
    return simulation_enabled(settings) and any(request.headers.get(name, "").lower() == value for name, value in wanted)


def may_open(request, settings):
    """True for a handshake that carries a known user's token, or a test's header where tests may enter."""
    query = parse_qs(urlsplit(request.path).query)
    return query.get("token", [""])[0] in TOKENS or is_e2e(request, settings)

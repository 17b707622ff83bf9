"""Where else the service can be reached, which checks go there, and what never does."""

import socket
import time
from dataclasses import replace

import pytest

from incident.sources.checks import Check
from incident.sources.endpoint import HERE, Surroundings
from incident.sources.matrices import Matrix, load_matrix
from incident.sources.places import Place, TagUrl, carries_credential, places, probe_places, probed, selection

OWN = ["https://chat-x.a.run.app", "https://chat-1.us-central1.run.app"]
PATHS = {"websocket_path": "/ws", "health_path": "/health"}
E2E = load_matrix("e2e")


def tag(number: int, url: str = "") -> TagUrl:
    """A tag of a revision of its own."""
    return TagUrl(f"t{number}", f"chat-{number}", url or f"https://t{number}---chat-x.a.run.app")


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("https://chat.example.com", [Place("service", OWN[0])]),
        ("wss://chat.example.com/base/", [Place("service", f"{OWN[0]}/base")]),
        ("https://chat-x.a.run.app:443/", []),
        (OWN[1], []),
        ("http://chat-x.a.run.app", [Place("service", OWN[0])]),
    ],
)
def test_the_services_own_url(endpoint: str, found: list[Place]) -> None:
    """Only what connects to something else is another place; a service has several URLs of its own."""
    assert places(endpoint, OWN, []) == (found, [])


def test_a_service_that_says_no_url() -> None:
    """Refused by the Admin API, or a URL that nobody could probe: the endpoint alone is left."""
    assert places("https://chat.example.com", [], [tag(1, "javascript:alert(1)")]) == ([], [])
    assert places("https://chat.example.com", ["", "ftp://x", "https://x?a=b"], []) == ([], [])


def test_tags() -> None:
    """A revision is probed once, the endpoint not again, and of many tags the rest is said."""
    same = TagUrl("again", "chat-1", "https://again---chat-x.a.run.app")
    found, notes = places(OWN[0], OWN, [tag(1), same, tag(2, OWN[0])])
    assert ([place.name for place in found], notes) == (["tag:t1"], [])
    found, notes = places(OWN[0], OWN, [tag(number) for number in range(11)])
    assert len(found) == 8
    assert notes == ["the URLs of 8 tags were probed, 3 more were not"]


def test_a_short_selection() -> None:
    """Health, one refusal, the first acceptance: enough to tell who answers, in seconds."""
    assert [check.name for check in selection(E2E, PATHS)] == ["health", "no-header-refused", "x-test-type"]
    slow = Matrix("m", (Check("a", path="/ws", hold=600.0), Check("b", path="/ws", expect="4401")))
    assert [(check.name, check.hold) for check in selection(slow, PATHS)] == [("a", 1.0)]


def test_an_intrusive_matrix_stays_at_the_endpoint() -> None:
    """It was asked for by name, for one address."""
    assert selection(replace(E2E, intrusive=True), PATHS) == ()


@pytest.mark.parametrize(
    ("check", "paths", "is_one"),
    [
        (Check(headers={"X-Test-Type": "e2e"}), PATHS, False),
        (Check(path="{websocket_path}?room=7"), PATHS, False),
        (Check(headers={"authorization": "x"}), PATHS, True),
        (Check(headers={"X-Serverless-Authorization": "x"}), PATHS, True),
        (Check(headers={"Cookie": "a=b"}), PATHS, True),
        (Check(headers={"X-Api-Key": "k"}), PATHS, True),
        (Check(path="/ws?token=t"), PATHS, True),
        (Check(path="{websocket_path}"), PATHS | {"websocket_path": "/ws?token=t"}, True),
        (Check(path="{other_case}"), PATHS | {"websocket_path": "/ws?token=t"}, True),
        (Check(subprotocols=("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl")), PATHS, True),
    ],
)
def test_credentials_stay_at_the_endpoint(check: Check, paths: dict[str, str], is_one: bool) -> None:
    """A header that opens one origin is not shown to another, whoever says that they are the same service."""
    assert carries_credential(check, paths) is is_one


def test_a_check_that_needs_an_id_token_stays_too() -> None:
    """Without its token it would say nothing."""
    matrix = replace(E2E, id_token={"x-test-type": True})
    assert [check.name for check in selection(matrix, PATHS)] == ["health", "no-header-refused", "x-e2e-test"]


def test_places_that_take_long() -> None:
    """People wait for the cause meanwhile, so after some seconds no other place is begun, and that is said."""
    ticks = iter([0.0, 9.9])
    here = replace(HERE, clock=lambda: next(ticks, 10.0))
    found = [Place(f"tag:t{number}", "http://127.0.0.1:9") for number in range(3)]
    rows, notes = probe_places(found, E2E, PATHS, here)
    assert [row["place"] for row in rows] == ["tag:t0"]
    assert notes == ["not probed, since other places had taken 10 s: tag:t1, tag:t2"]


def test_a_dead_place_costs_one_check() -> None:
    """Nobody waits three times for an address that answers nothing."""
    here = Surroundings(control=None, limits=replace(HERE.limits, status=0.2, total=0.3))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.perf_counter()
        rows = probed(Place("tag:t1", f"http://127.0.0.1:{silent.getsockname()[1]}"), E2E, PATHS, here)
    assert [(row["name"], row["place"], row["http_status"]) for row in rows] == [("health", "tag:t1", None)]
    assert time.perf_counter() - began < 2


def test_the_address_of_the_endpoint_is_not_the_places() -> None:
    """Connecting to a certain address was asked for the endpoint; another place has its own."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.1)
        here = replace(HERE, control=None, connect_to=f"127.0.0.1:{other.getsockname()[1]}")
        rows, _ = probe_places([Place("service", "http://127.0.0.1:9")], E2E, PATHS, here)
        assert rows[0]["stage"] == "connect"
        with pytest.raises(TimeoutError):
            other.accept()

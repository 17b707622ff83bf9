"""The same check at two places: what differs, and what that shows."""

from typing import Any

import pytest

from incident.analysis.places import COLUMNS, places

URLS = {"endpoint": "wss://chat.example.com/ws", "service": "wss://chat-x.a.run.app/ws"}
ACCEPTED = {"verdict": "accepted", "http_status": 101, "status": "ok"}
TRAFFIC = [
    {"revision_name": "chat-00139-rap", "percent": 100},
    {"revision_name": "chat-00140-vix", "percent": 0, "tag": "canary", "url": "https://canary---chat-x.a.run.app"},
]


def refused(status: int) -> dict[str, Any]:
    """A refusal that was not expected."""
    return {"verdict": "refused", "http_status": status, "status": "failed"}


def http(status: int) -> dict[str, Any]:
    """A plain request's answer."""
    return {"kind": "http", "http_status": status, "status": "ok" if status == 200 else "failed"}


NO_ANSWER = {"verdict": "unreachable", "stage": "tls", "status": "failed"}


def row(place: str, name: str, seen: dict[str, Any]) -> dict[str, Any]:
    """A handshake at a place."""
    url = URLS.get(place, "wss://canary---chat-x.a.run.app/ws")
    return {"probe_id": f"{place}{name}", "name": name, "kind": "websocket", "place": place, "url": url} | seen


def compared(evidence: Any, *rows: tuple[str, str, dict[str, Any]], ingress: str = "INGRESS_TRAFFIC_ALL") -> Any:
    """The frame of some handshakes."""
    service = [{"service_name": "chat", "ingress": ingress}]
    frames = {"handshakes": [row(*given) for given in rows], "traffic": TRAFFIC, "service": service}
    return places(evidence({"frames": frames}))


@pytest.mark.parametrize(
    ("at_endpoint", "at_service", "difference"),
    [
        (refused(426), ACCEPTED, "upgrade"),
        ({"verdict": "broken", "rule": "upgrade", "http_status": 101, "status": "failed"}, ACCEPTED, "upgrade"),
        (refused(403), ACCEPTED, "header"),
        (refused(403), refused(403), "same"),
        (refused(502), refused(503), "between"),
        (ACCEPTED, refused(404), "elsewhere"),
        (ACCEPTED, ACCEPTED | {"close_code": 4401, "status": "failed"}, "elsewhere"),
        (NO_ANSWER, ACCEPTED, "front"),
        (ACCEPTED, NO_ANSWER, "no answer"),
    ],
)  # fmt: skip
def test_the_services_own_url(
    evidence: Any, at_endpoint: dict[str, Any], at_service: dict[str, Any], difference: str
) -> None:
    """What the service accepts at its own URL and not at another is lost on the way; how, the other checks tell."""
    found = compared(
        evidence, ("endpoint", "health", http(200)), ("endpoint", "x", at_endpoint), ("service", "health", http(200)),
        ("service", "none", refused(403) | {"status": "ok"}), ("endpoint", "none", refused(403) | {"status": "ok"}),
        ("service", "x", at_service),
    )  # fmt: skip
    assert list(found["name"]) == ["health", "none", "x"]
    assert list(found["difference"]) == ["same", "same", difference]
    assert found["than_url"][2] == "https://chat.example.com"


def test_something_that_fails_for_plain_requests_too(evidence: Any) -> None:
    """Where health fails as well, it is not the upgrade."""
    rows = [("endpoint", "health", http(502)), ("endpoint", "x", refused(502))]
    found = compared(evidence, *rows, ("service", "health", http(200)), ("service", "x", ACCEPTED))
    assert list(found["difference"]) == ["between", "between"]


def test_a_service_that_only_the_load_balancer_may_reach(evidence: Any) -> None:
    """Its own URL is closed as it is meant to be, and no fault."""
    rows = [("endpoint", "x", ACCEPTED), ("service", "x", refused(404))]
    assert list(compared(evidence, *rows, ingress="INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER")["difference"]) == ["closed"]


@pytest.mark.parametrize(
    ("at_endpoint", "at_tag", "difference"),
    [
        (refused(403), ACCEPTED, "mends"),
        (ACCEPTED, refused(503), "breaks"),
        (refused(403), refused(503), "differs"),
        (ACCEPTED, ACCEPTED, "same"),
        (ACCEPTED, NO_ANSWER, "no answer"),
    ],
)  # fmt: skip
def test_a_tag(evidence: Any, at_endpoint: dict[str, Any], at_tag: dict[str, Any], difference: str) -> None:
    """A tag reaches one revision without any traffic: what moving traffic to it would do is known before."""
    found = compared(evidence, ("endpoint", "x", at_endpoint), ("tag:canary", "x", at_tag)).iloc[0]
    assert (found["difference"], found["than_place"]) == (difference, "endpoint")
    assert (found["revision_name"], found["than_revision_name"]) == ("chat-00140-vix", "chat-00139-rap")


def test_a_tag_beside_a_load_balancer(evidence: Any) -> None:
    """Compared with the service's own URL, so that what stands before the endpoint is not taken for the revision."""
    rows = [("endpoint", "x", refused(426)), ("service", "x", ACCEPTED), ("tag:canary", "x", ACCEPTED)]
    found = compared(evidence, *rows).iloc[1]
    assert (found["difference"], found["than_place"]) == ("same", "service")


def test_nothing_to_compare(evidence: Any) -> None:
    """A run of an older version, and one without another place."""
    for place in ("endpoint", None):
        found = places(evidence({"frames": {"handshakes": [row("endpoint", "x", ACCEPTED) | {"place": place}]}}))
        assert (list(found.columns), len(found)) == (COLUMNS, 0)
    assert len(compared(evidence, ("tag:gone", "x", ACCEPTED))) == 0
    alone = compared(evidence, ("endpoint", "x", ACCEPTED), ("tag:gone", "x", ACCEPTED)).iloc[0]
    assert alone["revision_name"] == ""

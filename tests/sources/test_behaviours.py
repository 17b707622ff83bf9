"""Real servers on loopback that misbehave, one a row, and what the probe says of each, in time and without a secret."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.sources.behaviours.answers import ANSWERS
from tests.sources.behaviours.certificates import DAYS, contexts
from tests.sources.behaviours.names import NAMES
from tests.sources.behaviours.openings import OPENINGS
from tests.sources.behaviours.run import Outcome, outcomes
from tests.sources.behaviours.secured import SECURED
from tests.sources.behaviours.server import Behaviour

BEHAVIOURS = (*ANSWERS, *OPENINGS, *SECURED, *NAMES)
BUSY = 0.7  # seconds that a busy machine may add; less than the shortest wait for a limit


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """Every row of the probe; the authority of the certificates is trusted as a user would have it, by SSL_CERT_FILE."""
    authority, servers = contexts(tmp_path_factory.mktemp("certificates"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority))
        yield asyncio.run(outcomes(BEHAVIOURS, servers))


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_behaviour(behaviour: Behaviour, seen: Mapping[str, Outcome]) -> None:
    """Each way to misbehave is told apart, in words for the night, in time, and without what was sent to it."""
    outcome = seen[behaviour.name]
    found = " ".join(str(outcome.row[key] or "-") for key in ("verdict", "rule", "stage", "http_status", "status"))
    assert found == behaviour.found, outcome.row["because"]
    assert behaviour.says(outcome.row["because"]), f"{outcome.row['because']!r} is not {behaviour.because!r}"
    assert outcome.seconds < behaviour.within + BUSY
    assert "CANARY" not in json.dumps(outcome.row, ensure_ascii=False)


@pytest.mark.parametrize("behaviour", [each for each in BEHAVIOURS if each.facts], ids=lambda behaviour: behaviour.name)
def test_tls_facts(behaviour: Behaviour, seen: Mapping[str, Outcome]) -> None:
    """Who has to mend a certificate needs its names, its issuer and why it is not trusted, also where it stopped us."""
    facts: dict[str, Any] = seen[behaviour.name].row["tls"]
    assert {key: facts[key] for key in behaviour.facts} == dict(behaviour.facts)


def test_days_left(seen: Mapping[str, Outcome]) -> None:
    """The date is what an alert is made of: to the end of a good certificate, and since the end of an expired one."""
    left = {name: seen[name].row["tls"]["days_left"] for name in ("tls-good", "tls-expired", "tls-refuses")}
    assert left == pytest.approx({"tls-good": DAYS, "tls-expired": -1, "tls-refuses": DAYS}, abs=0.01)
    assert seen["tls-good"].row["tls"]["not_after"].endswith("Z")
    assert seen["tls-good"].row["tls"]["cipher"]


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("first-address-dead", [("127.0.0.2", "IPv4", "connection refused"), ("127.0.0.1", "IPv4", None)]),
        ("ipv6-first-and-dead", [("::1", "IPv6", "connection refused"), ("127.0.0.1", "IPv4", None)]),
        ("ipv4-first-and-dead", [("127.0.0.1", "IPv4", "connection refused"), ("::1", "IPv6", None)]),
        ("port-that-drops-packets", [("127.0.0.1", "IPv4", "no connection within 0.5 s")]),
        ("name-unknown", []),
    ],
)
def test_addresses(name: str, tried: list[tuple[str, str, str | None]], seen: Mapping[str, Outcome]) -> None:
    """A dead address costs some users their connection while others see nothing, so each that was tried is kept."""
    addresses = seen[name].row["addresses"]
    assert [(each["address"], each["family"], each["error"]) for each in addresses] == tried


def test_the_table() -> None:
    """Names are ids, and what the table has to hold: a hundred behaviours, sixteen of them accepted and then dead."""
    assert [name for name, count in Counter(each.name for each in BEHAVIOURS).items() if count > 1] == []
    assert len(BEHAVIOURS) >= 100
    dead = [each for each in BEHAVIOURS if each.because.startswith("accepted, then")]
    assert len(dead) >= 16

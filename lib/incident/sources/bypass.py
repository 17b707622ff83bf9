"""Variables that let tests past the authentication: which are switched on, and which keys could be guessed.

Decides: for each variable whose name speaks of a test, what its value amounts to, in fixed words, so that a value need
not be kept to be judged. Reads: the `revisions` frame before it is redacted. No value leaves this module, and no key is
tried anywhere. Cannot tell: what the application does with a variable; a value that lies in Secret Manager, or that is
redacted already; whether another service has the same key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from incident.detectors import TAG, is_secret_name

if TYPE_CHECKING:
    import pandas as pd

NAME: Final = re.compile(r"(?:^|_)(?:E2E|TEST|TESTS|TESTING|STAGING|SIMULATION|SIMULATE|BYPASS)(?:_|$)")
"""`E2E_TEST_ENV`, `E2E_OAUTH_SIMULATION_KEY`, `STAGING_E2E_TEST`; not `LATEST_VERSION`."""

ON: Final = frozenset("1 true t yes y on enable enabled allow".split())
OFF: Final = frozenset("0 false f no n off disable disabled deny none null prod production live".split()) | {""}
ENVIRONMENTS: Final = frozenset("staging stage test testing tests e2e qa dev development preview sandbox local".split())

SWITCHED_ON, OFF_WORD, NOT_GUESSABLE, NOT_KNOWN = "switched on", "off", "not guessable", "not known"
UNCLEAR: Final = "neither on nor off"
GUESSABLE: Final = "guessable"
"""What a value may amount to; `guessable` has its reasons after a colon."""

SHORTEST_KEY: Final = 20
FEWEST_CHARACTERS: Final = 8
RANDOM_HEX: Final = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
"""Hexadecimal of 128 bits and more: a year or `e2e` within it is chance."""

YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def bypass_facts(revisions: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What each variable that lets tests in amounts to, by revision and variable.

    Reads `revision_name` and `environment` (JSON, not yet redacted). The words are `switched on`, `off`, `neither on
    nor off`, `guessable: …` with the reasons, `not guessable`, `not known`. A revision whose environment is not known
    is left out; one that sets no such variable has an empty mapping.

    >>> import pandas as pd
    >>> environment = '{"E2E_TEST_ENV": "staging", "E2E_KEY": "staging_e2e_key_2024", "PORT": "8080"}'
    >>> bypass_facts(pd.DataFrame({"revision_name": ["chat-00137-mel"], "environment": [environment]}))
    {'chat-00137-mel': {'E2E_KEY': 'guessable: names an environment, has a year', 'E2E_TEST_ENV': 'switched on'}}
    """
    facts = {}
    for name, text in zip(revisions["revision_name"], revisions["environment"], strict=True):
        if isinstance(text, str) and text:
            facts[str(name)] = _revision_facts(json.loads(text), str(name))
    return facts


def bypass_variables(environment: Mapping[str, Any]) -> list[str]:
    """The variables whose name speaks of a test, in order of their names.

    >>> bypass_variables({"LATEST": "1", "E2E_TEST_ENV": "staging", "worker/STAGING_KEY": "x"})
    ['E2E_TEST_ENV', 'worker/STAGING_KEY']
    """
    return sorted(name for name in environment if NAME.search(name.rpartition("/")[2].upper()))


def _revision_facts(environment: Mapping[str, Any], revision_name: str) -> dict[str, str]:
    return {name: _fact(name, environment[name], revision_name) for name in bypass_variables(environment)}


def _fact(name: str, value: object, revision_name: str) -> str:
    if not isinstance(value, str) or re.search(TAG, value):
        return NOT_KNOWN
    plain = value.strip().lower()
    if plain in OFF:
        return OFF_WORD
    if is_secret_name(name):
        reasons = _reasons(value.strip(), revision_name)
        return f"{GUESSABLE}: {', '.join(reasons)}" if reasons else NOT_GUESSABLE
    return SWITCHED_ON if plain in ON or _names_environment(plain) else UNCLEAR


def _names_environment(plain: str) -> bool:
    """A name such as `staging-eu`; an address that holds one is no switch."""
    return bool(re.fullmatch(r"[\w-]+", plain)) and bool(ENVIRONMENTS & set(re.split(r"[\W_]+", plain)))


def _reasons(key: str, revision_name: str) -> list[str]:
    """Why a key could be guessed; none where nothing speaks for it."""
    plain, short, few = key.lower(), len(key) < SHORTEST_KEY, len(set(key)) < FEWEST_CHARACTERS
    if RANDOM_HEX.fullmatch(key) and not few:
        return []
    words = set(re.split(r"[^a-z0-9]+", plain))
    found = {
        "short": short,
        "few different characters": few and not short,
        "names an environment": bool(ENVIRONMENTS & words) or "test" in plain or "staging" in plain,
        "names the service": any(word in plain for word in re.findall(r"[a-z]{4,}", revision_name.lower())),
        "has a year": bool(YEAR.search(key)),
    }
    return [reason for reason, holds in found.items() if holds]

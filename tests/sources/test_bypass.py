"""What the variables of tests amount to, in words that hold no value."""

import json

import pandas as pd
import pytest

from incident.sources.bypass import bypass_facts, bypass_variables


def fact(name, value, revision="chat-backend-00137-mel"):
    """The word for one variable."""
    frame = pd.DataFrame({"revision_name": [revision], "environment": [json.dumps({name: value})]})
    return bypass_facts(frame)[revision][name]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("E2E_TEST_ENV", "staging", "switched on"),
        ("E2E_TEST_ENV", " Staging ", "switched on"),
        ("E2E_TEST_ENV", "staging-eu2", "switched on"),
        ("STAGING_E2E_TEST", "1", "switched on"),
        ("AUTH_BYPASS", "on", "switched on"),
        ("E2E_TEST_ENV", "production", "off"),
        ("E2E_TEST_ENV", "", "off"),
        ("E2E_OAUTH_SIMULATION_KEY", "", "off"),
        ("AB_TEST_BUCKET", "https://staging.example.com/x", "neither on nor off"),
        ("E2E_OAUTH_SIMULATION_KEY", "Zx8", "guessable: short"),
        ("E2E_OAUTH_SIMULATION_KEY", "staging_e2e_key_2024", "guessable: names an environment, has a year"),
        ("E2E_OAUTH_SIMULATION_KEY", "9qV2mK7wR4tB8nLs0pXc-backend", "guessable: names the service"),
        ("E2E_OAUTH_SIMULATION_KEY", "aaaaaaaabbbbbbbbcccccccc", "guessable: few different characters"),
        ("E2E_OAUTH_SIMULATION_KEY", "9qV2mK7wR4tB8nLs0pXcYd3f", "not guessable"),
        ("E2E_OAUTH_SIMULATION_KEY", "5f0e2e2024c41d8e7a93b0cc6f1a2d34", "not guessable"),
        ("E2E_OAUTH_SIMULATION_KEY", {"secret": "e2e-key", "version": "latest"}, "not known"),
        ("E2E_TEST_ENV", "[redacted:1df01b8774]", "not known"),
        ("worker/STAGING_KEY", "short", "guessable: short"),
    ],
)
def test_words(name, value, word):
    """A switch is judged by what switches, a key by what a guess would begin with, the rest is not judged."""
    assert fact(name, value) == word


def test_no_value_leaves():
    """The words are kept in the clear beside what is redacted."""
    canary = "CANARY_test_2024"
    names = ("E2E_TEST_ENV", "E2E_KEY", "STAGING_URL", "TEST_BYPASS")
    assert all(canary not in fact(name, canary) for name in names)


def test_only_names_that_speak_of_a_test():
    """A word within another word is none."""
    names = ["LATEST", "CONTEST_KEY", "PORT", "E2E_TEST_ENV", "LOAD_TEST_KEY", "OAUTH_SIMULATION", "e2e_flag"]
    assert bypass_variables(dict.fromkeys(names)) == ["E2E_TEST_ENV", "LOAD_TEST_KEY", "OAUTH_SIMULATION", "e2e_flag"]


def test_none_is_not_the_same_as_not_known():
    """A revision that sets none of them is known to; one whose environment nobody told is left out."""
    frame = pd.DataFrame({"revision_name": ["chat-1", "chat-2"], "environment": ['{"PORT": "8080"}', None]})
    assert bypass_facts(frame) == {"chat-1": {}}

"""Secrets are out of texts, documents, frames and notebooks; the evidence stays."""

import base64
import json
import time
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incident.detectors import is_hunted
from incident.redact import Redactor, forms
from incident.walks import FEW

SECRET = "staging_e2e_key_2024"
ODD = 'p"ss\\w/rd &<%é+1'
CLOUD_RUN_ENVIRONMENT = [
    {"name": "E2E_TEST_ENV", "value": "staging"},
    {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db-password", "key": "latest"}}},
    {"name": "TOKEN", "valueSource": {"secretKeyRef": {"secret": "projects-token", "version": "3"}}},
]


@pytest.fixture
def redactor() -> Redactor:
    """A redactor that has read the incident's environment and one value that every encoding changes."""
    redactor = Redactor(b"key")
    redactor.learn_environment(
        {"E2E_TEST_ENV": "staging", "E2E_OAUTH_SIMULATION_KEY": SECRET, "ODD_SECRET": ODD, "STAGING_E2E_TEST": "1"}
    )
    return redactor


def test_a_tag_is_keyed() -> None:
    """The same value is the same tag within a run, and says nothing to who has not the run's key."""
    first, second = Redactor.fresh(), Redactor(b"b" * 32)
    assert first.tag(SECRET) == first.tag(SECRET) != first.tag(SECRET + "5")
    assert first.tag(SECRET) != second.tag(SECRET)
    assert first.tag(first.tag(SECRET)) == first.tag(SECRET)


def test_the_incident(redactor: Redactor) -> None:
    """The key that no shape gives away goes, the word staging stays."""
    line = f"config: E2E_TEST_ENV=staging oauth_sim={SECRET}"
    assert redactor.text(line) == f"config: E2E_TEST_ENV=staging oauth_sim={redactor.tag(SECRET)}"


def test_an_environment_keeps_its_names(redactor: Redactor) -> None:
    """A change of a variable is evidence, so each value is its tag, secret or not."""
    assert redactor.environment({"E2E_TEST_ENV": "staging"}) == {"E2E_TEST_ENV": redactor.tag("staging")}


@pytest.mark.parametrize("value", [SECRET, ODD])
def test_every_form_of_a_learned_value(redactor: Redactor, value: str) -> None:
    """A value is the same secret when a library has quoted, escaped or encoded it on its way into a log."""
    encoded = [
        value, quote(value), quote(value, safe=""), json.dumps(value), json.dumps(value, ensure_ascii=False),
        json.dumps({"a": json.dumps({"b": value})}), base64.b64encode(value.encode()).decode(),
        base64.urlsafe_b64encode(f"user:{value}".encode()).decode(),
    ]  # fmt: skip
    for text in encoded:
        assert redactor.tag(value) in redactor.text(f"saw <{text}> here"), text


def test_a_secret_seen_in_one_place_goes_everywhere() -> None:
    """An application logs a token by its value alone; its name stood in the request's URL."""
    redactor = Redactor(b"key")
    redactor.learn_text("GET /ws?token=7h3-0p4qu3-0n3&room=7")
    assert redactor.text("session 7h3-0p4qu3-0n3 opened") == f"session {redactor.tag('7h3-0p4qu3-0n3')} opened"


def test_a_connection_string_is_learned_by_its_password() -> None:
    """DATABASE_URL is no secret name, and its host is evidence; only the password is hunted."""
    redactor = Redactor(b"key")
    redactor.learn_environment({"DATABASE_URL": "postgres://app:c0rrect-h0rse@10.0.0.3/db"})
    assert redactor.text("app on 10.0.0.3 refused c0rrect-h0rse") == (
        f"app on 10.0.0.3 refused {redactor.tag('c0rrect-h0rse')}"
    )


def test_a_private_key_logged_line_by_line() -> None:
    """Each line of standard error is an entry of its own, so a key's lines are hunted one by one."""
    redactor = Redactor(b"key")
    body = "MIIEowIBAAKCAQEAx7Ywq2hJ5v0z\nK9ePmA1b2C3dE4f5G6h7I8j9K0l1"
    redactor.learn_environment({"TLS_KEY": f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"})
    assert "K9ePmA1b2C3d" not in redactor.text("K9ePmA1b2C3dE4f5G6h7I8j9K0l1")


@pytest.mark.parametrize("value", ["staging", "production", "1", "s3cr3t", "none", "my-secret", "00000000", "redacted"])
def test_short_and_common_values_are_not_hunted(value: str) -> None:
    """A key set to a plain word must not mask that word in the evidence."""
    redactor = Redactor(b"key")
    redactor.learn_environment({"API_KEY": value})
    assert redactor.text(f"the {value} service") == f"the {value} service"


def test_json_environment_in_cloud_runs_forms(redactor: Redactor) -> None:
    """v1, v2, Cloud Build and our own form: values are tags, names and references to secrets stay."""
    env = [*CLOUD_RUN_ENVIRONMENT, "REGION=europe-west1"]
    clean = json.loads(redactor.json_text(json.dumps({"spec": {"env": env}, "environment": {"A": "b", "C": None}})))
    assert clean["spec"]["env"] == [
        {"name": "E2E_TEST_ENV", "value": redactor.tag("staging")},
        *CLOUD_RUN_ENVIRONMENT[1:],
        f"REGION={redactor.tag('europe-west1')}",
    ]
    assert clean["environment"] == {"A": redactor.tag("b"), "C": None}


def test_json_by_name_at_any_depth(redactor: Redactor) -> None:
    """Headers as pairs, arguments after a flag, a number, a document in a string: all under their names."""
    document: dict[str, Any] = {
        "headers": [{"name": "Authorization", "value": "Bearer abc123"}, {"name": "Host", "value": "x"}],
        "args": ["--password", "hunter2", "--room", "7"],
        "login": {"password": 123456, "user": "x", "tokens": 7, "token": None},
        "cookies": {"sid": "abc"},
        "nested": json.dumps({"api_key": "q9w8e7", "image": "sha256:00ff"}),
        "volumes": [{"secret": {"secret": "db-password"}}],
        "password": ["This field is required."],
        SECRET: True,
    }
    tag = redactor.tag
    assert json.loads(redactor.json_text(json.dumps(document))) == {
        "headers": [{"name": "Authorization", "value": f"Bearer {tag('abc123')}"}, {"name": "Host", "value": "x"}],
        "args": ["--password", tag("hunter2"), "--room", "7"],
        "login": {"password": tag("123456"), "user": "x", "tokens": 7, "token": None},
        "cookies": {"sid": tag("abc")},
        "nested": json.dumps({"api_key": tag("q9w8e7"), "image": "sha256:00ff"}),
        "volumes": [{"secret": {"secret": "db-password"}}],
        "password": ["This field is required."],
        tag(SECRET): True,
    }


@pytest.mark.parametrize("text", ['{"a":1.10,  "b": "\\u00e9"}', "[1e400]", '{"image": "sha256:00"}', "not json", ""])
def test_a_document_without_secrets_keeps_its_very_text(redactor: Redactor, text: str) -> None:
    """Evidence that holds no secret is archived as it came."""
    assert redactor.json_text(text) == text


@pytest.mark.parametrize(
    "text",
    ['{"password": "abc123", "password": "None"}', '{"password": "abc123", ', "[" * 100_000 + '"api_key=abc123"'],
)
def test_json_that_hides_or_breaks(redactor: Redactor, text: str) -> None:
    """A name given twice, a document cut short or nested too deep is read as a text instead."""
    assert "abc123" not in redactor.json_text(text)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_frame_keeps_types_and_nulls(redactor: Redactor, dtype: str) -> None:
    """The validator of evidence pins dtypes; redaction is no reason to change one."""
    frame = pd.DataFrame({"text": pd.Series([f"a {SECRET}", None, "plain", f"a {SECRET}"], dtype=dtype), "n": range(4)})
    clean = redactor.frame(frame)
    assert clean["text"].dtype == dtype or (dtype == "category" and clean["text"].dtype.name == "category")
    assert clean["text"].isna().tolist() == [False, True, False, False]
    assert clean["text"].dropna().tolist() == [f"a {redactor.tag(SECRET)}", "plain", f"a {redactor.tag(SECRET)}"]
    assert frame["text"][0] == f"a {SECRET}"


def test_a_frames_documents(redactor: Redactor) -> None:
    """A column may hold JSON text or the document itself, and an environment's column is known by its name."""
    frame = pd.DataFrame({"environment": [{"A": "b"}, '{"A": "b"}', None], "labels": [{"x": SECRET}, {}, None]})
    clean = redactor.frame(frame)
    assert clean["environment"].tolist()[:2] == [{"A": redactor.tag("b")}, json.dumps({"A": redactor.tag("b")})]
    assert clean["labels"].tolist()[:2] == [{"x": redactor.tag(SECRET)}, {}]


def test_two_categories_that_become_one(redactor: Redactor) -> None:
    """Two forms of one secret get one tag, and categories must be distinct."""
    column = pd.Series([SECRET, base64.b64encode(SECRET.encode()).decode(), None], dtype="category")
    clean = redactor.frame(pd.DataFrame({"x": column}))["x"]
    assert clean.tolist()[:2] == [redactor.tag(SECRET)] * 2
    assert clean.dtype == "category"


def test_a_value_that_is_a_form_of_another(redactor: Redactor) -> None:
    """A variable that holds another one's base64 has its own tag in the environment, and that tag in the logs."""
    encoded = base64.b64encode(SECRET.encode()).decode()
    redactor.learn(encoded)
    assert redactor.text(f"saw {encoded}") == f"saw {redactor.tag(encoded)}"


def test_many_learned_values() -> None:
    """Every request may bring a token of its own; looking them up does not depend on how many there are."""
    redactor = Redactor(b"key")
    for number in range(500):
        redactor.learn(f"t0ken-number-{number}")
    assert redactor.text("saw t0ken-number-77 here") == f"saw {redactor.tag('t0ken-number-77')} here"


def test_learning_from_a_frame() -> None:
    """The first pass over the frames finds what the second hunts in all of them."""
    redactor = Redactor(b"key")
    urls = pd.Series(["https://x/ws?token=t0ken-0ne", "https://x/ws?token=t0ken-tw0", None], dtype="category")
    redactor.learn_frame(pd.DataFrame({"http_request_url": urls, "json_payload": ['{"api_key": "fr0m-json"}', "", ""]}))
    for value in ("t0ken-0ne", "t0ken-tw0", "fr0m-json"):
        assert redactor.text(f"saw {value}") == f"saw {redactor.tag(value)}"


def test_a_notebook_keeps_its_structure(redactor: Redactor) -> None:
    """Source, outputs of every kind and papermill's parameters go through; pictures and ids do not."""
    png = base64.b64encode(b"\x89PNG" + SECRET.encode()).decode()
    cell = {
        "cell_type": "code", "id": "a1", "execution_count": 1, "metadata": {"tags": ["parameters"]},
        "source": ["endpoint = 'x'\n", f"key = '{SECRET}'\n", "api_key = 'abc123'"],
        "outputs": [
            {"output_type": "stream", "name": "stdout", "text": [f"{SECRET}\n", "done\n"]},
            {"output_type": "display_data", "data": {"image/png": png, "text/html": f"<b>{SECRET}</b>"}},
            {"output_type": "error", "ename": "E", "evalue": SECRET, "traceback": [f"\x1b[31m{SECRET}\x1b[0m"]},
        ],
    }  # fmt: skip
    notebook = {"nbformat": 4, "metadata": {"papermill": {"parameters": {"token": "abc123"}}}, "cells": [cell]}
    clean = redactor.notebook(notebook)
    tag = redactor.tag(SECRET)
    api_key = redactor.tag("abc123")
    assert clean["cells"][0]["source"] == ["endpoint = 'x'\n", f"key = '{tag}'\n", f"api_key = '{api_key}'"]
    assert clean["cells"][0]["outputs"] == [
        {"output_type": "stream", "name": "stdout", "text": [f"{tag}\n", "done\n"]},
        {"output_type": "display_data", "data": {"image/png": png, "text/html": f"<b>{tag}</b>"}},
        {"output_type": "error", "ename": "E", "evalue": tag, "traceback": [f"\x1b[31m{tag}\x1b[0m"]},
    ]
    assert clean["metadata"]["papermill"]["parameters"] == {"token": redactor.tag("abc123")}
    assert clean["cells"][0]["id"] == "a1"


PIECES = st.sampled_from(
    ["api_key=", "token: ", '"password": "', '"', "'", "Bearer ", "Cookie: a=", "; ", ", ", "?key=", "&", "://u:",
     "@h/", "--password ", "-----BEGIN PRIVATE KEY-----", "\\n", "\\", "%3D", "[redacted:0123456789]", SECRET, "abc123",
     "eyJhbGciOiJI.eyJzdWIi.x", "word", "=", ":", "{", "}", "[", "]", "(", "b'", " ", "\n", "\x1b[31m", "\ud800", "é", "."]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join)


@settings(max_examples=150, deadline=None)
@given(HOSTILE)
def test_redacting_twice_changes_nothing(text: str) -> None:
    """An archived run's evidence is gathered again, so a tag must be the end of it."""
    redactor = Redactor(b"key")
    redactor.learn(SECRET)
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert SECRET not in once


NAMES = st.sampled_from(
    ["env", "env_vars", "API_KEY", "name", "value", "cookies", "plain", "\U00000130d", "secret", "a.b"]
)
DOCUMENTS = st.recursive(
    st.none() | st.integers() | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=6,
)
TEXTS = (
    HOSTILE | st.builds(json.dumps, DOCUMENTS) | st.builds(lambda made: json.dumps(made, ensure_ascii=False), DOCUMENTS)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS.filter(lambda text: "\ud800" not in text), min_size=1, max_size=4))
@example(
    [
        '{"env": {"MODE": "abc123"}}',
        '["cookies", {"cookies": {"a": "abc123"}}]',
        '{"\\u006bey": 1, "api\\u005fkey": "abc123"}',
    ]
)
@example(
    [
        "wss:\\/\\/u:abc123@h",
        '{"url": "wss:\\/\\/u:abc123@h"}',
        "https://u:abc123@h",
        f"a {SECRET} b",
        json.dumps([SECRET]),
    ]
)
@example(['["a line\\n", null]', '["a line\\n", 1, "b"]'])
def test_a_frame_says_what_its_texts_say(texts: list[str]) -> None:
    """A frame's texts are sorted out first, for speed: one that was passed over must be one that nothing would change."""
    one, other = Redactor(b"key"), Redactor(b"key")
    one.learn(SECRET)
    other.learn(SECRET)
    many = texts + [f"plain {number}" for number in range(FEW)]
    frame = pd.DataFrame({"text": pd.array(many, "str")})
    one.learn_frame(frame)
    for text in texts:
        other.learn_text(text)
    assert one._learned == other._learned
    assert list(one.frame(frame)["text"]) == [other.json_text(text) for text in many]


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=8, max_size=40).filter(is_hunted), HOSTILE, HOSTILE)
def test_no_learned_value_is_left(value: str, before: str, after: str) -> None:
    """Whatever stands around a learned value, in whichever form, no reading of the result gives it back."""
    redactor = Redactor(b"key")
    redactor.learn(value)
    for form in forms(value):
        assert form not in redactor.text(before + form + after).replace(redactor.tag(value), "")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=7), st.text(min_size=8, max_size=20).filter(is_hunted), st.binary(max_size=7))
def test_base64_of_longer_data_holds_a_form(before: bytes, value: str, after: bytes) -> None:
    """Base64 shifts with what stands before a value, three ways in all."""
    encoded = base64.b64encode(before + value.encode() + after).decode()
    assert any(form in encoded for form in forms(value))


HOSTILE_LINES = [
    "a", "=", '"', "a=", "token=", "password: ", "?key=", "://a:", "://a:@", "eyJa.", "Bearer ", "[redacted:", ",a", "\\",
    "-----BEGIN PRIVATE KEY-----", "Cookie: a=", '\\"', "%3D", "--a ", "--token ", "(b'a', b'", "name='a', value='", "{",
    '{"a":', "x" * 63 + "=", "sk-a", "\x1b[3", "token=[redacted:0123456789]", "key\x1b[1m\x1b[1m", "password=a,b", "token %",
]  # fmt: skip


def cost(redactor: Redactor, line: str) -> float:
    """The processor's seconds for a line, the best of three: whatever else the machine does is left out."""
    spent = []
    for _ in range(3):
        started = time.process_time()
        redactor.json_text(line)
        spent.append(time.process_time() - started)
    return min(spent)


@pytest.mark.parametrize("piece", HOSTILE_LINES)
def test_a_hostile_line_takes_linear_time(redactor: Redactor, piece: str) -> None:
    """One entry is up to 256 KB and its writer may be the attacker; a square would cost sixteen times for four."""
    short, long = (piece * (size * 1024 // len(piece)) for size in (32, 128))
    assert cost(redactor, long) < 10 * max(cost(redactor, short), 0.01)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_a_null_under_a_secret_name(redactor: Redactor, dtype: str) -> None:
    """No value is not a value: a tag for it would say that there was a secret."""
    column = pd.Series([float("nan"), None, "abc123"], dtype=dtype)
    assert redactor.frame(pd.DataFrame({"api_key": column}))["api_key"].isna().tolist() == [True, True, False]

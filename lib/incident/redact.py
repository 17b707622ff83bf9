"""Redaction: secrets out of everything, before anything is written.

A value is secret by name, by shape (`detectors`), or because the same value was secret elsewhere in the run; all else
stays. Every environment value is replaced, its name stays. What replaces a value is a tag, `[redacted:1a2b3c4d5e]`: a
keyed hash, so that a key which changed between revisions is seen, and without the run's key no guess can be tested.

Two passes: first `learn_environment`, `learn_text`, `learn_frame` on all that the run gathered, then `environment`,
`frame`, `json_text`, `text`, `notebook`. A learned value is hunted everywhere, in plain, percent-encoded, JSON-escaped,
HTML-escaped and base64 forms, if it can be told from prose (`is_hunted`): `ENV=staging` does not mask the word in logs.

Cannot tell: a secret without name or shape that was learned nowhere; a value cut in two, compressed or encrypted.
"""

import base64
import hashlib
import hmac
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from incident.detectors import SHORTEST, TAG, is_hunted, is_secret_name, replace_secrets
from incident.walks import Document, Rules, text_columns, walk, walk_column, walk_text

PICTURES = frozenset({"image/png", "image/jpeg"})


def forms(value: str) -> set[str]:
    """The forms in which a value may stand in a text: plain, percent-encoded, JSON, HTML, base64 at any alignment.

    >>> sorted(forms("p@ss/word"))[1:5]
    ['cEBzcy93b3Jk', 'p%2540ss%252Fword', 'p%2540ss%2Fword', 'p%40ss%2Fword']
    """
    raw = value.encode("utf-8", "surrogatepass")
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    percent = {quote(raw, safe=""), quote(raw), quote_plus(raw), quote_plus(raw, safe="")}
    lower = {re.sub(r"%..", lambda code: code[0].lower(), form) for form in percent}
    twice = {json.dumps(form)[1:-1] for form in escaped} | {quote(form, safe="") for form in percent}
    return {value, html.escape(value)} | escaped | percent | lower | twice | _base64_forms(raw)


def _base64_forms(raw: bytes) -> set[str]:
    """Base64 of the value alone, and the part of it that is the same wherever the value stands in longer data."""
    found = set()
    for before, cut in enumerate((0, 2, 3)):
        padded = base64.b64encode(bytes(before) + raw).decode()
        whole = len(padded.rstrip("=")) - bool((before + len(raw)) % 3)
        found |= {padded[cut:whole]} | ({padded, padded.rstrip("=")} if not before else set())
    return found | {form.translate(str.maketrans("+/", "-_")) for form in found}


class Redactor:
    """Replaces secrets by tags keyed with `key`; learns values first, and then changes only what it is given.

    >>> redactor = Redactor(b"a key for this example")
    >>> redactor.learn_environment({"E2E_TEST_ENV": "staging", "E2E_OAUTH_SIMULATION_KEY": "staging_e2e_key_2024"})
    >>> redactor.text("config: E2E_TEST_ENV=staging oauth_sim=staging_e2e_key_2024")
    'config: E2E_TEST_ENV=staging oauth_sim=[redacted:21b22aa55b]'
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._learned: set[str] = set()
        self._values: dict[str, str] = {}  # form -> the value it is a form of
        self._endings: dict[str, list[str]] = {}  # a form's last characters -> such forms; tokens share beginnings
        self._find = Rules(self._learn_setting, self._learn_secret, self._learn_plain)
        self._hide = Rules(lambda name, value: self.tag(value), self.tag, self.text, self._with_learned)

    @classmethod
    def fresh(cls, random: Callable[[int], bytes] = os.urandom) -> "Redactor":
        """A redactor with a new key of 32 bytes, for one run."""
        return cls(random(32))

    def tag(self, value: str) -> str:
        """What stands for a secret value: the same for the same value under the same key; a tag stays as it is."""
        if re.fullmatch(TAG, value):
            return value
        digest = hmac.new(self.key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"[redacted:{digest[:10]}]"

    @property
    def learned(self) -> int:
        """How many values are hunted."""
        return len(self._learned)

    # The first pass: what is secret in this run.

    def learn(self, value: str) -> None:
        """Hunt this value from now on, if `is_hunted`; of several lines (a private key) each long one too."""
        if value in self._learned or not is_hunted(value):
            return
        self._learned.add(value)
        for form in forms(value):
            self._values.setdefault(form, value)
            self._endings.setdefault(form[-SHORTEST:], []).append(form)
        self._values[value] = value
        for line in value.splitlines() if "\n" in value else ():
            if len(line) >= 16 and "-----" not in line:
                self.learn(line)

    def learn_environment(self, environment: Mapping[str, str]) -> None:
        """Learn the variables that are secret by name, and what is secret by name or shape within any value."""
        for name, value in environment.items():
            self._learn_setting(name, value)

    def learn_text(self, text: str) -> None:
        """Learn what is secret by name or by shape in a text or a JSON document."""
        walk_text(text, self._find)

    def learn_frame(self, frame: Any) -> None:
        """Learn from each distinct text and document of a pandas DataFrame; a column's name counts as a name."""
        for name in text_columns(frame):
            walk_column(frame[name], self._find)

    def _learn_setting(self, name: str, value: str) -> str:
        if is_secret_name(name):
            self.learn(value)
        self.learn_text(value)
        return value

    def _learn_secret(self, value: str) -> str:
        self.learn(value)
        return value

    def _learn_plain(self, text: str) -> str:
        return replace_secrets(text, self._learn_secret)

    # The second pass: tags instead of secrets. Doing it twice changes nothing more.

    def text(self, text: str) -> str:
        """A text without its secrets. Takes time linear in its length, whatever it holds."""
        return replace_secrets(self._without_learned(text), self.tag)

    def json_text(self, text: str) -> str:
        """A JSON document without its secrets, still valid JSON, as it was if it held none; else as `text`."""
        return walk_text(text, self._hide)

    def document(self, document: Document) -> Document:
        """A copy of what json.loads returns, without its secrets."""
        return walk(document, self._hide)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Every value as its tag, under its name."""
        return {name: self.tag(value) for name, value in environment.items()}

    def frame(self, frame: Any) -> Any:
        """A pandas DataFrame without secrets in its texts, categories and documents; types and nulls stay.

        A column's name counts as a name, so every value in a column `environment` is replaced. Each distinct text is
        looked at once.
        """
        return frame.assign(**{name: walk_column(frame[name], self._hide) for name in text_columns(frame)})

    def notebook(self, notebook: Document) -> Document:
        """A notebook (nbformat 4, as json.loads returns it) without secrets in sources, outputs and metadata.

        Structure and pictures stay; a picture's own metadata is not looked at.
        """
        return walk(notebook, self._hide._replace(kept=PICTURES))

    def _without_learned(self, text: str) -> str:
        """Each learned form replaced, longest first; its ending is looked up in the cheaper of two ways."""
        if len(self._endings) < len(text):
            endings = {ending for ending in self._endings if ending in text}
        else:
            grams = (text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1))
            endings = self._endings.keys() & grams
        present = [form for ending in endings for form in self._endings[ending] if form in text]
        for form in sorted(present, key=len, reverse=True):  # not one pattern: it would be compiled for each text anew
            text = text.replace(form, self.tag(self._values[form]))
        return text

    def _with_learned(self, texts: list[str]) -> list[str]:
        """Those of some texts that may hold a learned value: the few endings that are in any of them are looked for."""
        together = "\n".join(texts)
        endings = [ending for ending in self._endings if ending in together]
        return [text for text in texts if any(ending in text for ending in endings)] if endings else []

"""What a check sent that may be secret, and taking it out of what the other side says: a server may echo it.

Decides: which header and query values, subprotocols, messages and origins are secret, by their names, their shapes and
their length; where a text repeats one of them, whole, in its words, or cut short. Reads: what was sent. Cannot tell: a
secret that comes back in another form (decoded, hashed, or cut to fewer than eight characters).

Only the other side's words go through a mask, before they become a part of ours: `closed` in a query would else take
the word out of "then closed with 4401".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Final

HIDDEN: Final = "***"
SHORTEST_WORD: Final = 6  # a shorter one is too common a word to be taken out of every text
SHORTEST_CREDENTIAL: Final = 3
LONGEST_PLAIN: Final = 16
BEGINNING: Final = 8  # characters by which a secret is known where it is cut short

SCHEME: Final = re.compile(r"(?:bearer|basic|digest|token|apikey|negotiate|key) +", re.IGNORECASE)
CREDENTIALS: Final = frozenset({"cookie", "pin"})  # beside what `detectors` knows, which reads cookies by their parts
PLAIN_WORD: Final = r"(?:(?:[A-Z]?[a-z]{1,12}|[A-Z]{1,12})\d?|v?\d{1,2})"
PLAIN: Final = re.compile(rf"{PLAIN_WORD}(?:[-._+ ]{PLAIN_WORD}){{0,3}}")
PUBLIC: Final = frozenset(
    (
        "bearer basic digest apikey negotiate switching protocols moved permanently forbidden unauthorized request "
        "method allowed timeout conflict upgrade required internal server implemented gateway service unavailable"
    ).split()
)
"""Longer words of schemes and of the reason phrases of HTTP: they come back whatever was sent."""

KNOWN: Final = frozenset({"graphql-transport-ws", "actioncable-v1-json", "v5.channel.k8s.io", "v4.channel.k8s.io"})
"""Subprotocols that are longer than a plain name, and public."""


class Mask:
    """Called with a text of the other side, gives it without what was sent.

    `fields` are names and values (of headers and of the query), `texts` what has no name (subprotocols, messages).

    >>> mask = Mask([("Authorization", "Bearer abcdefghijklmnop"), ("pin", "1234")], ["chat.v2"])
    >>> mask('Bearer error="no such token: abcdefghij…", pin 1234, chat.v2')
    'Bearer error="no such token: ***…", pin ***, chat.v2'
    """

    def __init__(self, fields: Iterable[tuple[str, str]], texts: Sequence[str] = ()) -> None:
        """Keep what was sent; what of it is secret is looked at when a text comes, and most answers have none."""
        self._fields, self._texts = list(fields), texts

    @cached_property
    def secrets(self) -> list[str]:
        """What is taken out, the longest first, so that no part of one is left of it."""
        found = {secret for name, value in self._fields for secret in secrets_of_field(name, value)}
        found |= {secret for text in self._texts for secret in secrets_of_text(text)}
        return sorted(found | {secret.lower() for secret in found}, key=lambda secret: (-len(secret), secret))

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in self.secrets:
            text = without(text, secret)
        return text


def secrets_of_field(name: str, value: str) -> set[str]:
    """The value as a whole and its longer words; the scheme before a credential is no secret.

    >>> sorted(secrets_of_field("Authorization", "Bearer pw12!")), secrets_of_field("X-Mode", "e2e")
    (['pw12!'], set())
    """
    bare = SCHEME.sub("", value.strip(), count=1)
    whole = {bare} if len(bare) >= SHORTEST_CREDENTIAL and is_credential(name) else set()
    words = {word for word in (bare, *re.split(r"[\s;,=]+", bare)) if len(word) >= SHORTEST_WORD}
    return whole | {word for word in words if word.lower() not in PUBLIC}


def is_credential(name: str) -> bool:
    """Whether a header or a part of a query is a credential by its name."""
    from incident.detectors import is_secret_name  # slow to load, and most checks have no need of it

    return name.lower() in CREDENTIALS or name.lower().endswith("-pin") or is_secret_name(name, in_query=True)


def secrets_of_text(text: str) -> set[str]:
    """Of a text that may be secret: itself, what in it is secret by shape or name, and its words that are not plain."""
    if not may_be_secret(text):
        return set()
    words = re.split(r"[\s;,=:\"'{}\[\]()&?]+", text)
    long = {word for word in words if len(word) >= SHORTEST_WORD and not PLAIN.fullmatch(word)}
    return {text, *long, *(found for found in secrets_in(text) if len(found) >= SHORTEST_CREDENTIAL)}


def secrets_in(text: str) -> list[str]:
    """The parts of a text that are secret by shape or by a name in it."""
    from incident.detectors import replace_secrets

    found: list[str] = []

    def keep(secret: str) -> str:
        found.append(secret)
        return HIDDEN

    replace_secrets(text, keep)
    return found


def may_be_secret(text: str) -> bool:
    """Whether what was sent without a name is better not shown: by shape, or longer than a plain name is.

    >>> [may_be_secret(text) for text in ("chat.v2", "v12.stomp", "graphql-transport-ws", "ping 1")]
    [False, False, False, False]
    >>> [may_be_secret(text) for text in ("hunter22", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "an-opaque-session-id")]
    [True, True, True]
    """
    from incident.detectors import is_hunted

    if text in KNOWN or (len(text) <= LONGEST_PLAIN and PLAIN.fullmatch(text)):
        return False
    return len(text) > LONGEST_PLAIN or is_hunted(text) or bool(secrets_in(text))


def shown(text: str) -> str:
    """Something that we sent, for our own words."""
    return HIDDEN if may_be_secret(text) else text


def without(text: str, secret: str) -> str:
    """A text without one secret: whole, or cut short after its beginning; a short one only where it stands alone.

    >>> without("404 of 404x", "404"), without("see https://b.example", "https://a.example")
    ('*** of 404x', 'see https://b.example')
    """
    if len(secret) < SHORTEST_WORD:
        return re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", HIDDEN, text)
    scheme = secret.partition("://")[0] + "://" if "://" in secret else ""  # every URL begins so
    begins, at = secret[: len(scheme) + BEGINNING], 0
    while (at := text.find(begins, at)) >= 0:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(secret, text[at:], strict=False)))
        text = text[:at] + HIDDEN + text[at + same :]
        at += len(HIDDEN)
    return text

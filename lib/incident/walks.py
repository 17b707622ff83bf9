"""Where texts stand in frames and documents, and which of a redactor's rules is for each.

Decides: what is a variable's value, what lies under a secret name, what is any other text, from the names above it.
Reads: pandas frames, what `json.loads` returns, JSON texts. Cannot tell: what is secret; the rules do.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from incident import detectors
from incident.detectors import Replace, is_secret_name, mask, replace_cookies

Document = Any  # what json.loads returns

# Cookies as a mapping are treated as an environment is: names stay.
ENVIRONMENTS = frozenset(
    {"env", "environment", "env_vars", "envVars", "environment_variables", "environmentVariables", "cookies"}
)
# Cloud Run v1 and v2: what lies below names a secret and does not hold it.
REFERENCES = frozenset({"valueFrom", "valueSource", "value_from", "value_source", "secretKeyRef", "secret_key_ref"})
FLAG = re.compile(r"--[\w-]+")
FEW = 50  # texts that are quicker looked at one by one
TEXT_TYPES = frozenset({"object", "str", "string", "category"})


class Rules(NamedTuple):
    """What a walk does with a variable's value, a value under a secret name, any other text; what it leaves alone.

    `among` picks those of some texts that are not `SUSPECT` which it must look at all the same.
    """

    environment: Callable[[str, str], str]
    secret: Replace
    text: Replace
    among: Callable[[list[str]], list[str]] = lambda texts: []
    kept: frozenset[str] = frozenset()


def text_columns(frame: Any) -> list[str]:
    """The columns of a frame that hold texts."""
    return [name for name, dtype in frame.dtypes.items() if str(dtype) in TEXT_TYPES]


def walk_column(column: Any, rules: Rules) -> Any:
    """A Series with each text and document given through `rules`, each distinct text once."""
    rules, name = rules._replace(text=lru_cache(maxsize=65536)(rules.text)), column.name
    if column.dtype == "object":  # documents that are already read may be among the texts
        read = column.map(lambda value: (walk_text if isinstance(value, str) else walk)(value, rules, name), "ignore")
        return read.astype("object")
    distinct = column.cat.categories.to_series() if column.dtype == "category" else column.drop_duplicates().dropna()
    changed = {text: new for text in _to_walk(distinct, rules, name) if (new := walk_text(text, rules, name)) != text}
    if not changed:
        return column
    walked = column.map(lambda text: changed.get(text, text), na_action="ignore")
    return walked.astype("category" if column.dtype == "category" else column.dtype)


def _to_walk(distinct: Any, rules: Rules, name: str) -> list[str]:
    """The texts of a Series that may hold what `rules` look for; all of them if few, or if the name decides."""
    decides = name in ENVIRONMENTS or is_secret_name(name) or name.lower().endswith("cookie")
    if decides or len(distinct) < FEW or distinct.dtype == "object":  # a text that is no UTF-8 stays an object
        return list(distinct)
    from pyarrow import array, compute  # not at the top: a probe has no frames

    is_suspect = compute.match_substring_regex(array(distinct), detectors.SUSPECT, ignore_case=True).to_pandas()
    is_suspect.index = distinct.index
    return [*distinct[is_suspect], *rules.among(list(distinct[~is_suspect]))]


def walk(value: Document, rules: Rules, key: str = "", parent: str = "") -> Document:
    """A copy of a JSON document with each text given through `rules`; it lies under `key`, and that under `parent`."""
    if isinstance(value, str):
        return _walk_string(value, rules, key, parent)
    if isinstance(value, Mapping):
        return _walk_mapping(value, rules, key, parent)
    if isinstance(value, list | tuple):
        return _walk_list(value, rules, key, parent)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    masked = mask(str(value), rules.secret) if is_number and is_secret_name(key) else str(value)
    return value if masked == str(value) else masked


def _walk_mapping(value: Mapping[str, Document], rules: Rules, key: str, parent: str) -> dict[str, Document]:
    if key in ENVIRONMENTS:
        return {rules.text(name): _setting(name, item, rules) for name, item in value.items()}
    named = value.get("name", value.get("key"))  # {"name": "API_KEY", "value": "…"}: the value lies under API_KEY
    under = {"value": named} if isinstance(named, str) else {}
    return {
        rules.text(name): item if name in rules.kept else walk(item, rules, under.get(name, name), key)
        for name, item in value.items()
    }


def _walk_list(items: Iterable[Document], rules: Rules, key: str, parent: str) -> list[Document]:
    """Each item under the list's key, or under the flag before it (`--password`); a text in lines as one text."""
    items = list(items)
    is_text = len(items) > 1 and all(isinstance(item, str) for item in items)
    if is_text and all(item.endswith("\n") for item in items[:-1]):
        return re.findall(r"[^\n]*\n|[^\n]+", rules.text("".join(items)))
    if key in ENVIRONMENTS:
        return [_variable(item, rules) for item in items]
    before = [item if isinstance(item, str) and FLAG.fullmatch(item) else key for item in ["", *items]]
    return [walk(item, rules, under or key, parent) for under, item in zip(before, items, strict=False)]


def _variable(item: Document, rules: Rules) -> Document:
    """One variable as Cloud Run (`{"name", "value"}`) or Cloud Build (`"NAME=value"`) lists it."""
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        name = item["name"]
        return {k: _setting(name, v, rules) if k == "value" else walk(v, rules, k, "env") for k, v in item.items()}
    if isinstance(item, str) and "=" in item:
        name, _, value = item.partition("=")
        return f"{name}={rules.environment(name, value)}"
    return walk(item, rules)


def _setting(name: str, value: Document, rules: Rules) -> Document:
    """One variable's value; null stays, and an object is a reference to a secret."""
    if value is None or isinstance(value, Mapping | list):
        return walk(value, rules, "valueFrom", "env")
    return rules.environment(name, str(value))


def _walk_string(value: str, rules: Rules, key: str, parent: str) -> str:
    if parent in REFERENCES or key == parent == "secret":
        return rules.text(value)
    if key.lower().endswith("cookie"):
        return replace_cookies(value, rules.secret)
    return mask(value, rules.secret) if is_secret_name(key) else walk_text(value, rules, key)


def walk_text(text: str, rules: Rules, key: str = "") -> str:
    """A text through `rules`, as a document if it is one; a document in which nothing changes keeps its very text."""
    if text.lstrip()[:1] not in ("{", "["):
        return rules.text(text)
    try:
        document = json.loads(text, object_pairs_hook=_unique)
        walked = walk(document, rules, key)
    except (ValueError, RecursionError):
        return rules.text(text)
    return text if walked == document else json.dumps(walked, ensure_ascii=text.isascii())


def _unique(pairs: list[tuple[str, Document]]) -> dict[str, Document]:
    """An object; refused if a name is there twice, for the value that loses would never be looked at."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("an object has the same name twice")
    return found

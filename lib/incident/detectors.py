"""Detectors: which parts of a text are secret, by name or by shape; pure, linear in the text's length.

By name: `API_KEY=…`, `"password": "…"`, `?token=…`, `--password …`, `Authorization: …`, cookies, headers as ASGI prints
them. By shape: `SHAPES`, private keys over several lines, credentials in URLs, `Bearer …`.

Cannot tell: a secret with neither name nor shape; the part of an unquoted password after a space or `&`; a password
whose name is in another sentence. `token: word` and `password: word and more words` are read as prose, `token=f(x)` as
code, a value of one or two characters as no secret.

No detector library: detect-secrets 1.5.0 finds lines of source code that need a look, not the span to replace. Run on
our kinds of line, it gave `ghp` for a GitHub token and the first line for a private key; a URL's query, a cookie, a
`Bearer` token and Google's keys it knew by entropy alone, which takes an image digest too.
"""

import re
from collections.abc import Callable
from functools import lru_cache

Replace = Callable[[str], str]

TAG = r"\[redacted:[0-9a-f]{10}\]"
SHORTEST = 8  # characters of a value that is hunted
ONLY_TAGS = re.compile(rf"(?:{TAG}|\W)*+")
TAG_BUT_BRACKET = re.compile(TAG.removesuffix(r"\]"))

# --- names -----------------------------------------------------------------------------------------------------------

PASSWORDS = frozenset(("password passwords passwd pwd passphrase passcode").split())
SECRETS = PASSWORDS | frozenset(
    (
        "secret token credential credentials authorization jwt bearer signature sig dsn apikey phpsessid "
        "jsessionid sessionid"
    ).split()
)
SECRET_ENDINGS = ("password", "passwd", "secret", "token", "apikey", "accesskey", "secretkey", "privatekey")
# `API_KEY_STAGING`, `SECRET_KEY_BASE`, `password_hash`: the noun is the word before.
QUALIFIERS = frozenset(
    ("base value hash b64 base64 pem raw plain old new current previous prod production staging dev test v").split()
)
# Sec-WebSocket-Key is a nonce, sent in clear (RFC 6455 section 4.1, rule 7).
HARMLESS_KEYS = frozenset(
    (
        "websocket socket public publishable primary foreign partition cache sort row object group routing index "
        "hash range dedup idempotency lookup composite unique map dict translation message label tag column field "
        "missing unknown invalid"
    ).split()
)
QUERY_SECRETS = frozenset(
    {"key", "auth", "pass", "sid", "ticket", "session", "code", "otp", "nonce", "state"}
)  # in a URL's query; elsewhere too plain a word
# Each secret name holds one of these: most lines hold none, and need no search for names.
STEMS = tuple(
    "key pass pwd secret token credential auth jwt bearer sig dsn sess sid ticket code otp nonce state".split()
)
WORD_IN_NAME = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# --- values that are not secret --------------------------------------------------------------------------------------

PROSE = frozenset(
    (
        "is was are has had not no must may cannot could should does the this required invalid expired missing "
        "denied unknown empty rejected revoked refused failed malformed bad wrong given absent provided present "
        "verification permission field str string bytes int bool optional any error unexpected unsupported blank"
    ).split()
)
PROSE_WORD = re.compile(r"[a-z'.,:!()-]+|[0-9]{1,3}")
PLACEHOLDER = re.compile(
    r"(?i:none|null|nil|undefined|true|false|yes|no|on|off|n/a|empty|unset)|<[^<>]*>|x{3,}|\.+"
    r"|\$\{?\w+\}?|%\(?\w*\)?[sdr]|\{[^{}]*\}|\[[^\[\]]*\]"
    r"|(?://[\w.]+/)?projects/\S+|/\S+\.\w{2,5}|SIGNATURE_REMOVED_BY_GOOGLE"
)
CODE = re.compile(
    r"[A-Za-z_]+(?:\.\w+)*[(\[](?!redacted:)"
    r"|(?:self|cls|settings|config|os|request|args|kwargs|options|env|process|app|ctx)\.[A-Za-z_.]+$"
)
WORD = re.compile(r"[A-Z]?[a-z]{1,12}|[A-Z]{1,12}")
NEXT_WORD = re.compile(r" [a-z]{1,20}\b(?![=:])")

# --- where a value stands --------------------------------------------------------------------------------------------

GAP = r"(?:[ \t]|\x1b\[[0-9;]*m){0,8}+"  # IPython colours the parts of a traceback's source lines
NAMED = re.compile(
    r"(?<![\w.-])(?:(?<=\x1b\[)[0-9;]*m|(?<=%)[0-9A-Fa-f]{2}|(?<=\\)[nrt])?(?P<name>[\w.-]++)"
    rf"(?P<separator>(?:\\{{0,8}}[\"'])?{GAP}(?:=>|:=|==|=|:(?!//)|%3[DdAa])[ \t]?{GAP})"
)
FLAG = re.compile(r"(?<!\S)--(?P<name>\w[\w-]*+)(?P<separator>[ \t]+)(?!-)")
QUOTED = re.compile(r"[bBrRuUfF]{0,2}(?P<quote>\\{0,8}[\"'])(?P<secret>(?:(?!(?P=quote))(?:\\.|[^\r\n]))*+)")
SCHEME = r"(?i:(?:Bearer|Basic|Token|ApiKey|Negotiate|Key) +)?"
EMPTY = r"(?!(?<=\w= )[A-Z_][A-Z0-9_]*=)"  # `KEY= NEXT=x`: the next variable is no value of the one before it
UNQUOTED = re.compile(
    rf"{EMPTY}(?P<secret>{SCHEME}(?:{TAG}|[^\s,;&\"'<>\\\x1b]|\\(?![nrtu\"'\\/])|[,;](?!\s|$|[\w.-]++[=:]))++)"
)
PERCENT_ENCODED = re.compile(r"(?P<secret>(?:[\w.~+/=-]|%(?!26|20|3[Bb]|22|27)[0-9A-Fa-f]{2})++)")
TRAILING = ")]}>.,;:"

COOKIES = re.compile(
    rf"(?<![A-Za-z])[Cc](?:ookie|OOKIE)[\"']?{GAP}[:=,]{GAP}b?[\"']?(?P<secret>(?:[^\r\n\"']|(?<==)\"[^\r\n\"]*\")+)"
)
COOKIE = re.compile(rf"(?P<name>[\w.-]++)=\"?(?P<secret>(?:{TAG}|[^;,\s\"'\[])++)")
COOKIE_ATTRIBUTES = frozenset({"path", "domain", "expires", "max-age", "samesite", "secure", "httponly", "priority"})
PAIRS = (  # a header as ASGI servers print it, and {"name": …, "value": …} within a text
    re.compile(r"\(b?[\"'](?P<name>[\w-]+)[\"'], ?b?[\"'](?P<secret>[^\"'\r\n]*)"),
    re.compile(
        r"name\\*[\"']?[:=] ?\\*[\"'](?P<name>[\w.-]+)\\*[\"'],?\s{0,20}\\*[\"']?"
        r"value\\*[\"']?[:=] ?\\*[\"'](?P<secret>[^\"'\r\n\\]*)"
    ),
)

# --- shapes ----------------------------------------------------------------------------------------------------------

SHAPES = {
    "JSON Web Token": r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.(?!SIGNATURE_REMOVED_BY_GOOGLE)[\w-]*)?",
    "Google API key": r"AIza[\w-]{35}",
    "Google access token": r"ya29\.[\w.-]{10,}",
    "Google refresh token": r"1//0[\w-]{20,}",
    "Google client secret": r"GOCSPX-[\w-]{20,}",
    "AWS access key id": r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})",
    "GitLab token": r"glpat-[\w-]{20,}",
    "Slack token": r"(?:xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,})",
    "Slack webhook": r"hooks\.slack\.com/services/[\w/]{20,}",
    "Stripe key": r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}",
    "SendGrid key": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "OpenAI or Anthropic key": r"sk-(?:proj-|ant-|svcacct-)?[\w-]{20,}",
    "npm, PyPI or Hugging Face token": r"(?:npm_[A-Za-z0-9]{30,}|pypi-AgE[\w-]{30,}|hf_[A-Za-z0-9]{30,})",
    "private key in base64": r"LS0tLS1CRUdJTi(?:BQUklW|BSU0Eg|BFQyBQ|BPUEVO)[A-Za-z0-9+/=]{20,}",
}
BEGINNINGS = (
    r"eyJ|AIza|ya29\.|1//0|GOCSPX-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|hooks\.slack\.com"
    r"|[sr]k_|whsec|SG\.|sk-|npm_|pypi-|hf_|LS0tLS1CRUdJTi|-----BEGIN |://[^ ]*@"
)
SUSPECT = "|".join((*STEMS, "cookie", "env", r"[\\][u/]", BEGINNINGS))
"""What a text or a JSON document holds, in any case, if `replace_secrets` or a walk by names may change it (for RE2).

`env` names an object whose every value is replaced; behind an escape of JSON any letter may be.
"""
# A token starts a word; in an encoded text `%3D` or `\n` may stand before it.
WORD_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
SHAPED = (
    re.compile(  # a browser cannot set a header on a WebSocket, so tokens are offered as a subprotocol
        r"[Ss]ec-[Ww]eb[Ss]ocket-[Pp]rotocol[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"']?(?i:bearer|token|jwt|access_token),"
        r"[ \t]{0,4}(?P<secret>[^\s,;\"']{6,})"
    ),
    re.compile(rf"{WORD_START}(?P<secret>{'|'.join(SHAPES.values())})"),
    re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<secret>(?:[\w+/=\s\\:,]|-(?!----)){16,}+)"),
    re.compile(r"://[^\s/:@?#\"'<>]*+:(?P<secret>[^\s/\"'<>]+)(?=@[\w\[])"),
    re.compile(r"://(?P<secret>[^\s/:@?#\"'<>]{20,})(?=@[\w\[])"),
    re.compile(
        r"(?<![A-Za-z])[Bb](?:earer|EARER) +(?P<secret>(?=[A-Za-z.~+/_-]*\d|[\w.~+/-]{20})[\w.~+/-]{6,}+=*+)(?![=\"])"
    ),
)
CREDENTIAL = re.compile(rf"({SCHEME})(.*?)(\.SIGNATURE_REMOVED_BY_GOOGLE)?", re.DOTALL)


@lru_cache(maxsize=4096)
def is_secret_name(name: str, *, in_query: bool = False) -> bool:
    """Whether a value under this name is secret: the name's last noun decides.

    >>> [is_secret_name(name) for name in ("X-Api-Key", "dbPassword", "E2E_OAUTH_SIMULATION_KEY", "API_KEY_STAGING")]
    [True, True, True, True]
    >>> [is_secret_name(name) for name in ("E2E_TEST_ENV", "Sec-WebSocket-Key", "secretKeyRef", "prompt_tokens", "key")]
    [False, False, False, False, False]
    """
    words = _words(name)
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in QUALIFIERS):
        words.pop()
    if not words or name in {"PWD", "OLDPWD"}:  # a shell's working directories
        return False
    if words[-1] in {"key", "pass"} and len(words) > 1:
        return words[-2] not in HARMLESS_KEYS
    return words[-1] in SECRETS or words[-1].endswith(SECRET_ENDINGS) or (in_query and words[-1] in QUERY_SECRETS)


def is_hunted(value: str) -> bool:
    """Whether a learned value is looked for elsewhere: at least 8 characters, 4 different ones, and not prose.

    One word or two joined ones, a path of a file, a resource's name, `None` and the like are not hunted.

    >>> [is_hunted(value) for value in ("staging_e2e_key_2024", "correct-horse-battery")]
    [True, True]
    >>> [is_hunted(value) for value in ("production", "my-secret", "s3cr3t", "00000000", "/secrets/key.json")]
    [False, False, False, False, False]
    """
    words = re.split(r"[-_ .]", value, maxsplit=2)
    is_plain = len(words) <= 2 and all(map(WORD.fullmatch, words))
    is_long = len(value) >= SHORTEST and len(set(value)) >= 4
    is_ours = ONLY_TAGS.fullmatch(value) or value in "[redacted:"
    return is_long and not (is_plain or is_ours or PLACEHOLDER.fullmatch(value))


def replace_secrets(text: str, replace: Replace) -> str:
    """`text` with each value that is secret by shape or by name given through `replace`.

    >>> replace_secrets("wss://x/ws?token=abc123&room=7", lambda secret: "*" * len(secret))
    'wss://x/ws?token=******&room=7'
    """
    for shape in SHAPED:
        text = shape.sub(lambda match: _put(match, mask(match["secret"], replace)), text)
    lowered = text.lower()
    if "cookie" in lowered:
        text = COOKIES.sub(lambda match: _put(match, replace_cookies(match["secret"], replace)), text)
    if not any(stem in lowered for stem in STEMS):
        return text
    for pair in PAIRS:
        text = pair.sub(lambda match: _replace_pair(match, replace), text)
    return _replace_named(_replace_named(text, NAMED, replace), FLAG, replace)


def replace_cookies(header: str, replace: Replace) -> str:
    """A Cookie or Set-Cookie header's value with each cookie's value replaced; names and attributes stay.

    >>> replace_cookies("sid=8f3a91; Path=/; HttpOnly", lambda secret: "…")
    'sid=…; Path=/; HttpOnly'
    """
    if "=" not in header and " " not in header and not WORD.fullmatch(header):
        return mask(header, replace)
    return COOKIE.sub(lambda match: _replace_cookie(match, replace), header)


def mask(value: str, replace: Replace) -> str:
    """A value under a secret name with its secret part replaced: its scheme stays, and so do placeholders and prose.

    >>> [mask(value, lambda secret: "…") for value in ("Bearer abc123", "None", "Token is invalid or expired")]
    ['Bearer …', 'None', 'Token is invalid or expired']
    """
    scheme, secret, rest = CREDENTIAL.fullmatch(value).groups("")  # type: ignore[union-attr]  # it matches any text
    if len(secret) < 3 or ONLY_TAGS.fullmatch(secret) or PLACEHOLDER.fullmatch(secret) or _is_prose(secret):
        return value
    return f"{scheme}{replace(secret)}{rest}"


def _words(name: str) -> list[str]:
    return [word.lower() for word in WORD_IN_NAME.findall(name)]


def _is_prose(value: str) -> bool:
    """Whether a value is words about a secret ("This field is required.") and not a secret."""
    words = value.lower().split(maxsplit=40)
    return any(word.strip(".,:!") in PROSE for word in words) and all(map(PROSE_WORD.fullmatch, words))


def _put(match: re.Match[str], new: str) -> str:
    """The matched text with its group `secret` replaced."""
    start, end = (place - match.start() for place in match.span("secret"))
    return match[0][:start] + new + match[0][end:]


def _replace_pair(match: re.Match[str], replace: Replace) -> str:
    return _put(match, mask(match["secret"], replace)) if is_secret_name(match["name"]) else match[0]


def _replace_cookie(match: re.Match[str], replace: Replace) -> str:
    is_attribute = match["name"].lower() in COOKIE_ATTRIBUTES
    return match[0] if is_attribute else _put(match, mask(match["secret"], replace))


def _replace_named(text: str, names: re.Pattern[str], replace: Replace) -> str:
    """`text` with the value behind each secret name replaced; in `config: api_key=…` a value is itself a name."""
    parts, done = [], 0
    for name in names.finditer(text):
        span = _value(text, name) if name.start() >= done and _is_secret_in(text, name) else None
        if span:
            parts += [text[done : span[0]], mask(text[slice(*span)], replace)]
            done = span[1]
    return "".join([*parts, text[done:]])


def _is_secret_in(text: str, name: re.Match[str]) -> bool:
    in_query = text.endswith(("?", "&", "%3F", "%3f", "%26"), 0, name.start("name"))
    return is_secret_name(name["name"][-200:], in_query=in_query)


def _value(text: str, name: re.Match[str]) -> tuple[int, int] | None:
    """Where the value behind a name starts and ends; None if what follows is code or prose."""
    if quoted := QUOTED.match(text, name.end()):
        return quoted.span("secret")
    value = (PERCENT_ENCODED if "%3" in name["separator"] else UNQUOTED).match(text, name.end())
    if not value or CODE.match(value[0]) or _is_remark(text, name, value):
        return None
    stripped = value[0].rstrip(TRAILING)
    if stripped == name["name"]:  # token=token
        return None
    return value.start(), value.start() + len(stripped) + bool(TAG_BUT_BRACKET.fullmatch(stripped[-20:]))


def _is_remark(text: str, name: re.Match[str], value: re.Match[str]) -> bool:
    """Whether `name: word` is a remark ("secret: access for account"); about a password only if more words follow."""
    if not (name["separator"].endswith(" ") and "=" not in name["separator"] and WORD.fullmatch(value[0])):
        return False
    return _words(name["name"])[-1] not in PASSWORDS or bool(NEXT_WORD.match(text, value.end()))

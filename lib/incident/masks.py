"""What varies in a line of a log and can be taken out by patterns alone, here and in SQL alike.

Decides: which parts of a line are values and not words: times, numbers, ids, addresses, paths, and the time and level
that a logger puts before its message. Reads: one text, nothing else, so that equal lines are equal on every machine,
in every run and in whatever engine. Cannot tell: a name that varies (`user root`, `user guest`) from a word that does
not; that takes several lines, and `analysis.lines` does it. Knows nothing of secrets: redaction comes first.

Every pattern is in RE2's syntax, without lookaround and backreference and without `\\s`, which differs between engines,
so that BigQuery's REGEXP_REPLACE and this package's own engine, RE2 too, read it alike and in linear time; `$` is the
end of the text. Applying all of them twice is applying them once: no digit is left after the first time.
"""

from __future__ import annotations

from typing import Final

LONGEST_LINE: Final = 2000
"""Characters of a text that are read; in SQL, `SUBSTR(text, 1, 2000)` before the first pattern."""

BLANK = r" \t\r\n\f"
LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRITICAL|FATAL|ALERT|EMERGENCY|PANIC)"
DATE = r"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}"
CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
ZONE = r"(?: ?(?:Z\b|UTC\b|[+-][0-9]{2}:?[0-9]{2}\b))"
STAMP = rf"{DATE}(?:[T ]{CLOCK})?{ZONE}?\b"
WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t|tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
ZONE_NAME = r"(?:UTC|GMT|[ECMP][SD]T|[CEW]ES?T|BST|IST|JST|KST|MSK|AE[SD]T|[+-][0-9]{4})"
YEAR = r"(?:,? [0-9]{4}\b)"
WRITTEN_DATE = rf"(?:[0-9]{{1,2}}[ /-]{MONTH}(?:[ /-][0-9]{{4}})?|{MONTH} +[0-9]{{1,2}}\b{YEAR}?)"
HEX = r"[0-9A-Fa-f]"
LABEL = r"[0-9A-Za-z_-]+"
OUTSIDE_PATH = r" \t\r\n\f\"'`<>()\[\]{}:,;=/\\?*"
OUTSIDE_URL = r" \t\r\n\f\"'`<>()\[\]{},;"
PATH = rf"(?:(?:\.{{0,2}}[/\\]+[^{OUTSIDE_PATH}]+){{2,}}|\.{{1,2}}[/\\]+[^{OUTSIDE_PATH}]+)"
UNIT = r"(?:[KMGTP]?i?B|[mun]?s|[Ss]ecs?|[Ss]econds?|[Mm]ins?|[Mm]inutes?|[Hh]ours?|[Dd]ays?)\b"
NUMBER = r"[0-9]+(?:[.,:][0-9]+)*"
JOIN = r"[.,:_/@+-]*"

PREMASK: Final[tuple[tuple[str, str], ...]] = (
    # The time, process number and level before the message; a line that is nothing else stays.
    (rf"^[{BLANK}]*(?:\[?{STAMP}\]?|\[?{LEVEL}\b\]?|\[[0-9]+\]|[ \t:|-]+)+([^{BLANK}:|*-])", r"\1"),
    (r"\[redacted:[^\]\n]*\]", "*"),
    # URLs, mailboxes, absolute paths of two parts and more with their query.
    (rf"\b[A-Za-z][0-9A-Za-z+.-]*://[^{OUTSIDE_URL}]+", "*"),
    (rf"\b[0-9A-Za-z._%+-]+@{LABEL}(?:\.{LABEL})+", "*"),
    (rf"(^|[{BLANK}\"'`(=\[<:,])(?:[A-Za-z]:)?{PATH}[/\\]*(?:\?[^{OUTSIDE_URL}]*)?", r"\1*"),
    # Times in words, as the C library, HTTP and Apache write them; then ISO 8601.
    (rf"\b(?:{WEEKDAY},? +)?{WRITTEN_DATE}(?:[ :T]+{CLOCK})?(?: +{ZONE_NAME})?{YEAR}?\b", "*"),
    (rf"\b{STAMP}", "*"),
    # Hosts, by their top level, by a digit or hyphen in their first label, or by a port; Ethernet, IPv6.
    (rf"\b(?:{LABEL}\.)+(?:com|net|org|edu|gov|internal)(?:\.[a-z]{{2}})?(\.?(?:[^0-9A-Za-z_.*-]|$))", r"*\1"),
    (rf"(^|[^0-9A-Za-z_.*-])[0-9A-Za-z]*[0-9-][0-9A-Za-z-]*(?:\.{LABEL}){{2,}}", r"\1*"),
    (rf"\b(?:{LABEL}\.){{2,}}{LABEL}:([0-9])", r"*:\1"),
    (rf"\b(?:{HEX}{{2}}[:-]){{3,}}{HEX}{{2}}\b", "*"),
    (rf"\b{HEX}*[0-9]{HEX}*(?:(?:::?{HEX}+){{2,}}|::{HEX}*)", "*"),
    # Identifiers: UUIDs, long and marked hexadecimal, words that go from digits to letters and back.
    (rf"\b{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}", "*"),
    (rf"\b(?:{HEX}{{8,}}|0[xX]{HEX}+)\b", "*"),
    (r"\b[A-Za-z]*[0-9]+[A-Za-z]+[0-9][0-9A-Za-z_]*", "*"),
    # Quantities with their unit, then every number that is left, with the letters that hang on it.
    (rf"[<>~]?{NUMBER} ?{UNIT}", "*"),
    (rf"{NUMBER}(?:%|[A-Za-z][0-9A-Za-z_]*)?", "*"),
    # Words that are values whatever stands beside them: hexadecimal without a digit, the values of no and two choices.
    (rf"\b{HEX}{{8,}}\b", "*"),
    (rf"@{HEX}{{4,}}\b", "@*"),
    (r"=(?:[Tt]rue|[Ff]alse|null|None|nil|undefined)\b", "=*"),
    # What holds together is one value: a sign, a port, the parts of a dotted or underscored id.
    (r"(^|[^0-9A-Za-z*+-])[+-]+\*", r"\1*"),
    (rf"\*(?:{JOIN}(?:[A-Za-z]{JOIN})?\*)+", "*"),
)
"""(pattern in RE2's syntax, replacement) in the order they are to be applied; `\\1` is what the first group matched."""

LOOKS_LIKE_ERROR: Final = (
    r"(?:^|[\s\[\]|:=\"-])(?:ERROR|CRITICAL|FATAL|PANIC|SEVERE)(?:[^A-Za-z0-9_]|$)"
    r"|(?i:^\W*(?:failed|fatal|unhandled|uncaught|panic)\b|\b\w+(?:Error|Exception)\b: )"
    r"|^\W*(?:Reason|Caused by): "
)
"""What a line of no severity says when something failed, in a syntax that RE2 and `re` share."""

STARTS: Final = 200
"""Characters in which a line that looks like an error says so."""

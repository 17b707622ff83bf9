"""The SQL that reduces a service's log entries, of any number, to groups with counts and a few rows of each.

Decides, in BigQuery: each entry once, by log, time and insert id, as the Logging API gives them; a Python traceback
that came a line an entry is one entry again, by instance; entries are one group where nothing that is read of an entry
tells them apart: log, revision, severity, the masked text, a structured logger's name, level and stack trace, whether
the text looks like an error, and of a request its method, status, host, path, client, protocol; within one stretch of
the window. A group comes with its count, its first and its last row, and others by chance. What our own probes caused,
by user agent or trace, stays as it is. A key may be finer than what the analysis tells apart, never coarser, so that
grouping the rows gives the groups of all entries, with their counts and their first and last times.

Masks: a line of an application by `masks.PREMASK`; a text of several lines by its numbers alone, since a mask would
take out the files of a stack trace; the platform's own entries not at all, since an exit's code is its meaning. Cannot
tell: the parts of an entry that was too large and was split, which stay entries of their own.

Values that come from outside are query parameters; the name of the table is checked by `linked.Linked`. Source:
cloud.google.com/bigquery/docs/reference/standard-sql (lexical structure, navigation and aggregate functions); columns
as in GoogleCloudPlatform/observability-analytics-samples, `http_request.latency` being seconds and nanos.
"""

from __future__ import annotations

from typing import Final

from incident import platform
from incident.masks import LONGEST_LINE, LOOKS_LIKE_ERROR, PREMASK, STARTS

SAMPLE: Final = 1000
"""The most rows of a group in one stretch, beside its first and its last."""

OUR_AGENT: Final = r"^incident/\S+ \(probe [0-9A-Za-z-]+\)$"
HEADER: Final = "Traceback (most recent call last):"
VALUES: Final = r"0[xX][0-9A-Fa-f]+|[0-9]+"
ID_IN_PATH: Final = r"/(?:(?i:[0-9a-f]{8,}(?:-[0-9a-f]{4,})*)|[0-9]+|[^/]{33,})(/|$)"
"""A part of a path that varies, as `analysis.requests.path_shape` has it; twice, since neighbours share a slash."""

CLIENT: Final = r"^([^/\s(]{1,40})"
"""The first product of a user agent, as `analysis.requests.client` has it."""

SEVERE: Final = ("WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
MESSAGES: Final = ("message", "msg", "event", "error", "err")
LOGGERS: Final = ("logger", "logger_name", "loggerName", "name")
LEVELS: Final = ("severity", "level", "levelname")
STACKS: Final = (
    "stack",
    "stack_trace",
    "stackTrace",
    "stacktrace",
    "exception",
    "exc_info",
    "exc_text",
    "error",
    "err",
)
"""The fields of a structured entry that `analysis.structured` reads, in its order."""

ROW: Final = (
    "log_name", "timestamp", "receive_timestamp", "insert_id", "severity", "trace", "span_id", "revision_name",
    "text_payload", "json_payload", "labels", "request_method", "request_url", "status", "user_agent", "protocol",
    "remote_ip", "latency_s", "latency_ns",
)  # fmt: skip
"""The fields of a row that comes back."""

KEYS: Final = (
    "log_name", "revision_name", "severity", "request_method", "status", "protocol", "own", "mask", "looks", "logger",
    "level", "raised", "host", "shape", "client", "stretch",
)  # fmt: skip
"""What entries of one group have in common."""


def literal(text: str) -> str:
    r"""A text as a string literal of GoogleSQL.

    >>> print(literal('a "b" \\d'))
    "a \"b\" \\d"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def replaced(text: str, pattern: str, replacement: str) -> str:
    """SQL that replaces each match of a pattern of RE2."""
    return f"REGEXP_REPLACE({text}, {literal(pattern)}, {literal(replacement)})"


def premasked(text: str) -> str:
    """SQL that takes out of a line what `masks.PREMASK` does."""
    masked = f"SUBSTR({text}, 1, {LONGEST_LINE})"
    for pattern, replacement in PREMASK:
        masked = replaced(masked, pattern, replacement)
    return masked


def first_of(names: tuple[str, ...], *below: str) -> str:
    """SQL for the first of some fields of the JSON payload that holds more than blanks."""
    paths = [f"$.{name}{inner}" for name in names for inner in ("", *below)]
    values = (f"NULLIF(TRIM(JSON_VALUE(json_payload, '{path}')), '')" for path in paths)
    return f"COALESCE({', '.join(values)})"


def reduction(table: str, stretches: int, seconds: int, rows: int) -> str:
    """The whole query: a row of ROW with its group's number and count, and how many groups and entries there are.

    `stretches` is into how many parts the window of so many `seconds` is cut; at most about `rows` rows come. The
    parameters are @start, @end, @service, @region, @log_names and @traces (the traces of this run's handshakes).
    """
    most = max(rows // 2, 1)
    held = ", ".join(f"{name} AS {name}" for name in ROW)
    return f"""
WITH once AS ({_once(table)}),
marked AS ({_marked()}),
traced AS ({_traced()}),
whole AS ({_whole()}),
keyed AS ({_keyed(max(-(-seconds // stretches), 1))}),
grouped AS (
  SELECT
    COUNT(*) AS entry_count, MAX(timestamp) AS last_time, MIN(useful) AS useful,
    ARRAY_CONCAT(
      [ANY_VALUE(STRUCT({held}) HAVING MIN moment), ANY_VALUE(STRUCT({held}) HAVING MAX moment)],
      ARRAY_AGG(STRUCT({held}) ORDER BY chance LIMIT {SAMPLE})
    ) AS kept
  FROM keyed
  GROUP BY {", ".join(KEYS)}
),
numbered AS (
  SELECT *,
    ROW_NUMBER() OVER (ORDER BY useful, last_time DESC) AS number,
    COUNT(*) OVER () AS all_groups, SUM(entry_count) OVER () AS all_entries
  FROM grouped
)
SELECT number, entry_count, all_groups, all_entries, {", ".join(f"one.{name} AS {name}" for name in ROW)}
FROM numbered CROSS JOIN UNNEST(kept) AS one WITH OFFSET AS at_place
WHERE number <= {most} AND at_place < GREATEST(2, DIV({rows}, LEAST(all_groups, {most})))
ORDER BY number, at_place
"""


def _once(table: str) -> str:
    """Each entry of the service in the window, once."""
    return f"""
  SELECT
    log_name, timestamp, receive_timestamp, insert_id, severity, NULLIF(trace, '') AS trace, span_id, text_payload,
    json_payload, labels, JSON_VALUE(labels, '$.instanceId') AS instance_id,
    JSON_VALUE(resource.labels, '$.revision_name') AS revision_name,
    http_request.request_method AS request_method, http_request.request_url AS request_url,
    http_request.status AS status, http_request.user_agent AS user_agent, http_request.protocol AS protocol,
    http_request.remote_ip AS remote_ip,
    http_request.latency.seconds AS latency_s, http_request.latency.nanos AS latency_ns
  FROM {table}
  WHERE timestamp >= @start AND timestamp < @end
    AND log_name IN UNNEST(@log_names) AND resource.type = 'cloud_run_revision'
    AND JSON_VALUE(resource.labels, '$.service_name') = @service AND JSON_VALUE(resource.labels, '$.location') = @region
  QUALIFY ROW_NUMBER() OVER (PARTITION BY log_name, timestamp, insert_id ORDER BY receive_timestamp) = 1
"""


def _marked() -> str:
    """Which entries our own probes caused, and which lines begin or go on with a stack trace."""
    ours = f"REGEXP_CONTAINS(IFNULL(user_agent, ''), {literal(OUR_AGENT)}) OR IFNULL(trace IN UNNEST(@traces), FALSE)"
    text = "IFNULL(text_payload, '')"
    return f"""
  SELECT *,
    LOGICAL_OR({ours}) OVER (PARTITION BY IFNULL(trace, CONCAT(log_name, insert_id))) AS is_probe,
    STARTS_WITH({text}, {literal(HEADER)}) AND STRPOS({text}, {literal(chr(10))}) = 0 AS opens,
    STARTS_WITH({text}, ' ') OR STARTS_WITH({text}, {literal(chr(9))}) AS goes_on,
    IFNULL(instance_id, CONCAT(log_name, insert_id)) AS place
  FROM once
"""


def _traced() -> str:
    """The number of the stack trace that each line of an instance is of, null where it is of none."""
    order = "ORDER BY timestamp, insert_id ROWS BETWEEN UNBOUNDED PRECEDING AND"
    return f"""
  SELECT *, IF(
      run > 0 AND instance_id IS NOT NULL AND IFNULL(SUM(IF(opens OR goes_on, 0, 1)) OVER (
        PARTITION BY log_name, place, run {order} 1 PRECEDING), 0) = 0,
      run, NULL) AS stack
  FROM (
    SELECT *, SUM(IF(opens, 1, 0)) OVER (PARTITION BY log_name, place {order} CURRENT ROW) AS run FROM marked
  )
"""


def _whole() -> str:
    """Entries with stack traces in one piece, in the entry of their first line."""
    apart = "IFNULL(CAST(stack AS STRING), CONCAT('/', insert_id))"
    return f"""
  SELECT * EXCEPT (joined, text_payload), IF(stack IS NULL, text_payload, joined) AS text_payload
  FROM (
    SELECT *, STRING_AGG(IFNULL(text_payload, ''), {literal(chr(10))}) OVER (
      PARTITION BY log_name, place, {apart}, IF(stack IS NULL, timestamp, NULL) ORDER BY timestamp, insert_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS joined
    FROM traced
  )
  WHERE stack IS NULL OR opens
"""


def _keyed(width: int) -> str:
    """The key of each entry, and how useful it is: lower is more."""
    system = f"ENDS_WITH(log_name, {literal(platform.SYSTEM.replace('/', '%2F'))})"
    looks = f"REGEXP_CONTAINS(SUBSTR(text, 1, {STARTS}), {literal(LOOKS_LIKE_ERROR)})"
    path = replaced(replaced("path", ID_IN_PATH, r"/*\1"), ID_IN_PATH, r"/*\1")
    severe = ", ".join(literal(name) for name in SEVERE)
    kept = ", ".join(name for name in ROW if name not in ("json_payload", "labels"))
    return f"""
  SELECT {kept}, IF(is_probe, insert_id, NULL) AS own,
    CONCAT(CAST(UNIX_MICROS(timestamp) AS STRING), insert_id) AS moment, TO_HEX(MD5(insert_id)) AS chance,
    IF(json_payload IS NULL, NULL, TO_JSON_STRING(json_payload)) AS json_payload, TO_JSON_STRING(labels) AS labels,
    CASE
      WHEN {system} THEN text
      WHEN STRPOS(text, {literal(chr(10))}) > 0 THEN {replaced("text", VALUES, "*")}
      ELSE {premasked("text")}
    END AS mask,
    {looks} AS looks,
    {first_of(LOGGERS)} AS logger,
    {first_of(LEVELS)} AS level,
    {replaced(first_of(STACKS, *(f".{name}" for name in STACKS[:4])), VALUES, "*")} AS raised,
    host, {path} AS shape,
    REGEXP_EXTRACT(user_agent, {literal(CLIENT)}) AS client,
    DIV(TIMESTAMP_DIFF(timestamp, @start, SECOND), {width}) AS stretch,
    CASE
      WHEN is_probe OR {system} OR severity IN ({severe}) OR {looks} THEN 0
      WHEN status >= 400 THEN 0
      ELSE 1
    END AS useful
  FROM (
    SELECT *,
      IFNULL(NULLIF(text_payload, ''), IFNULL({first_of(MESSAGES, ".message")}, '')) AS text,
      REGEXP_EXTRACT(request_url, r'^[A-Za-z]+://([^/?#]*)') AS host,
      REGEXP_EXTRACT(request_url, r'^(?:[A-Za-z]+://[^/?#]*)?([^?#]*)') AS path
    FROM whole
  )
"""

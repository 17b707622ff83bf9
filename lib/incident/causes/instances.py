"""Instances that end while they serve, or that are not there when they are needed."""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.requests import weight
from incident.causes.lines import SERVER_ERROR, on_instances, system_lines
from incident.causes.remedies import read_logs, services
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.causes.startup import early_ends
from incident.findings import Finding

READS = ("logs", "revisions")
ENDS = (platform.CONTAINER_EXIT, platform.CONTAINER_SIGNAL, platform.UNCAUGHT_SIGNAL, platform.LIVENESS_PROBE_FAILED)
NONE_FREE = (platform.NO_INSTANCE.name, platform.NO_INSTANCE_SCALING.name, platform.INSTANCE_LIMIT.name)
OFTEN = 3
"""So many ends without a failing request are still no accident."""

AFTER_THE_END = pd.Timedelta("60s")


@rule("memory-limit", *READS)
def memory_limit(case: Case) -> Finding:
    """An instance used more memory than its limit, and Cloud Run stopped it with every socket on it.

    Reads: the platform's own entries on instances, so a silent container still shows it; the requests that those
    instances had.

    Says failed: where the platform says that a memory limit was exceeded.

    Ruled out by: whole logs without that entry.

    Cannot tell: which container of several used the memory; whether it leaks or needs it, for which memory must be
    looked at over time.

    To mend it: raise the limit (`gcloud run services update --memory`), or lower the concurrency: every open socket
    holds memory until it closes.
    """
    kills = system_lines(case, platform.MEMORY_LIMIT)
    if kills.empty:
        return not_found("memory-limit", case, READS)
    said = [match for text in kills["text"] if (match := platform.MEMORY_LIMIT.search(text))]
    on = numbers(case, kills["revision_name"].dropna())
    because = f"{said[-1]['limit']} was exceeded {weight(kills).sum()} × on {on}, last with {said[-1]['used']} used"
    command = services(case, "update", "--memory", _twice(said[-1]["limit"]))
    remedy = f"{command}, or lower --concurrency: every open socket holds memory until it closes"
    failing = pd.concat([ended_with(case, kills), _by_text(case, platform.MEMORY_REQUEST.name)])
    failing = failing[~failing.index.duplicated()]
    return found("memory-limit", case, because, remedy, shown=kills, failing=failing)


@rule("instance-crash", *READS)
def instance_crash(case: Case) -> Finding:
    """An instance ended by itself, or was shut down, after it had served: no failure to start, and not its memory.

    Reads: exits, signals and failed liveness probes in the platform's own log, and the requests of those instances.

    Says failed: where an instance that had answered ended so, and requests failed with it; or where that happened three
    times or more.

    Ruled out by: whole logs without such an end; a memory limit that was exceeded on the instance; an instance that
    ended before it answered anything, which is a failure to start.

    Cannot tell: why native code aborted, where the process left no words; an end that a person asked for from inside.

    To mend it: read what the instance wrote last; a signal 11 or 6 comes from native code, 9 from outside.
    """
    ends = system_lines(case, *ENDS)
    early, killed = early_ends(case), system_lines(case, platform.MEMORY_LIMIT)
    at_start = set(early["instance_id"]) | set(killed["instance_id"].dropna())
    ends = ends[
        ends["instance_id"].notna() & ~ends["instance_id"].isin(at_start) & ends["text"].map(_is_failure).astype("bool")
    ]
    served = set(case.requests.loc[~case.requests["failed"], "instance_id"].dropna())
    ends = ends[ends["instance_id"].isin(served)]
    failing = ended_with(case, ends)
    if ends.empty:
        return not_found("instance-crash", case, READS)
    instances = ends["instance_id"].nunique()
    last = ends["text"].iloc[-1].split("\n", 1)[0].rstrip(".")[:120]
    where = numbers(case, ends["revision_name"].dropna())
    because = f"{instances} instances of {where} ended while they served, last: {last}"
    remedy = f"read what they wrote last: {read_logs(case, 'Container')}, then mend it, build and deploy"
    if failing.empty and instances < OFTEN:
        return undecided("instance-crash", case, f"{because}; no request failed with it", remedy, shown=ends)
    return found("instance-crash", case, because, remedy, shown=ends, failing=failing)


@rule("no-instance", *READS)
def no_instance(case: Case) -> Finding:
    """Requests were turned away because no instance was free, and no other was there or could be started in time.

    Reads: request entries with the platform's own sentence that no instance was available.

    Says failed: where the platform said so of a request.

    Ruled out by: whole logs without that sentence.

    Cannot tell: whether the load was meant; each open socket holds one place of an instance for its whole life.

    To mend it: raise the most instances (429) or the fewest (500: scaling was too slow), or the concurrency.
    """
    turned = case.requests[case.requests["platform_text"].isin(NONE_FREE)]
    if turned.empty:
        return not_found("no-instance", case, READS)
    counts = turned.groupby("http_request_status")["weight"].sum()
    statuses = " and ".join(f"{count} × {status}" for status, count in counts.items())
    where = numbers(case, turned["revision_name"].dropna())
    most, places = _limits(case, turned)
    because = f"requests were turned away {statuses} on {where}: no instance was free{most}"
    remedy = f"{services(case, 'update', '--max-instances', '100')}, or raise --concurrency{places}"
    return found("no-instance", case, because, remedy, shown=turned, failing=turned)


def ended_with(case: Case, ends: pd.DataFrame) -> pd.DataFrame:
    """The requests that failed on the instances of some ends, around or after that moment."""
    failed = on_instances(case.failed_requests, ends)
    failed = failed[failed["http_request_status"] >= SERVER_ERROR]
    last = ends.groupby("instance_id", observed=True)["timestamp"].max()
    end = pd.to_datetime(failed["instance_id"].astype("object").map(last.to_dict()), utc=True)
    return failed[(failed["ended"] >= end - AFTER_THE_END) & (failed["timestamp"] <= end + AFTER_THE_END)]


def _by_text(case: Case, name: str) -> pd.DataFrame:
    return case.failed_requests[case.failed_requests["platform_text"] == name]


def _is_failure(text: str) -> bool:
    return not platform.CONTAINER_EXIT_ZERO.search(text)


def _twice(limit: str) -> str:
    """Twice a limit as gcloud takes it, from the platform's words.

    >>> _twice("512 MiB")
    '1024Mi'
    """
    number, _, unit = limit.partition(" ")
    return f"{int(float(number) * 2)}{unit.removesuffix('B')}" if number.replace(".", "").isdigit() else "1Gi"


def _limits(case: Case, turned: pd.DataFrame) -> tuple[str, str]:
    """The settings that bound how many requests the revision takes at once, in words."""
    settings = case.settings_of(case.age_order(turned["revision_name"].dropna()))
    most, each = settings.get("max_instance_count"), settings.get("concurrency")
    words = f"; at most {most} of them, {each} requests each" if most and each else ""
    return words, f" (now {each})" if each else ""

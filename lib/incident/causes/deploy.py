"""Deploys whose revision never became ready: no image, no secret, no port, or not in time.

Such a revision serves nobody and the one before it keeps the traffic, so that clients may notice nothing: it is a fault
all the same, and an active one while it is the newest, since what was to go live has not.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.causes.remedies import read_logs, services
from incident.causes.rules import found, not_found, rule, undecided
from incident.causes.startup import is_end
from incident.findings import Finding
from incident.frames import keys

READS = ("revisions", "logs")
NO_PORT = (platform.PORT_NOT_LISTENING, platform.STARTUP_PROBE_UNMET)
AT_WORK = 0.5
"""A process that still wrote in the second half of its time to start was at work; one that fell silent may hang."""


@rule("image-unavailable", "revisions")
def image_unavailable(case: Case) -> Finding:
    """A revision's image is not in the registry, or Cloud Run may not read it.

    Reads: the revisions that are not ready, and the reason that Cloud Run gives.

    Says failed: where the reason is that the image was not found, or that the service agent must have permission to
    read it.

    Ruled out by: revisions that are all ready, or not ready for another reason.

    Cannot tell: whether the image was deleted or never pushed.

    To mend it: push the image, or grant the service agent `roles/artifactregistry.reader`; then deploy again.
    """
    unready = _never_ready(case, platform.IMAGE_NOT_FOUND, platform.IMAGE_DENIED)
    if not unready:
        return not_found("image-unavailable", case, ("revisions",))
    revision = unready[-1]
    if denied := platform.IMAGE_DENIED.search(revision["ready_message"]):
        grant = f"--member serviceAccount:{denied['agent']} --role roles/artifactregistry.reader"
        remedy = f"grant it: gcloud projects add-iam-policy-binding {case.evidence.scope.project} {grant}; deploy again"
        return _unready("image-unavailable", case, unready, "Cloud Run may not read its image", remedy)
    return _unready(
        "image-unavailable", case, unready, "its image was not found",
        f"push the image, then deploy again; builds: gcloud builds list --project {case.evidence.scope.project}",
    )  # fmt: skip


@rule("secret-unavailable", "revisions")
def secret_unavailable(case: Case) -> Finding:
    """A revision reads a secret that its service account may not read.

    Reads: the revisions that are not ready, and the reason that Cloud Run gives.

    Says failed: where the reason is that permission was denied on a secret.

    Ruled out by: revisions that are all ready, or not ready for another reason.

    Cannot tell: whether the secret's value is right; a secret that was destroyed later, which only new instances
    notice.

    To mend it: grant the service account `roles/secretmanager.secretAccessor` on the secret, then deploy again.
    """
    unready = _never_ready(case, platform.SECRET_DENIED)
    if not unready:
        return not_found("secret-unavailable", case, ("revisions",))
    denied = platform.SECRET_DENIED.search(unready[-1]["ready_message"])
    assert denied is not None
    secret, account = denied["secret"].split("/versions/", 1)[0], denied["account"]
    name, project = secret.rpartition("/")[2], secret.split("/")[1] if secret.startswith("projects/") else ""
    command = (
        f"gcloud secrets add-iam-policy-binding {name} --member serviceAccount:{account} "
        f"--role roles/secretmanager.secretAccessor --project {project or case.evidence.scope.project}"
    )
    return _unready("secret-unavailable", case, unready, f"{account} may not read {secret}", f"{command}; deploy again")


@rule("port-not-listening", *READS)
def port_not_listening(case: Case) -> Finding:
    """A container never listened on the port that Cloud Run asks at, though its process lived.

    Reads: the revisions that are not ready, failed startup probes, and what the instances wrote meanwhile.

    Says failed: where the probe failed while the process lived and its own lines say that it listens: elsewhere, then.

    Ruled out by: revisions that are all ready; a process that had ended before (that is startup-exception); one that
    was still at work when its time was over (that is startup-timeout).

    Cannot tell: a process that wrote nothing from one that hangs.

    To mend it: listen on the port in the variable PORT, on all addresses; or name the port (`--port`).
    """
    return _port_or_time(case, "port-not-listening")


@rule("startup-timeout", *READS)
def startup_timeout(case: Case) -> Finding:
    """A container was stopped before it listened, since it took longer to start than its startup probe waits.

    Reads: the revisions that are not ready, failed startup probes, and what the instances wrote meanwhile.

    Says failed: where the probe failed while the process was still at work: it went on writing into the second half of
    its time, and never said that it listens.

    Ruled out by: revisions that are all ready; a process that had ended before; one that says that it listens.

    Cannot tell: a process that is slow from one that would never end, where both keep writing.

    To mend it: start faster, or wait longer: a startup probe with more attempts, at most 240 s in all.
    """
    return _port_or_time(case, "startup-timeout")


def _port_or_time(case: Case, name: str) -> Finding:
    unready = [row for row in _never_ready(case, *NO_PORT) if not _ended(case, row)]
    states = {row["revision_name"]: _state(case, row) for row in unready}
    wanted = {"port-not-listening": "listens", "startup-timeout": "at work"}[name]
    mine = [row for row in unready if states[row["revision_name"]] == wanted]
    silent = [row for row in unready if states[row["revision_name"]] == "silent"]
    if mine:
        return _unready(name, case, mine, _port_words(case, mine[-1], name), _port_remedy(case, name))
    if silent:
        number = short_name(silent[-1]["revision_name"])
        because = f"{number} did not listen in time, and wrote nothing that says if it was slow or listens elsewhere"
        settle = f"what {number} does at its start: {read_logs(case, 'STARTUP')}"
        return undecided(name, case, because, _port_remedy(case, name), missing=(settle,))
    ended = _never_ready(case, *NO_PORT) and not unready
    return not_found(name, case, READS, "the process that did not listen had ended before, by itself" if ended else "")


def _state(case: Case, row: dict[str, Any]) -> str:
    """What a revision's process was at when its time to start was over: listens, at work, or silent."""
    said = _own_lines(case, row)
    if any(platform.APPLICATION_LISTENS.search(text) for text in said["text"]):
        return "listens"
    starts = _of_revision(case, row, *platform.STARTS)
    fails = _of_revision(case, row, platform.STARTUP_PROBE_FAILED)
    if said.empty or starts.empty or fails.empty:
        return "silent"
    middle = starts["timestamp"].min() + AT_WORK * (fails["timestamp"].max() - starts["timestamp"].min())
    return "at work" if said["timestamp"].max() >= middle else "silent"


def _ended(case: Case, row: dict[str, Any]) -> bool:
    """Whether the revision's process ended by itself, which is a failure of another kind."""
    own = _of_revision(case, row)
    return bool(own["text"].map(is_end).any())


def _own_lines(case: Case, row: dict[str, Any]) -> pd.DataFrame:
    own = _of_revision(case, row)
    return own[~own["log_name"].astype("str").str.contains("varlog")]


def _of_revision(case: Case, row: dict[str, Any], *texts: platform.PlatformText) -> pd.DataFrame:
    logs = case.evidence.service_logs
    own = logs[(logs["revision_name"] == row["revision_name"]) & logs["text"].notna()]
    said = [not texts or any(known.search(text) for known in texts) for text in own["text"]]
    return own[pd.Series(said, index=own.index, dtype="bool")]


def _never_ready(case: Case, *texts: platform.PlatformText) -> list[dict[str, Any]]:
    """The revisions in play that are not ready for one of some reasons, oldest first."""
    unready = case.revisions[case.revisions["ready"].eq(False).fillna(False) & case.revisions["ready_message"].notna()]
    rows: list[dict[str, Any]] = unready.to_dict("records")
    return [row for row in rows if any(text.search(row["ready_message"]) for text in texts)]


def _unready(name: str, case: Case, rows: list[dict[str, Any]], why: str, remedy: str) -> Finding:
    """A finding on revisions that never became ready; active while the last of them is the newest revision."""
    names = [row["revision_name"] for row in rows]
    later = case.revisions[case.revisions["create_time"] > rows[-1]["create_time"]]
    ready = later[later["ready"].eq(True).fillna(False)]
    serving = ", ".join(map(short_name, case.serving)) or "nobody"
    because = f"{short_name(names[-1])} never became ready: {why}; clients are served by {serving}"
    revisions = case.evidence.revisions[case.evidence.revisions["revision_name"].isin(names)]
    failing = case.failed_requests[case.failed_requests["revision_name"].isin(names)]
    fails = pd.concat([_of_revision(case, row, platform.STARTUP_PROBE_FAILED) for row in rows])
    return found(
        name, case, because, remedy, shown=fails, failing=failing, revisions=names, started=rows[0]["create_time"],
        active=ready.empty, introduced_by=names[0], evidence=keys("revisions", revisions),
        mended_by=None if ready.empty else str(ready["revision_name"].iloc[0]),
    )  # fmt: skip


def _port_words(case: Case, row: dict[str, Any], name: str) -> str:
    if name == "startup-timeout":
        said = _own_lines(case, row)["text"].iloc[-1].split("\n", 1)[0][:120]
        return f"its time to start was over while it was at work, last: {said}"
    lines = [text for text in _own_lines(case, row)["text"] if platform.APPLICATION_LISTENS.search(text)]
    return f"it did not listen where Cloud Run asks, and says: {lines[-1].split(chr(10), 1)[0][:120]}"


def _port_remedy(case: Case, name: str) -> str:
    if name == "port-not-listening":
        return f"listen on 0.0.0.0 at the port in $PORT, or: {services(case, 'update', '--port', 'PORT')}"
    probe = "tcpSocket.port=8080,periodSeconds=10,failureThreshold=24"
    return f"start faster, or wait up to 240 s: {services(case, 'update', '--startup-probe', probe)}"

"""Evidence in, once, already redacted: the one way from parameters to what a run knows.

Decides what is asked and in which order: the endpoint is probed first, since its answer is what people wait for; then
the project is asked, so that the log can say what became of the probes. It cannot tell what a source did not say;
each such frame is a gap.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from incident.evidence import Evidence, load
from incident.findings import Gap, UsageError
from incident.frames import frame
from incident.redact import Redactor
from incident.scope import Parameters, Scope, check_compared, scope
from incident.sources import recorded
from incident.sources.bypass import bypass_facts
from incident.sources.clients import Clients, check_bigquery, check_endpoint
from incident.sources.endpoint import HERE, Surroundings
from incident.sources.handshake_rows import handshakes
from incident.sources.id_tokens import IdToken
from incident.sources.linked import Linked
from incident.sources.matrices import Matrix, load_matrix, run_matrix
from incident.sources.notes import probe_notes, zone_notes
from incident.sources.places import Place, places, probe_places
from incident.sources.repo import checked_repository, with_repository

if TYPE_CHECKING:
    from incident.sources.cloud import Pull, Pulled

Row = dict[str, Any]
OnProbe = Callable[[list[Row]], None]

OUTPUTS = Path("outputs")
BEFORE = ("run_id", "status", "finished", "checks", "serving", "requests")
"""What is kept of the run that this one is compared with."""


def utc_now() -> pd.Timestamp:
    """The time now, UTC."""
    return pd.Timestamp.now("UTC").as_unit("ns")


def gather(
    parameters: Mapping[str, Any] | Parameters,
    *,
    now: Callable[[], pd.Timestamp] = utc_now,
    environ: Mapping[str, str] = os.environ,
    outputs: Path = OUTPUTS,
    on_probe: OnProbe | None = None,
    here: Surroundings = HERE,
) -> Evidence:
    """The evidence that parameters name, redacted, with every gap.

    `outputs` is where archived runs lie; `on_probe` gets the rows of the probe as soon as they are known, redacted;
    `here` is what the probe knows of this side. Wrong usage is a `UsageError`, before anything is asked; whatever the
    other side does is a gap. With `run_dir` naming a folder that holds evidence, that is it: a notebook inside a run.
    """
    read = _read(parameters)
    if read.run_dir and (Path(read.run_dir) / "evidence" / "evidence.json").is_file():
        return load(Path(read.run_dir) / "evidence")
    check(read, environ, outputs=outputs, now=now)
    probe = _Probe(read, Redactor.fresh(), on_probe, here)
    evidence = _live(read, probe, now, environ) if read.live else _recorded(read, probe, outputs)
    if read.repo:
        evidence = with_repository(evidence, checked_repository(read.repo, environ), probe.redactor)
    is_run = read.source.startswith(("sample:", "run:"))  # a run was compared once, and has kept with what
    before = evidence.before if is_run and not read.before else earlier(read, outputs, evidence.scope.identity)
    endpoint = evidence.scope.endpoint
    notes = (*evidence.notes, *zone_notes(read), *probe_notes(read, endpoint, environ))
    return replace(evidence, before=before, notes=notes).with_gaps()


def check(
    parameters: Mapping[str, Any] | Parameters,
    environ: Mapping[str, str] = os.environ,
    *,
    outputs: Path = OUTPUTS,
    now: Callable[[], pd.Timestamp] = utc_now,
) -> Parameters:
    """The parameters, once nothing about them can be wrong usage; a `UsageError` otherwise. Asks nobody."""
    read = _read(parameters)
    kind = read.source.split(":", 1)[0]
    if kind == "analytics":
        Linked.of(read.source)
    check_endpoint(environ)
    check_bigquery(environ)
    load_matrix(read.matrix)
    if read.live:
        read.needed("project", "region", "service")
        identity = scope(read, now()).identity
    elif kind == "export":
        from incident.sources import export

        identity = export.checked(read)
    else:
        identity = recorded.recorded(read, outputs).scope.identity
    earlier(read, outputs, identity)
    check_compared(read, identity)
    if read.repo:
        checked_repository(read.repo, environ)
    return read


def _read(parameters: Mapping[str, Any] | Parameters) -> Parameters:
    return parameters if isinstance(parameters, Parameters) else Parameters.read(parameters)


def earlier(parameters: Parameters, outputs: Path, identity: tuple[str, str, str]) -> Mapping[str, Any] | None:
    """What is kept of the run to compare with: the one that `before` names, else the newest `failed` one, or None.

    A run is compared with one of the same project, region and service, and, where `incident` is given, of the same
    incident. One that was named and is of another scope is a `UsageError`.
    """
    if parameters.before:
        run = recorded.find_run(outputs, parameters.before, parameters.incident)
        summary = recorded.run_summary(run)
        if (other := _identity(summary)) != identity:
            raise UsageError(
                f"run {run.name!r} is of {_named(other)}, this one is of {_named(identity)}: "
                "give --before a run of the same service"
            )
        return _kept(summary)
    return next(filter(None, (_failed(run, parameters, identity) for run in reversed(recorded.runs(outputs)))), None)


def _failed(run: Path, parameters: Parameters, identity: tuple[str, str, str]) -> Mapping[str, Any] | None:
    if parameters.incident not in ("", run.parent.name):
        return None
    try:
        summary = recorded.run_summary(run)
    except UsageError:  # nobody named it, so its fault is nobody's business here
        return None
    return _kept(summary) if summary.get("status") == "failed" and _identity(summary) == identity else None


def _identity(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(summary["scope"].get(name, "")) for name in ("project", "region", "service"))


def _named(identity: Sequence[str]) -> str:
    return "/".join(identity)


def _kept(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: summary[name] for name in BEFORE if name in summary}


@dataclass(frozen=True)
class _Probe:
    """Probes an endpoint, and redacts what comes of it, and of everything else, with one key."""

    parameters: Parameters
    redactor: Redactor
    on_probe: OnProbe | None
    here: Surroundings

    def rows(self, endpoint: str, id_token: IdToken | str | None = None) -> list[Row]:
        """The rows of the matrix, told to who waits for them; none where there is no endpoint."""
        if not endpoint:
            return []
        paths = self._paths()
        found = run_matrix(
            endpoint, self._matrix(), websocket_path=paths["websocket_path"], health_path=paths["health_path"],
            here=self.here, id_token=id_token,
        )  # fmt: skip
        rows = self._redacted(found)
        if self.on_probe:
            self.on_probe(rows)
        return rows

    def elsewhere(self, found: Iterable[Place]) -> tuple[list[Row], list[str]]:
        """The rows of a few checks at other places, and notes; told to nobody, since they judge nothing."""
        rows, notes = probe_places(found, self._matrix(), self._paths(), self.here)
        return self._redacted(rows), notes

    @property
    def needs_token(self) -> bool:
        """Whether a check of the matrix cannot be tried without an ID token."""
        return any(self._matrix().id_token.values())

    def _matrix(self) -> Matrix:
        return load_matrix(self.parameters.matrix)

    def _paths(self) -> dict[str, str]:
        return {"websocket_path": self.parameters.websocket_path, "health_path": self.parameters.health_path}

    def _redacted(self, rows: Iterable[Row]) -> list[Row]:
        return [self.redactor.document(row) for row in rows]


def _live(
    parameters: Parameters, probe: _Probe, now: Callable[[], pd.Timestamp], environ: Mapping[str, str]
) -> Evidence:
    from incident.sources import cloud  # two seconds of imports that neither a recording nor wrong usage should cost
    from incident.sources.compared import with_other

    with closing(Clients.of(environ)) as clients:
        pull = cloud.begin(parameters, scope(parameters, now()), clients)
        first = probe.needs_token or not parameters.endpoint  # else nobody waits for the service's own word
        url = cloud.ask_service(pull) if first else ""
        endpoint = parameters.endpoint or url
        rows = probe.rows(endpoint, _id_token(probe, pull, endpoint))
        if not first:
            cloud.ask_service(pull)
        found, left = places(endpoint, cloud.own_urls(pull), cloud.tag_urls(pull)) if endpoint else ([], [])
        others, notes = probe.elsewhere(found)
        rows = [*rows, *others]
        pulled = now()  # the window ends after the probes, so that their own entries are in it
        pull.scope = scope(replace(parameters, endpoint=endpoint), pulled)
        came = cloud.ask_rest(pull, pulled, rows, _asked_logs(parameters))
        if parameters.compare_to:
            came = with_other(came, pull, parameters.compare_to)
    evidence = _evidence(pull.scope, came, rows, probe.redactor)
    return replace(evidence, notes=(*evidence.notes, *pull.notes, *left, *notes))


def _asked_logs(parameters: Parameters) -> Callable[[Pull, Sequence[Row], float], pd.DataFrame]:
    """What asks for the service's log entries: Cloud Logging, or a linked dataset."""
    from incident.sources import analytics, entry_pages

    return analytics.asking(parameters) if parameters.source != "cloud" else entry_pages.ask_logs


def _id_token(probe: _Probe, pull: Pull, endpoint: str) -> IdToken | str | None:
    """A token for the checks that cannot be tried without one, or why there is none; None where no check is so."""
    from incident.sources import cloud, id_tokens

    if not probe.needs_token or not endpoint:
        return None
    if not (urls := cloud.own_urls(pull)):
        return "no ID token: the service did not say its URLs"
    return id_tokens.for_endpoint(endpoint, urls, cloud.custom_audiences(pull), probe.here)


def _evidence(where: Scope, came: Pulled, rows: list[Row], redactor: Redactor) -> Evidence:
    frames = redacted(came.frames, redactor) | {"handshakes": handshakes(rows, came.frames["logs"])}
    frames["revisions"] = with_bypass(frames["revisions"], bypass_facts(came.frames["revisions"]))
    gaps = [replace(gap, reason=redactor.text(gap.reason)) for gap in came.gaps]
    if not rows and not any(gap.frame == "handshakes" for gap in gaps):
        reason = "the endpoint was not probed: the service did not say its URL"
        gaps.append(Gap("handshakes", reason, "give --endpoint URL", "absent"))
    complete = came.complete | ({"handshakes"} if rows else set())
    return Evidence(where, came.pulled, frames, tuple(gaps), complete, came.queries)


def redacted(frames: Mapping[str, pd.DataFrame], redactor: Redactor) -> dict[str, pd.DataFrame]:
    """Every frame without its secrets; what one frame shows to be secret is hunted in all of them."""
    for data in frames.values():
        redactor.learn_frame(data)
    return {name: redactor.frame(data) for name, data in frames.items()}


def with_bypass(revisions: pd.DataFrame, facts: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Redacted revisions with what each one's bypass variables came to before: fixed words, which nothing replaces."""
    documents = {name: json.dumps(found, sort_keys=True) for name, found in facts.items()}
    return revisions.assign(bypass=revisions["revision_name"].map(documents).astype(revisions["bypass"].dtype))


def _recorded(parameters: Parameters, probe: _Probe, outputs: Path) -> Evidence:
    """A recording; with an endpoint given, today's handshakes in place of the recorded ones."""
    is_export = parameters.source.startswith("export:")
    evidence = _exported(parameters, probe.redactor) if is_export else recorded.recorded(parameters, outputs)
    if not parameters.endpoint:
        return evidence
    rows = probe.rows(parameters.endpoint)
    where = replace(
        evidence.scope, endpoint=parameters.endpoint,
        websocket_path=parameters.websocket_path, health_path=parameters.health_path,
    )  # fmt: skip
    frames = dict(evidence.frames) | {"handshakes": handshakes(rows, frame("logs"))}
    gaps = tuple(gap for gap in evidence.gaps if gap.frame != "handshakes")
    return replace(evidence, scope=where, frames=frames, gaps=gaps, complete=evidence.complete | {"handshakes"})


def _exported(parameters: Parameters, redactor: Redactor) -> Evidence:
    """What somebody exported, redacted here and not before, and cut to the window of the parameters."""
    from incident.sources import export

    held = export.exported(parameters)
    rows = [redactor.document(row) for row in held.handshakes]
    evidence = _evidence(held.scope, held.pulled, rows, redactor)
    return recorded.cut(replace(evidence, notes=held.notes), parameters)

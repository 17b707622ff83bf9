"""One run of a runbook: evidence once, findings, notebooks, and the folder that keeps them.

Decides the order of the steps, what people are told when, and what is kept when a notebook does not finish. No
analysis is made here: evidence comes from `gather`, findings from `summary`. Cannot tell: whether they are right.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jupyter_client.manager import AsyncKernelManager

from incident import archive, written
from incident.analysis.case import Case
from incident.answer import summary as summarise
from incident.archive import RunFolder
from incident.evidence import Evidence, save
from incident.findings import EXIT_CODES, Gap
from incident.kernels import CELL_TIMEOUT_SECONDS, Executed, Kernels, execute, in_background, quiet
from incident.redact import Redactor
from incident.runbook import Runbook, notebook_paths, package_folder
from incident.scope import Parameters, rfc3339
from incident.sentences import safe, verdict
from incident.sources import gather as sources
from incident.tables import handshake_table

if TYPE_CHECKING:
    from incident.report.pictures import Drawn

NOTEBOOKS = "notebooks"
RUN_DIR = ".."
"""A run's folder as its notebooks see it, from where they lie: no path of this machine gets into them, and an archived
notebook that is run again where it lies reads the evidence beside it."""

SIDE_BY_SIDE = 2
"""Notebooks that run at once: no notebook reads another's output, and most machines have two cores."""

BROKE = 1
LONGEST_PROBLEM = 300

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Steps:
    """What a run calls, each replaceable: a drill and a test put their own in place of the world."""

    check: Callable[..., Any] = sources.check
    gather: Callable[..., Evidence] = sources.gather
    summary: Callable[[Evidence, Case], dict[str, Any]] = summarise
    notebooks: Path = field(default_factory=lambda: package_folder(NOTEBOOKS))
    now: Callable[[], pd.Timestamp] = sources.utc_now
    token: Callable[[int], str] = secrets.token_hex
    cell_timeout: float = CELL_TIMEOUT_SECONDS


@dataclass(frozen=True)
class Finished:
    """A run that is in its place; `broken` are the gaps of notebooks that did not finish."""

    folder: Path
    summary: Mapping[str, Any]
    broken: tuple[Gap, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a notebook did not finish, else the code of the run's status."""
        return BROKE if self.broken else EXIT_CODES[self.summary["status"]]


@dataclass(frozen=True)
class _Job:
    """What the steps of one run share."""

    runbook: Runbook
    parameters: Parameters
    folder: RunFolder
    started: pd.Timestamp
    say: Tell
    progress: Tell
    steps: Steps
    charts: bool


def run(
    runbook: Runbook, parameters: Parameters, *, outputs: Path, say: Tell, progress: Tell,
    environ: Mapping[str, str] = os.environ, steps: Steps | None = None, charts: bool = True,
) -> Finished:  # fmt: skip
    """Run a runbook and keep the run under `outputs`; `say` is told the verdict, `progress` everything else.

    Without `charts` none is drawn, and the report says in their places that they were left out.

    All wrong usage is a `UsageError` before a kernel starts. Whatever ends a run before its end, an interruption too,
    leaves no process and nothing under `outputs`.
    """
    steps = steps or Steps()
    paths = notebook_paths(runbook, steps.notebooks)
    steps.check(parameters, environ, outputs=outputs, now=steps.now)
    started = steps.now()
    folder = RunFolder(outputs, parameters.incident, archive.new_run_id(started, steps.token))
    job = _Job(runbook, parameters, folder, started, say, progress, steps, charts)
    try:
        (folder.make() / NOTEBOOKS).mkdir(mode=0o700)
        with Kernels(folder.building / NOTEBOOKS) as kernels:
            return _run(job, paths, kernels, environ)
    except BaseException:
        folder.discard()
        raise


def _run(job: _Job, paths: Mapping[str, Path], kernels: Kernels, environ: Mapping[str, str]) -> Finished:
    # A kernel is a process of its own and may start meanwhile; what only this process could do (importing papermill
    # takes seconds) waits, since it would slow the handshakes that are being timed, and the verdict.
    kernel = in_background(kernels.start) if paths else None
    job.progress(f"run {job.folder.run_id} of {job.runbook.name}: asking {safe(job.parameters.source)}")
    evidence = job.steps.gather(
        job.parameters, now=job.steps.now, environ=environ, outputs=job.folder.outputs,
        on_probe=lambda rows: job.say(f"{handshake_table(rows)}\n"),
    )  # fmt: skip
    save(evidence, job.folder.building / "evidence")
    case = Case(evidence)
    found = job.steps.summary(evidence, case)
    job.say(verdict(found))
    broken = _run_notebooks(job, paths, kernels, kernel)
    charts = _drawn(case) if job.charts else {}
    broken += _write_charts(job, charts)
    whole = _whole_summary(job, found, broken)
    if unwritten := _write_reports(job, case, whole, charts):
        broken += unwritten
        whole = _whole_summary(job, found, broken)
    _keep(job, evidence, whole)
    place = archive.publish(job.folder)
    _leave_page(job, place.parent)
    return Finished(place, whole, tuple(broken))


def _leave_page(job: _Job, incident: Path) -> None:
    """Make the page that people write on, the first time; one that cannot be made costs nobody the run."""
    try:
        written.make_page(incident)
    except OSError as error:
        job.progress(f"{written.PAGE} could not be made: {_words(error)}")


def _run_notebooks(
    job: _Job, paths: Mapping[str, Path], kernels: Kernels, kernel: Future[AsyncKernelManager] | None
) -> list[Gap]:
    """Run the notebooks, SIDE_BY_SIDE at a time, the first in `kernel`; the gaps that they leave, in their order."""
    gaps: list[Gap] = []
    running: deque[tuple[str, Path, Future[Executed]]] = deque()
    with quiet():
        for number, (name, path) in enumerate(paths.items(), 1):
            if len(running) == SIDE_BY_SIDE:
                gaps += _finish(job, *running.popleft())
            job.progress(f"notebook {number} of {len(paths)}: {name}")
            ready = kernel if number == 1 and kernel else in_background(kernels.start)
            running.append((name, path, in_background(_execute, job, path, kernels, ready)))
        while running:
            gaps += _finish(job, *running.popleft())
    return gaps


def _execute(job: _Job, path: Path, kernels: Kernels, kernel: Future[AsyncKernelManager]) -> Executed:
    parameters = asdict(job.parameters.kept()) | {"run_dir": RUN_DIR}
    return execute(path, parameters, kernels, kernel.result(), job.steps.cell_timeout)


def _finish(job: _Job, name: str, path: Path, executed: Future[Executed]) -> list[Gap]:
    """Wait for a notebook, and keep it."""
    done = executed.result()
    _write_notebook(done.notebook, job.folder.building, path.name)
    if not done.problem:
        return []
    gap = _notebook_gap(name, path.name, done.problem)
    job.progress(f"notebook {gap.reason}")
    return [gap]


def _drawn(case: Case) -> Mapping[str, Drawn | str]:
    """Every chart of a case, drawn once for the files and the report."""
    from incident.report.pictures import drawn  # matplotlib, while nothing waits for it any more

    return drawn(case)


def _write_charts(job: _Job, charts: Mapping[str, Drawn | str]) -> list[Gap]:
    """Write each chart as PNG and SVG; one that could not be drawn is a gap, and costs nobody the run."""
    folder, gaps = job.folder.building / "charts", []
    folder.mkdir(mode=0o700)
    for name, chart in charts.items():
        if isinstance(chart, str):
            why = f"{name} could not be drawn: {_words(chart)}"
            gaps.append(Gap("charts", why, "run again with a newer version; the notebooks have the same numbers"))
            job.progress(f"chart {why}")
            continue
        (folder / f"{name}.png").write_bytes(chart.png)
        (folder / f"{name}.svg").write_bytes(chart.svg["light", "wide"])
    return gaps


def _write_reports(
    job: _Job, case: Case, summary: Mapping[str, Any], charts: Mapping[str, Drawn | str]
) -> list[Gap]:  # fmt: skip
    """Write the report in both forms; one that cannot be made is a gap, and costs nobody the run."""
    from incident.report import report_html, report_markdown  # matplotlib, while nothing waits for it any more

    gaps = []
    reports: dict[str, Callable[[], str]] = {
        "report.html": lambda: report_html(case, summary, charts), "report.md": lambda: report_markdown(case, summary),
    }  # fmt: skip
    for name, report in reports.items():
        try:
            (job.folder.building / name).write_text(report(), encoding="utf-8")
        except Exception as error:
            why = f"{name} could not be made: {_words(error)}"
            gaps.append(Gap("report", why, "run again with a newer version; the notebooks say the same"))
            job.progress(why)
    return gaps


def _words(problem: object) -> str:
    """The text of a failure as it may be kept: on one line, short, without secrets."""
    text = f"{type(problem).__name__}: {problem}" if isinstance(problem, Exception) else str(problem)
    return safe(Redactor.fresh().text(text))[:LONGEST_PROBLEM]


def _notebook_gap(name: str, file: str, problem: str) -> Gap:
    why = f"{name} did not finish: {_words(problem)}"
    return Gap("notebooks", why, f"open {NOTEBOOKS}/{file} of the run, then run again")


def _write_notebook(notebook: Any, building: Path, name: str) -> None:
    """Write an executed notebook as it may be kept: without secrets, and without paths of this machine."""
    import nbformat

    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    clean = nbformat.from_dict(Redactor.fresh().notebook(notebook))  # type: ignore[no-untyped-call]
    text = nbformat.writes(clean)  # type: ignore[no-untyped-call]
    here = json.dumps(str(building.resolve()), ensure_ascii=False)[1:-1]
    (building / NOTEBOOKS / name).write_bytes(f"{text.replace(here, RUN_DIR)}\n".encode("utf-8", "backslashreplace"))


def _whole_summary(job: _Job, found: Mapping[str, Any], broken: Sequence[Gap]) -> dict[str, Any]:
    """`summary.json` of schema 1, its keys in their order: what was found, and what the run itself has to say."""
    return {
        "schema": found["schema"],
        "run_id": job.folder.run_id,
        "incident": job.folder.incident,
        "runbook": job.runbook.name,
        "scope": found["scope"],
        "started": rfc3339(job.started),
        "finished": rfc3339(job.steps.now()),
        **found,
        "gaps": [*found["gaps"], *(gap.as_json() for gap in broken)],
        "notes": [*found["notes"], *_left_out(job)],
    }


def _left_out(job: _Job) -> list[str]:
    """That notebooks or charts were left out, and the command that makes them from the same evidence."""
    again = f"incident run {job.runbook.name} --source run:{job.folder.run_id} --notebooks"
    names = job.runbook.left_out
    left = [f"notebooks left out: {', '.join(names)}; to run them on this evidence: {again} {','.join(names)}"]
    drawn = f"charts left out; to draw them from this evidence: {again} none"
    return [*(left if names else []), *([] if job.charts else [drawn])]


def _keep(job: _Job, evidence: Evidence, summary: Mapping[str, Any]) -> None:
    """Write the parts that are made from findings and evidence, then seal the folder."""
    folder = job.folder.building
    archive.write_json(folder / archive.SUMMARY, summary)
    parameters = Redactor.fresh().document(asdict(job.parameters.kept()))
    archive.seal(folder, archive.about(job.folder, job.runbook.name, parameters, evidence, summary["gaps"]))

"""Plays a scenario: the incident, live, and the runbook run on it; then says whether the runs found what was planted.

Everything it starts ends with it: on SIGINT and SIGTERM the run under way is told first, then the box is taken down.
It cannot tell whether a run is right beyond what the scenario expects of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from incident.drill.box import Box
from incident.drill.dispatch import describe, perform
from incident.drill.instances import kill_group
from incident.drill.judge import differences
from incident.drill.progress import Progress
from incident.drill.scenario import Scenario, load_scenario
from incident.drill.score import Score, score
from incident.drill.steps import Endpoint, Run

STEP_PAUSE = 0.06
"""Seconds between steps, so that what they leave can be told apart by time."""

RUN_GRACE = 10.0
"""Seconds that an interrupted run has to put its things away."""

FOUND, NOT_FOUND, BROKE, INTERRUPTED = 0, 3, 1, 130
ENDINGS = {FOUND: "found", NOT_FOUND: "NOT what was planted", BROKE: "BROKE", INTERRUPTED: "interrupted"}


class RunBroke(Exception):
    """A run ended without a verdict: it crashed, or left no summary."""


@dataclass(frozen=True)
class RunPlan:
    """One run of the runbook on the box: what its command is given.

    `authority` is the certificate of an authority that the run is to trust, as everybody here does.
    """

    scenario: Scenario
    start: datetime
    endpoint: str
    gcp_endpoint: str
    outputs: Path
    authority: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def incident(self) -> str:
        """The name under which the run is archived."""
        return f"drill-{self.scenario.name}"

    @property
    def folder(self) -> Path:
        """Where the runs of this drill lie."""
        return self.outputs / self.incident

    def arguments(self) -> list[str]:
        """The arguments of `incident`."""
        scenario = self.scenario
        options = {
            "--project": scenario.project,
            "--region": scenario.region,
            "--service": scenario.service,
            "--start": self.start.isoformat().replace("+00:00", "Z"),
            "--end": "now",
            "--endpoint": self.endpoint,
            "--source": "cloud",
            "--incident": self.incident,
            "--outputs": str(self.outputs),
            "--notebooks": scenario.notebooks,
        }
        given = [part for option in options.items() for part in option]
        own = [part for name, value in self.parameters.items() for part in ("-p", f"{name}={value}")]
        plain = [] if scenario.notebooks == "all" else ["--no-charts"]
        return ["run", "websocket-outage", *given, *plain, *own]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of the command: Google's clients go to the box."""
        trusted = {"SSL_CERT_FILE": str(self.authority)} if self.authority else {}
        return {**inherited, **trusted, "INCIDENT_GCP_ENDPOINT": self.gcp_endpoint}


Runner = Callable[[RunPlan], Awaitable[int]]
"""Runs the runbook and returns its exit code."""


async def run_incident(plan: RunPlan) -> int:
    """Run `incident run` on the box; its exit code."""
    return await run_command([sys.executable, "-m", "incident", *plan.arguments()], plan.environment(os.environ))


async def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a child, its output passed through. It leads a group of its own, which is ended when we are interrupted."""
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, env=environment, start_new_session=True
    )
    try:
        return await child.wait()
    finally:
        await _end(child)


async def _end(child: asyncio.subprocess.Process) -> None:
    """Interrupt a child that still runs, and kill what is left of its group."""
    if child.returncode is None:
        kill_group(child.pid, signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), RUN_GRACE)
    kill_group(child.pid, signal.SIGKILL)
    await child.wait()


def drill(name: str, outputs: Path, *, run: Runner = run_incident, stderr: TextIO | None = None) -> int:
    """Play the scenario of that name; its runs are archived under `outputs/drill-NAME/`.

    Returns 0 where the runs found exactly what was planted, 3 where not (each difference is printed), 1 where a run
    broke, 130 where it was interrupted. Progress goes to `stderr`, a bar on a terminal and else a line a step; the
    result is printed on standard output. Raises `UsageError` for an unknown scenario.
    """
    return play_scenario(load_scenario(name), outputs, run=run, stderr=stderr or sys.stderr)


def drill_all(
    names: Sequence[str], outputs: Path, *, run: Runner = run_incident, clock: Callable[[], float] = time.monotonic
) -> int:
    """Play one scenario after another, and print a table of how each ended; the greatest of their exit codes."""
    ended, lines = FOUND, []
    for name in names:
        began = clock()
        code = drill(name, outputs, run=run)
        lines.append(f"{name:<24}{clock() - began:>6.1f} s  {ENDINGS[code]}")
        if code == INTERRUPTED:
            return INTERRUPTED
        ended = max(ended, code)
    print("\n".join(lines))
    return ended


def play_scenario(scenario: Scenario, outputs: Path, *, run: Runner = run_incident, stderr: TextIO) -> int:
    """As `drill`, for a scenario that is already read."""
    try:
        with closing(Progress(len(scenario.steps), stderr)) as progress:
            played = asyncio.run(_interruptible(_play(scenario, outputs.resolve(), run, progress)))
    except RunBroke as error:
        print(f"the drill broke: {error}", file=stderr)
        return BROKE
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted: every process of the drill has ended", file=stderr)
        return INTERRUPTED
    print(verdict(scenario, played))
    return FOUND if played.is_right else NOT_FOUND


async def _interruptible(work: Coroutine[Any, Any, Played]) -> Played:
    """Await the work; the first SIGINT or SIGTERM cancels it, later ones do not disturb its cleaning up."""
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    return await task


@dataclass
class Played:
    """What a play left: the folders of its runs, and where they or the clients differ from what was planted."""

    folders: list[Path] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether everything was as planted, and no run blamed the wrong one."""
        return not self.differences and all(score.is_right for score in self.scores)


async def _play(scenario: Scenario, outputs: Path, run: Runner, progress: Progress) -> Played:
    played, start, asked = Played(), datetime.now(UTC), dict[str, str]()
    async with Box(scenario) as box:
        for step in scenario.steps:
            with progress.step(describe(step), shares_terminal=isinstance(step, Run)):
                match step:
                    case Run():
                        parameters = {**asked, **step.parameters}
                        await _judge_run(step, _plan(box, parameters, start, outputs), run, played)
                    case Endpoint():
                        asked = {"websocket_path": step.path}
                    case _:
                        played.differences += await perform(step, box)
            await asyncio.sleep(STEP_PAUSE)
    return played


def _plan(box: Box, parameters: Mapping[str, str], start: datetime, outputs: Path) -> RunPlan:
    """What a run is given: everybody's endpoint, and Google's APIs."""
    authority = box.proxy.authority if box.proxy else None
    return RunPlan(box.scenario, start, box.endpoint, box.address, outputs, authority, parameters)


async def _judge_run(step: Run, plan: RunPlan, run: Runner, played: Played) -> None:
    """Run the runbook, and compare its summary with what the step expects and with what is true."""
    folder, code = await _run(run, plan)
    played.folders.append(folder)
    summary = _summary(folder)
    found = differences({"exit": step.exit, **step.expect}, {**summary, "exit": code})
    played.differences += [f"run {step.name}: {difference}" for difference in found]
    if step.score:
        played.scores.append(score(step.name, step.score, summary))


async def _run(run: Runner, plan: RunPlan) -> tuple[Path, int]:
    """Run the runbook; the folder it left and its exit code. `RunBroke` where there is no verdict."""
    before = _run_folders(plan.folder)
    code = await run(plan)
    if code == INTERRUPTED:
        raise asyncio.CancelledError
    new = sorted(_run_folders(plan.folder) - before)
    if not new or code in (1, 2) or code < 0:
        raise RunBroke(f"`incident {shlex.join(plan.arguments())}` ended with {code}, and left {len(new)} runs")
    return new[-1], code


def _run_folders(folder: Path) -> set[Path]:
    return {file.parent for file in folder.glob("*/summary.json")}


def _summary(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    if not isinstance(summary, dict):
        raise RunBroke(f"{folder / 'summary.json'} is not a summary")
    return summary


def verdict(scenario: Scenario, played: Played) -> str:
    """What is printed at the end: found or not, where the runs lie, what to do next."""
    runs = ["runs:", *(f"  {folder}" for folder in played.folders)]
    scores = [f"  {score.line()}" for score in played.scores]
    if not played.is_right:
        first = f"drill {scenario.name}: not what was planted, {len(played.differences)} differences:"
        return "\n".join([first, *(f"  {item}" for item in played.differences), *scores, *runs])
    last = f"next: incident runs show {played.folders[-1].name}" if played.folders else "no runs"
    return "\n".join([f"drill {scenario.name}: the runs found exactly what was planted", *scores, *runs, last])

"""The command line: parse, call, print, exit.

Each command imports what it needs when it runs, so that a probe never waits for pandas or a cloud client.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from incident.findings import EXIT_CODES, SourceError, UsageError


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM. Its own class: `python -m` ends by the signal once a bare one has passed an `exec` of text."""


@contextmanager
def interruptions() -> Iterator[None]:
    """SIGTERM as SIGINT: one `Interrupted`, and no second, so that the cleaning after the first is not disturbed."""

    def interrupt(number: int, frame: Any) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is interrupt:  # else we were interrupted, and end undisturbed
                signal.signal(number, handler)


class Commands(click.Group):
    """Turns our errors into one line on standard error and the exit code of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; 2 wrong usage, 1 a failure of the other side, 130 interrupted."""
        try:
            with interruptions():
                return super().invoke(ctx)
        except UsageError as error:
            code, words = 2, str(error)
        except SourceError as error:
            code, words = 1, str(error)
        except KeyboardInterrupt:
            code, words = 130, "interrupted"
        click.echo(f"incident: {words}", err=True)
        sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="incident")
def main() -> None:
    """Say why a Cloud Run service's WebSockets fail, and whether the fix holds."""


def parse_headers(given: tuple[str, ...]) -> dict[str, str]:
    """Headers of the form `Name: value`; no message shows one, as its value may be a credential."""
    headers: dict[str, str] = {}
    for number, text in enumerate(given, 1):
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"--header number {number} has no colon: write 'Name: value'")
        if name.strip().lower() in (known.lower() for known in headers):
            raise UsageError(f"--header number {number} has a name that is given twice: keep one")
        headers[name.strip()] = value.strip()
    return headers


@main.command()
@click.argument("url")
@click.option("--matrix", metavar="NAME", help="Run a matrix of checks; URL is the base that their paths are added to.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send a header; repeat for more.")
@click.option("--origin", help="Send this Origin, as a browser on that page would.")
@click.option("--subprotocol", "subprotocols", multiple=True, help="Offer a subprotocol; repeat for more.")
@click.option("--expect", default="", help="accepted, refused, broken, unreachable, a status or a close code.")
@click.option("--hold", default=1.0, show_default=True, help="Seconds that an accepted connection has to stay open.")
@click.option("--connect-to", metavar="HOST:PORT", help="Connect there; Host and TLS name stay the URL's.")
@click.option(
    "--retries", default=0, show_default=True, type=click.IntRange(0, 10), help="Try again after a 5xx or none."
)
@click.option("--websocket-path", default="/ws", show_default=True, help="With --matrix: the WebSocket's path.")
@click.option("--health-path", default="/health", show_default=True, help="With --matrix: the health check's path.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON alone.")
def probe(url: str, matrix: str | None, connect_to: str | None, retries: int, as_json: bool, **options: Any) -> None:
    """Attempt WebSocket handshakes and say where each stops, and which rule decided.

    \b
        incident probe wss://echo-7gq2x.a.run.app/ws --expect 403
        incident probe https://echo-7gq2x.a.run.app --matrix e2e --json
    """
    from incident.sources.endpoint import Surroundings
    from incident.sources.matrices import probe_document
    from incident.tables import handshake_table

    rows = probe_rows(url, matrix, Surroundings(connect_to=connect_to, retries=retries), options)
    document = probe_document(rows)
    click.echo(json.dumps(document, indent=2) if as_json else handshake_table(rows))
    sys.exit(EXIT_CODES[document["status"]])


def probe_rows(url: str, matrix: str | None, here: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    """One handshake, or those of a matrix, whose file and not the command line says what each sends."""
    from incident.sources.checks import Check
    from incident.sources.endpoint import probe as probe_one
    from incident.sources.matrices import load_matrix, run_matrix

    paths = {name: options.pop(name) for name in ("websocket_path", "health_path")}
    if matrix is not None:
        refuse_with_matrix(options)
        return run_matrix(url, load_matrix(matrix), here=here, **paths)
    options["headers"] = parse_headers(options["headers"])
    return [probe_one(url, Check(**options), here)]


def refuse_with_matrix(options: dict[str, Any]) -> None:
    """What a matrix says itself may not be said beside it."""
    if given := [name for name in options if was_given(name)]:
        raise UsageError(
            f"--{given[0].removesuffix('s')} and --matrix exclude each other: write it into the matrix's file"
        )


def was_given(name: str) -> bool:
    """Whether an option is on the command line, and not its default."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


SCOPE_OPTIONS = {
    "project": ("PROJECT", "The project's id."),
    "region": ("REGION", "Such as us-central1."),
    "service": ("SERVICE", "The Cloud Run service."),
    "start": ("TIME", "ISO 8601, or relative: -2h, -30m."),
    "end": ("TIME", "The same; the window is half-open."),
    "endpoint": ("URL", "What to probe; the service's own URL unless given."),
    "matrix": ("NAME", "The handshakes to try, by name or file."),
    "before": ("RUN", "The run to compare with."),
    "source": ("SOURCE", "cloud (unless given), export:DIR, sample:NAME, run:RUN."),
    "incident": ("NAME", "Keep the run under this name, not the runbook's."),
}


def scope_options(command: Any) -> Any:
    """The options that set a parameter; each may be given once, which `plan` says, so click lets more pass."""
    for name, (metavar, words) in reversed(SCOPE_OPTIONS.items()):
        command = click.option(f"--{name}", name, multiple=True, metavar=metavar, help=words)(command)
    return command


outputs_option = click.option(
    "--outputs", default="outputs", show_default=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Where runs are kept.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary alone, as JSON.")


@main.command()
@click.argument("runbook")
@scope_options
@click.option("-p", "overrides", multiple=True, metavar="NAME=VALUE", help="Set any parameter; repeat for more.")
@outputs_option
@json_option
def run(runbook: str, overrides: tuple[str, ...], outputs: Path, as_json: bool, **options: tuple[str, ...]) -> None:
    """Run a runbook: gather evidence, say what failed and why, keep it all.

    RUNBOOK is a name such as websocket-outage, or a path to a page.

    \b
        incident run websocket-outage --project my-project \\
            --region us-central1 --service chat
        incident run websocket-outage --source sample:staging

    Exit code: 0 ok, 3 failed, 4 uncertain, 1 the run broke, 2 wrong usage.
    """
    from incident import runbook as books
    from incident import runner

    page = books.load_runbook(runbook)
    given = [(name, value) for name, values in options.items() for value in values]
    finished = runner.run(
        page, books.plan(page, given, overrides), outputs=outputs,
        say=lambda text: click.echo(text, err=as_json), progress=lambda text: click.echo(text, err=True),
    )  # fmt: skip
    click.echo(f"\nkept: {finished.folder}", err=as_json)
    if as_json:
        click.echo(json.dumps(finished.summary, indent=1))
    sys.exit(finished.exit_code)


@main.group()
def runs() -> None:
    """The archive: which runs there are, and what each found."""


@runs.command("list")
@outputs_option
def list_command(outputs: Path) -> None:
    """List the whole runs, newest first.

    \b
        incident runs list --outputs outputs
    """
    import pandas as pd

    from incident.archive import list_runs, runs_table

    click.echo(runs_table(list_runs(outputs), pd.Timestamp.now("UTC")))


@runs.command()
@click.argument("run")
@outputs_option
@click.option("--text", is_flag=True, help="Print one paragraph, to paste in a chat.")
@json_option
def show(run: str, outputs: Path, text: bool, as_json: bool) -> None:
    """Show what a run found. RUN is its id, a unique beginning of it, or latest.

    \b
        incident runs show latest --text
        incident runs show 20250907T1015 --json
    """
    from incident import sentences
    from incident.archive import read_summary
    from incident.sources.recorded import find_run

    if text and as_json:
        raise UsageError("--text and --json exclude each other: give one of them")
    summary = read_summary(find_run(outputs, run))
    if as_json:
        click.echo(json.dumps(summary, indent=1))
    else:
        click.echo(sentences.paragraph(summary) if text else sentences.verdict(summary))


@main.command()
@click.argument("scenario", default="staging")
@click.option("--list", "as_list", is_flag=True, help="List the scenarios, and start nothing.")
@outputs_option
def drill(scenario: str, as_list: bool, outputs: Path) -> None:
    """Replay an incident on loopback: run the runbook while it is broken, and after its fix.

    \b
        incident drill
        incident drill staging --outputs outputs
        incident drill --list
    """
    from incident.drill.play import drill as play
    from incident.drill.scenario import load_scenario, scenario_names

    if as_list:
        click.echo("\n".join(f"{name:<12}{load_scenario(name).title}" for name in scenario_names()))
        return
    sys.exit(play(scenario, outputs))

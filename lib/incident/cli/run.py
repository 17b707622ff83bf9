"""`incident run`: a runbook's notebooks, archived."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from incident.cli.options import json_option, outputs_option, scope_options


@click.command()
@click.argument("runbook")
@scope_options
@click.option("-p", "overrides", multiple=True, metavar="NAME=VALUE", help="Set any parameter; repeat for more.")
@click.option(
    "--notebooks",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="all, none, or some with commas: why,what-failed.",
)
@click.option("--charts/--no-charts", default=True, help="Draw charts; without them a run ends seconds sooner.")
@outputs_option
@json_option
def run(
    runbook: str, overrides: tuple[str, ...], notebooks: str, charts: bool, outputs: Path, as_json: bool,
    **options: tuple[str, ...],
) -> None:  # fmt: skip
    """Run a runbook: gather evidence, say what failed and why, keep it all.

    RUNBOOK is a name such as websocket-outage, or a path to a page.

    \b
        incident run websocket-outage --project my-project \\
            --region us-central1 --service chat
        incident run websocket-outage --source sample:staging
        incident run websocket-outage --source run:latest --notebooks why

    Exit code: 0 ok, 3 failed, 4 uncertain, 1 the run broke, 2 wrong usage.
    """
    from incident import runbook as books
    from incident import runner

    page = books.load_runbook(runbook)
    given = [(name, value) for name, values in options.items() for value in values]
    finished = runner.run(
        books.chosen(page, notebooks), books.plan(page, given, overrides), outputs=outputs,
        say=lambda text: click.echo(text, err=as_json), progress=lambda text: click.echo(text, err=True), charts=charts,
    )  # fmt: skip
    click.echo(f"\nkept: {finished.folder}", err=as_json)
    if as_json:
        click.echo(json.dumps(finished.summary, indent=1))
    sys.exit(finished.exit_code)

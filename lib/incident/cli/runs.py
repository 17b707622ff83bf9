"""`incident runs`: the archive."""

from __future__ import annotations

import json
from pathlib import Path

import click

from incident.cli.options import json_option, outputs_option
from incident.findings import UsageError


@click.group()
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

"""`incident drill`: an incident replayed on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from incident.cli.options import outputs_option

WIDTH = 80


@click.command()
@click.argument("scenario", default="staging")
@click.option("--list", "as_list", is_flag=True, help="List the scenarios, and start nothing.")
@click.option("--all", "every", is_flag=True, help="Replay every scenario, one after another.")
@outputs_option
def drill(scenario: str, as_list: bool, every: bool, outputs: Path) -> None:
    """Replay an incident on loopback: run the runbook while it is broken, and after its fix.

    \b
        incident drill
        incident drill staging --outputs outputs
        incident drill --list
    """
    from incident.drill.play import drill as play
    from incident.drill.play import drill_all
    from incident.drill.scenario import scenario_names

    if as_list:
        click.echo(listing(), nl=False)
        return
    sys.exit(drill_all(scenario_names(), outputs) if every else play(scenario, outputs))


def listing() -> str:
    """Every scenario with its title, in two columns that fit a terminal of 80."""
    from incident.drill.scenario import load_scenario, scenario_names

    formatter = click.HelpFormatter(width=WIDTH)
    formatter.write_dl([(name, load_scenario(name).title) for name in scenario_names()])
    return formatter.getvalue()

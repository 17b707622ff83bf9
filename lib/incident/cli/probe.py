"""`incident probe`: handshakes, one or a matrix."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from incident.findings import EXIT_CODES, UsageError


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


@click.command()
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

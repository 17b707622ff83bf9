"""The command group: our errors as one line and an exit code, an interruption as one clean end."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from incident.findings import SourceError, UsageError

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM. Its own class: `python -m` ends by the signal once a bare one has passed an `exec` of text."""


@contextmanager
def interrupted_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """SIGINT and SIGTERM go to a handler meanwhile, and afterwards where they went before."""
    before = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, other in before.items():
            if signal.getsignal(number) is handler:  # else we were interrupted, and end undisturbed
                signal.signal(number, other)


def interrupt(number: int, frame: Any) -> None:
    """SIGTERM as SIGINT: one `Interrupted`, and no second, so that the cleaning after the first is not disturbed."""
    for each in INTERRUPTIONS:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted


def any_characters() -> None:
    """Print a question mark for what the terminal cannot, rather than lose the result of what was done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Commands(click.Group):
    """Turns our errors into one line on standard error and the exit code of the contract."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; 2 wrong usage, 1 a failure of the other side, 130 interrupted."""
        any_characters()
        try:
            with interrupted_by(interrupt):
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

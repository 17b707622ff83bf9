"""`incident probe`: handshakes, one or a matrix."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from incident.findings import EXIT_CODES, UsageError

if TYPE_CHECKING:
    from incident.sources.endpoint import Surroundings
    from incident.sources.id_tokens import IdToken

CHECK = ("headers", "origin", "subprotocols", "send", "expect_message", "expect", "hold")
PATHS = ("websocket_path", "health_path")
SERVICE = ("project", "region", "service")
SCHEMES = ("", "basic", "bearer", "negotiate", "token")
"""What is left of a header of credentials where the credentials did not come."""

INSECURE = "--insecure: the certificate is not checked, so whoever answers may not be this service"


def parse_headers(given: tuple[str, ...]) -> dict[str, str]:
    """Headers of the form `Name: value`; no message shows one, as its value may be a credential."""
    from incident.sources.id_tokens import CARRIERS

    headers: dict[str, str] = {}
    for number, text in enumerate(given, 1):
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"--header number {number} has no colon: write 'Name: value'")
        if name.strip().lower() in (known.lower() for known in headers):
            raise UsageError(f"--header number {number} has a name that is given twice: keep one")
        if name.strip().lower() in map(str.lower, CARRIERS) and value.strip().lower() in SCHEMES:
            raise UsageError(
                f"--header number {number} has no token: the command that should have printed the token "
                "printed nothing; run that command alone and read what it says"
            )
        headers[name.strip()] = value.strip()
    return headers


@click.command(context_settings={"allow_extra_args": True})  # click's own refusal would print them
@click.argument("url")
@click.option("--matrix", metavar="NAME", help="Run a matrix of checks; URL is their base.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send a header; repeat for more.")
@click.option("--origin", metavar="ORIGIN", help="Send this Origin, as a browser on that page would.")
@click.option("--subprotocol", "subprotocols", multiple=True, metavar="NAME", help="Offer a subprotocol; repeat.")
@click.option("--send", metavar="TEXT", help="Send a message once the connection is open.")
@click.option("--expect-message", metavar="TEXT", help="Wait for this message, 5 s at most.")
@click.option("--expect", default="", metavar="WHAT", help="accepted, refused, broken, unreachable, 403, 4401.")
@click.option("--hold", default=1.0, metavar="SECONDS", show_default=True, help="Keep it open so long.")
@click.option("--websocket-path", default="/ws", metavar="PATH", show_default=True, help="With --matrix: its path.")
@click.option("--health-path", default="/health", metavar="PATH", show_default=True, help="With --matrix: its path.")
@click.option("--connect-to", metavar="HOST:PORT", help="Connect there; Host and TLS name stay the URL's.")
@click.option("--insecure", is_flag=True, help="Go on where the certificate is not trusted.")
@click.option(
    "--retries", default=0, metavar="N", type=click.IntRange(0, 10),
    help="Try again after 429, 500, 502, 503, 504 or no answer.",
)  # fmt: skip
@click.option("--parallel", default=1, metavar="N", type=click.IntRange(1, 64), help="Checks of a matrix at a time.")
@click.option("--id-token", is_flag=True, help="Send an ID token, fetched through google-auth.")
@click.option("--audience", default="", metavar="AUD", help="Its audience; the service's URL unless given.")
@click.option("--project", default="", metavar="PROJECT", help="Whose service it is, for a host not of run.app.")
@click.option("--region", default="", metavar="REGION", help="Its region.")
@click.option("--service", default="", metavar="SERVICE", help="Its name; its URLs and audiences are read.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON alone.")
@click.option("--metrics", is_flag=True, help="Print them in Prometheus text format alone.")
def probe(url: str, connect_to: str | None, insecure: bool, retries: int, **options: Any) -> None:
    """Attempt WebSocket handshakes; say where each stops and which rule decided.

    Where an endpoint beyond this machine gives no answer, a control name is tried
    (www.googleapis.com:443): failed if that can be reached, else uncertain.

    \b
        incident probe wss://echo-7gq2x.a.run.app/ws --expect 403
        incident probe https://echo-7gq2x.a.run.app --matrix e2e --json

    Exit code: 0 ok, 3 failed, 4 uncertain or skipped, 2 wrong usage.
    """
    from incident.sources.endpoint import Surroundings
    from incident.sources.matrices import probe_document

    check_options(options)
    rows = probe_rows(url, Surroundings(connect_to=connect_to, retries=retries, insecure=insecure), options)
    document = probe_document(rows)
    click.echo(printed(document, options))
    sys.exit(EXIT_CODES[document["status"]])


def check_options(options: dict[str, Any]) -> None:
    """Refuse options that contradict each other, or that would be passed over in silence."""
    here = click.get_current_context()
    if here.args:
        raise UsageError("more than one URL was given: quote a header, --header 'Name: value'")
    if "@" in (here.params["connect_to"] or ""):
        raise UsageError("--connect-to has a user or a password in it: give HOST:PORT alone; it is no proxy")
    if options["as_json"] and options["metrics"]:
        raise UsageError("--json and --metrics exclude each other: give one of them")
    if options["matrix"] is None:
        refuse_without_matrix(options["parallel"])
    if not options["id_token"] and (lone := next((name for name in ("audience", *SERVICE) if options[name]), "")):
        raise UsageError(f"--{lone} is for --id-token: give both, or neither")
    given = [name for name in SERVICE if options[name]]
    if given and (missing := [f"--{name}" for name in SERVICE if name not in given]):
        raise UsageError(f"--{given[0]} alone names no service: give {' and '.join(missing)} too")


def refuse_without_matrix(parallel: int) -> None:
    """What only a matrix has a use for."""
    if parallel > 1:
        raise UsageError("--parallel is for --matrix: a single handshake has no other beside it")
    if given := [name.replace("_", "-") for name in PATHS if was_given(name)]:
        raise UsageError(f"--{given[0]} is for --matrix: a single handshake goes to the path of its URL")


def probe_rows(url: str, here: Surroundings, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one check, or of a matrix, after everything was said that is to be known before they are sent."""
    from incident.sources import matrices
    from incident.sources.checks import Check

    headers = parse_headers(options["headers"])
    token: IdToken | str | None = None
    if options["matrix"] is None:
        given = {name: options[name] for name in CHECK} | {"headers": headers}
        matrix = matrices.Matrix("", (Check(**given),))
    else:
        refuse_with_matrix(headers)
        matrix, token = matrices.load_matrix(options["matrix"]), given_token(url, here, headers)
    matrices.check_pace(matrix, here, options["parallel"])
    if options["id_token"]:
        token = fetched_token(url, here, options)
    open_text = open_note(url, here, headers) if options["matrix"] is None else ""
    announced = matrices.announcement(matrix, url, token)
    say([*notes(url, here), open_text, matrices.parallel_note(options["parallel"]), announced])
    paths = {name: options[name] for name in PATHS}
    return matrices.run_matrix(url, matrix, here=here, parallel=options["parallel"], id_token=token, **paths)


def refuse_with_matrix(headers: dict[str, str]) -> None:
    """What a matrix says itself may not be said beside it, but for a token, which no file should hold."""
    from incident.sources.id_tokens import CARRIERS

    if given := [name for name in CHECK if name != "headers" and was_given(name)]:
        option = given[0].removesuffix("s").replace("_", "-")
        raise UsageError(f"--{option} and --matrix exclude each other: write it into the matrix's file")
    if [name for name in headers if name.lower() != CARRIERS[0].lower()]:
        raise UsageError("--header and --matrix exclude each other, but for Authorization: write it into the file")
    if headers and was_given("id_token"):
        raise UsageError("--header Authorization and --id-token exclude each other with --matrix: give one of them")


def given_token(url: str, here: Surroundings, headers: dict[str, str]) -> IdToken | None:
    """The token of the command line, such as gcloud makes; it goes only where a fetched one would."""
    from incident.sources.id_tokens import IdToken, check_way, origin_of
    from incident.sources.target import parse_target

    target = parse_target(url)
    if headers:
        check_way(target, here)
    return next((IdToken(value, origin_of(target)) for value in headers.values()), None)


def fetched_token(url: str, here: Surroundings, options: dict[str, Any]) -> IdToken | str:
    """An ID token by google-auth, or why there is none."""
    from incident.sources.id_tokens import obtain

    service = {name: options[name] for name in SERVICE if options[name]}
    return obtain(url, here, options["audience"], service, os.environ)


def notes(url: str, here: Surroundings) -> Iterator[str]:
    """What whoever reads the rows has to know of this side."""
    from incident.sources.target import parse_target, proxies
    from incident.sources.trust import trust_note

    target = parse_target(url)
    yield proxies(os.environ, target)
    if target.secure:
        yield trust_note(os.environ)
        yield INSECURE if here.insecure else ""


def open_note(url: str, here: Surroundings, headers: dict[str, str]) -> str:
    """That a header of credentials goes where others can read it; an empty text where none does."""
    from incident.sources.id_tokens import CARRIERS, plain_text_host
    from incident.sources.target import parse_target

    host = plain_text_host(parse_target(url), here)
    names = [name for name in CARRIERS if name.lower() in map(str.lower, headers)]
    if not (host and names):
        return ""
    verb = "goes" if len(names) == 1 else "go"
    return f"{' and '.join(names)} {verb} to {host} over plain text: whoever is on the way can read it"


def say(lines: Iterable[str]) -> None:
    """Notes on standard error, so that standard output holds the rows alone."""
    for line in filter(None, lines):
        text = f"note: {line}"
        click.echo(textwrap.fill(text, 80, subsequent_indent="    ", break_on_hyphens=False), err=True)


def printed(document: dict[str, Any], options: dict[str, Any]) -> str:
    """The rows as they were asked for; a table has colour only on a terminal, and none where NO_COLOR says so."""
    if options["as_json"]:
        return json.dumps(document, indent=2)
    rows = document["handshakes"]
    if options["metrics"]:
        from incident.metrics import metrics_text

        return metrics_text(rows).rstrip("\n")
    from incident.tables import handshake_table

    return handshake_table(rows, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def was_given(name: str) -> bool:
    """Whether an option is on the command line, and not its default."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE

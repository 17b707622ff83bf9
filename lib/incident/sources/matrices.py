"""Matrices of checks, run against an endpoint: which go out, in which order, how many at a time, and with what.

Decides: the target of each check, whether it carries an ID token, and which checks are skipped for want of one. Reads:
the endpoint. Cannot tell: anything about a check that it did not run, whose row is `skipped` and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from incident.findings import UsageError, worst
from incident.sources.checks import Check, Row, Sighting
from incident.sources.endpoint import HERE, Control, Surroundings, attempt, row, run
from incident.sources.id_tokens import IdToken, carrying, origin_of
from incident.sources.stages import TIMED
from incident.sources.target import Target, parse_target

INTRUSIVE_PAUSE_S: Final = 1.0
MOST_PARALLEL: Final = 64
NO_TOKEN: Final = "it needs an ID token, and none was asked for: give --id-token"
WHERE_NEEDED: Final = IdToken("", "")
"""Stands for a token that is sent where a check of the matrix needs one, and not at all where none does."""

OWN_ORIGIN: Final = "{origin}"
"""An `origin` that is filled with the endpoint's own, as a page that the endpoint serves would send it."""


@dataclass(frozen=True)
class Matrix:
    """Checks in the order they run. `intrusive` ones run at one a second, and only when asked for by name.

    `id_token` maps the name of a check to what its file says: true, it needs an ID token; false, it never carries one.
    A check that is not in it carries one where there is one.
    """

    name: str
    checks: tuple[Check, ...]
    intrusive: bool = False
    id_token: Mapping[str, bool] = field(default_factory=dict)


def load_matrix(name_or_path: str) -> Matrix:
    """A packaged matrix by name, or a file by its path (with a slash, or ending in .yaml).

    Raises `UsageError` with the line of the mistake and what is allowed there.

    >>> [check.name for check in load_matrix("e2e").checks][:2]
    ['health', 'no-header-refused']
    """
    from incident.sources.matrix_file import load  # a single handshake does not wait for a reader of YAML

    return load(name_or_path)


@dataclass(frozen=True)
class Planned:
    """A check that is ready to go to its target, or why it is skipped."""

    target: Target
    check: Check
    skipped: str = ""


def run_matrix(
    endpoint: str,
    matrix: Matrix,
    *,
    websocket_path: str = "/ws",
    health_path: str = "/health",
    here: Surroundings = HERE,
    parallel: int = 1,
    id_token: IdToken | str | None = None,
) -> list[Row]:
    """The rows of a matrix's checks, in the order of its file.

    `endpoint` is the base that the checks' paths are added to. One check at a time, as RFC 6455 4.1 asks (one
    connection to a host may be connecting); `parallel` breaks that, 1 to 64. `id_token` is what checks carry; a text
    says why there is none although one was asked for, and every check that would have carried it is then skipped; None
    means that none was asked for, which skips those alone that need one. Raises `UsageError` before anything is sent.
    """
    check_pace(matrix, here, parallel)
    paths = {
        "{websocket_path}": path_parameter("websocket_path", websocket_path),
        "{health_path}": path_parameter("health_path", health_path),
        "{other_case}": swapped_case(websocket_path),
    }
    plan = [planned(endpoint, check, paths, matrix, id_token) for check in matrix.checks]

    async def rows() -> list[Row]:
        control, room = Control(here), asyncio.Semaphore(parallel)

        async def one(item: Planned, pause: float) -> Row:
            async with room:
                await asyncio.sleep(pause)
                return await tried(item, here, control)

        under_way = []
        for item, pause in zip(plan, pauses(plan, matrix), strict=True):
            under_way.append(asyncio.create_task(one(item, pause)))
            await asyncio.sleep(0)  # the first has sent its request before the last begins
        return await asyncio.gather(*under_way)

    return run(rows())


def check_pace(matrix: Matrix, here: Surroundings, parallel: int) -> None:
    """Refuse what would send an intrusive matrix faster than one a second."""
    if not 1 <= parallel <= MOST_PARALLEL:
        raise UsageError(f"parallel is {parallel}: give 1 to {MOST_PARALLEL}")
    for name, more in (("parallel", parallel > 1), ("retries", here.retries > 0)):
        if matrix.intrusive and more:
            raise UsageError(f"matrix {matrix.name!r} is intrusive, and runs one try a second: leave out --{name}")


def pauses(plan: Iterable[Planned], matrix: Matrix) -> Iterator[float]:
    """Seconds to wait before each: none before the first that is sent, and none at all unless it is intrusive."""
    sent = False
    for item in plan:
        yield INTRUSIVE_PAUSE_S if matrix.intrusive and sent and not item.skipped else 0
        sent = sent or not item.skipped


def planned(
    endpoint: str, check: Check, paths: Mapping[str, str], matrix: Matrix, id_token: IdToken | str | None
) -> Planned:
    """One check with its placeholders filled and its token added."""
    target = parse_target(endpoint, placed(check.path, paths), check.kind)
    if check.origin == OWN_ORIGIN:
        check = replace(check, origin=origin_of(target))
    if check.path.startswith("{other_case}") and paths["{other_case}"] == paths["{websocket_path}"]:
        return Planned(target, check, f"the path {paths['{websocket_path}']!r} has no letters, so it has no other case")
    token = token_of(check, matrix, id_token)
    if isinstance(token, IdToken):
        return Planned(target, carrying(check, target, token))
    return Planned(target, check, token)


def token_of(check: Check, matrix: Matrix, id_token: IdToken | str | None) -> IdToken | str:
    """The token that a check carries, or why it is skipped; an empty text where it goes without one."""
    wanted = matrix.id_token.get(check.name)
    if wanted is False or (id_token is None and not wanted):
        return ""
    return id_token or NO_TOKEN


async def tried(item: Planned, here: Surroundings, control: Control) -> Row:
    """The row of one check; one that is skipped has all fields too, and no result."""
    if not item.skipped:
        return await attempt(item.target, item.check, here, control)
    seen = Sighting(timings=dict.fromkeys(TIMED))
    ids = here.randbytes(8).hex(), here.randbytes(16).hex()
    made = row(item.target, item.check, seen, here.now(), 0, *ids)
    return made | {"stage": None, "sent": [], "status": "skipped", "because": item.skipped}


def path_parameter(name: str, path: str) -> str:
    """A path that begins with a slash."""
    if not path.startswith("/"):
        raise UsageError(f"parameter {name!r} is {path!r}: begin it with a slash, such as /ws")
    return path


def swapped_case(path: str) -> str:
    """A path with the case of its letters swapped; its query stays.

    >>> swapped_case("/chat/ws?v=a")
    '/CHAT/WS?v=a'
    """
    path, mark, query = path.partition("?")
    return path.swapcase() + mark + query


def placed(path: str, paths: Mapping[str, str]) -> str:
    """A check's path with its placeholder filled; what follows it comes before the query of what fills it.

    >>> placed("{websocket_path}/", {"{websocket_path}": "/ws?v=2"})
    '/ws/?v=2'
    >>> placed("{websocket_path}?k=v", {"{websocket_path}": "/ws?v=2"})
    '/ws?v=2&k=v'
    """
    name, brace, rest = path.partition("}")
    if not brace:
        return path
    base, _, query = paths[name + brace].partition("?")
    rest, _, more = rest.partition("?")
    queries = "&".join(filter(None, (query, more)))
    return base + rest + (f"?{queries}" if queries else "")


def announcement(matrix: Matrix, endpoint: str, id_token: IdToken | str | None = WHERE_NEEDED) -> str:
    """What an intrusive matrix is about to send, to be said before it is sent; an empty text for any other.

    `id_token` is that of `run_matrix`, which decides which checks are sent. Names of headers only: their values may be
    credentials.

    >>> announcement(load_matrix("authentication"), "https://chat.example/")[:64]
    "matrix 'authentication' is intrusive: it sends 3 checks to chat."
    """
    if id_token is WHERE_NEEDED and not any(matrix.id_token.values()):
        id_token = None
    tokens = [(check, token_of(check, matrix, id_token)) for check in matrix.checks]
    sent = [check for check, token in tokens if not isinstance(token, str) or not token]
    if not matrix.intrusive or not sent:
        return ""
    names = {name.lower(): name for check in reversed(sent) for name in check.headers}
    also = ["an Origin"] * any(check.origin is not None for check in sent)
    also += ["an ID token"] * any(isinstance(token, IdToken) for _, token in tokens)
    what = ", ".join([*sorted(names.values(), key=str.lower), *also])
    checks = f"{len(sent)} check{'' if len(sent) == 1 else 's'}"
    return (
        f"matrix {matrix.name!r} is intrusive: it sends {checks} to "
        f"{parse_target(endpoint).host_header}, one a second, with {what or 'no headers of its own'}"
    )


def parallel_note(parallel: int) -> str:
    """What several checks at a time come to, to be said before they are sent; an empty text for one.

    >>> parallel_note(8)
    '8 checks at a time: RFC 6455 section 4.1 allows one connection to a host that is still connecting'
    """
    words = "checks at a time: RFC 6455 section 4.1 allows one connection to a host that is still connecting"
    return f"{parallel} {words}" if parallel > 1 else ""


def probe_document(rows: Sequence[Row]) -> dict[str, Any]:
    """What `incident probe --json` prints: schema 1, the worst status of the rows, and the rows.

    >>> probe_document([{"status": "ok"}, {"status": "uncertain"}])["status"]
    'uncertain'
    """
    return {"schema": 1, "status": worst(row["status"] for row in rows), "handshakes": list(rows)}

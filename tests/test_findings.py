"""The rules of CONTRACTS' "Statuses", a row a rule."""

import pytest

from incident.findings import EXIT_CODES, Check, Finding, Gap, PositiveSign, ordered, primary, run_status, worst

PROBED = PositiveSign("7 of 7 handshakes were accepted", probed=True)
LOGGED = PositiveSign("3 sockets opened on the serving revision", probed=False)
TAIL = Gap("logs", "the tail has not settled", "run again later", "unsettled")


def check(status):
    """A check that came to a status."""
    return Check("x-test-type", "websocket", "accepted", "", status, "why")


def cause(name, status="failed", **fields):
    """A cause that came to a status."""
    return Finding(name, status, because="why", **fields)


@pytest.mark.parametrize(
    ("causes", "checks", "gaps", "sign", "status", "because"),
    [
        ([cause("a", active=True)], [], [], PROBED, "failed", "active: a; no check fails"),
        ([], [check("failed")], [], PROBED, "failed", "no active cause is known; 1 failing check"),
        ([cause("a", active=True)], [check("failed")] * 2, [TAIL], None, "failed", "active: a; 2 failing checks"),
        ([cause("a", active=False)], [check("ok")], [], PROBED, "ok", PROBED.because),
        ([], [check("uncertain")], [], PROBED, "uncertain", "check x-test-type could not be decided: why"),
        ([], [], [Gap("logs", "refused", "grant", "refused")], PROBED, "uncertain", "logs: refused"),
        ([], [], [Gap("revisions", "absent", "check", "absent")], PROBED, "uncertain", "revisions: absent"),
        ([], [], [Gap("builds", "refused", "grant", "refused")], PROBED, "ok", PROBED.because),
        ([], [], [Gap("iam", "absent", "grant", "absent")], LOGGED, "ok", LOGGED.because),
        ([cause("a", "uncertain")], [], [], PROBED, "ok", PROBED.because),
        ([], [], [TAIL], PROBED, "ok", PROBED.because),
        ([], [], [TAIL], LOGGED, "uncertain", "logs: the tail has not settled"),
        ([], [check("skipped")], [], LOGGED, "ok", LOGGED.because),
        (
            [], [check("skipped")], [], None, "uncertain",
            "nothing shows that the service works: no handshake was seen accepted and no socket opened",
        ),
    ],
)  # fmt: skip
def test_run_status(causes, checks, gaps, sign, status, because):
    """A run says ok only with a positive sign and whole logs and revisions; a failure outweighs every doubt."""
    verdict = run_status(causes, checks, gaps, sign)
    assert (verdict.status, verdict.because) == (status, because)


def test_every_doubt_is_said():
    """Whoever reads `uncertain` needs all that stands in the way, not only the first."""
    gap = Gap("logs", "refused", "grant", "refused")
    assert len(run_status([], [check("uncertain")], [gap], None).undecided) == 3


def test_order_of_causes():
    """Active first: on the serving revision, by share, by onset; then ended, last first; then uncertain, ok, skipped."""
    given = [
        cause("skipped", "skipped"),
        cause("ok", "ok"),
        cause("uncertain", "uncertain"),
        cause("ended-early", ended="2025-09-07T10:00:00Z"),
        cause("ended-late", ended="2025-09-07T11:00:00Z"),
        cause("elsewhere", active=True, revisions=("old",), share=0.9),
        cause("late-onset", active=True, revisions=("now",), share=0.2, started="2025-09-07T10:05:00Z"),
        cause("early-onset", active=True, revisions=("now",), share=0.2, started="2025-09-07T10:01:00Z"),
        cause("most", active=True, revisions=("old", "now"), share=0.5),
    ]
    names = [found.cause for found in ordered(given, serving=["now"])]
    assert names == [
        "most", "early-onset", "late-onset", "elsewhere", "ended-late", "ended-early", "uncertain", "ok", "skipped",
    ]  # fmt: skip


def test_primary_is_active():
    """A cause that has stopped is never the primary one: nothing is to be done about it now."""
    assert primary([cause("a", ended="2025-09-07T10:00:00Z")]) is None
    assert primary([cause("a"), cause("b", active=True)]).cause == "b"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [(["ok", "failed", "uncertain"], "failed"), (["ok", "uncertain"], "uncertain"), (["skipped", "ok"], "ok"), ([], "skipped")],
)  # fmt: skip
def test_worst(statuses, expected):
    """Statuses are ordered from failed to skipped, and nothing at all is skipped, not ok."""
    assert worst(statuses) == expected


def test_exit_codes():
    """Schedulers branch on these; 4 covers what could not be decided and what does not apply."""
    assert EXIT_CODES == {"ok": 0, "failed": 3, "uncertain": 4, "skipped": 4}

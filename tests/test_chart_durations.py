"""The chart of sockets' lives, read back from the figure: dots, lines, grounds, and the words."""

import json
import warnings
from itertools import combinations

import pytest
from matplotlib.colors import to_rgba

from incident import charts
from incident.analysis.case import Case
from incident.charts import canvas
from incident.charts.style import THEMES
from incident.report.pictures import dark

LAYOUTS = ("wide", "phone")
OLD, NEW = "chat-00065-old", "chat-00066-new"


def socket(at, latency, revision=NEW, repeat=1, agent="Chat/3"):
    """Sockets that opened one a second and lived equally long."""
    return {"log": "requests", "at": at, "revision": revision, "status": 101, "url": "https://chat/ws", "agent": agent,
            "repeat": repeat, "latency": latency}  # fmt: skip


def revision(name, at, limit):
    """A revision with its request timeout, in seconds, or with none that is known."""
    settings = json.dumps({"timeout_s": limit}) if limit else None
    return {"revision_name": name, "create_time": at, "traffic_start_time": at, "ready": True, "settings": settings}


def service(*logs, limits=(3600.0, 300.0), pulled="11:00:00", **more):
    """A service that changed its timeout at 10:26, as a case's mapping."""
    frames = {"revisions": [revision(OLD, "09:00:00", limits[0]), revision(NEW, "10:26:00", limits[1])],
              "traffic": [{"time": "10:59:00", "revision_name": NEW, "percent": 100}], "logs": list(logs)}  # fmt: skip
    return {"frames": frames, "pulled": pulled} | more


BEFORE = [socket(f"10:{number:02d}:00", 40 * 1.3**number, OLD) for number in range(2, 17)]
CUT = [*BEFORE, *(socket(f"10:{number}:00", 300.4) for number in range(30, 54)), socket("10:28:00", 60, repeat=3)]
HELD = {"probe_id": "p", "name": "held-open", "kind": "websocket", "verdict": "accepted", "status": "failed",
        "expected": "accepted", "held_s": 30.2, "time": "10:58:00"}  # fmt: skip
IDLE = service(*(socket(f"10:{number}:00", 30) for number in range(30, 54)), pulled="12:00:00")
IDLE["frames"]["handshakes"] = [HELD]
MANY = service(*(socket(f"10:{n:02d}:30", 2 + n) for n in range(60)), pulled="12:30:00")
MANY["frames"]["revisions"] = [
    revision(f"chat-{n:05d}-abc", f"10:{5 * n:02d}:00", (300.0, 60.0, 3600.0, 10.0)[n % 4]) for n in range(12)
]
MENDED = service(*CUT, socket("10:57:00", 5, "chat-00067-fix"), pulled="12:30:00")
MENDED["frames"]["revisions"].append(revision("chat-00067-fix", "10:56:00", 3600.0))
MENDED["frames"]["traffic"][0]["revision_name"] = "chat-00067-fix"
SETS = {
    "cut": service(*CUT), "mended": MENDED, "one": service(socket("10:51:10", 168)), "idle": IDLE, "many": MANY,
    "none": service(*({"log": "stdout", "at": at, "revision": name, "text": "up"}
                      for name, at in ((OLD, "10:01:00"), (NEW, "10:30:00"))), pulled="12:00:00"),
    "no lives": service({"log": "requests", "at": "10:01:00", "revision": OLD, "status": 101, "url": "https://chat/ws"},
                        socket("10:30:00", None, repeat=2), pulled="12:00:00"),
    "refused": service(gaps=[{"frame": "logs", "reason": "permission denied", "remedy": "grant it", "kind": "refused"}]),
    "unknown": service(*CUT, limits=(None, None)),
    "fresh": service(*(socket(f"10:{n}:00", 0.01) for n in range(30, 59)), limits=(3600.0, 3600.0)),
    "longest": service(*(socket("10:30:00", 3600.2, repeat=12) for _ in range(2)), limits=(3600.0, 3600.0),
                       pulled="12:30:00"),
    "few": service(socket("10:30:00", 300.1, repeat=3), socket("10:31:00", 20, repeat=9)),
    "most before": service(socket("10:30:00", 300.1), socket("10:31:00", 200, repeat=40)),
}  # fmt: skip


DRAWN = {}
"""Charts are only read here, so that each is drawn once."""


@pytest.fixture
def chart(evidence):
    """A function from one of the SETS to the chart."""

    def draw(name, layout="wide"):
        if (name, layout) not in DRAWN:
            DRAWN[name, layout] = charts.connection_durations(Case(evidence(SETS[name])), layout)
        return DRAWN[name, layout]

    return draw


def plain(text):
    """A sentence with its no-break spaces as spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def texts(drawn):
    """All lines of text, as drawn."""
    return [plain(text.get_text()) for text in drawn.axes[0].texts]


def dots(drawn, label):
    """The places of the dots that bear a label."""
    return [tuple(at) for part in drawn.axes[0].collections if part.get_label() == label for at in part.get_offsets()]


def line(drawn, label):
    """The one line that bears a label."""
    [found] = [line for line in drawn.axes[0].lines if line.get_label() == label]
    return found


@pytest.mark.parametrize(("name", "title"), [
    ("cut", "Since 10:26 sockets end at the request timeout of 300 s: 24 of 27 on 00066 last 300 to 301 s, against 0 of 15 on other revisions"),
    ("mended", "On 00066 sockets ended at the request timeout of 300 s: 24 of 27 lasted 300 to 301 s, against 0 of 16 on other revisions"),
    ("one", "Cannot be judged yet: 1 socket ended, after 168 s of a request timeout of 300 s"),
    ("idle", "No socket ends at its request timeout: 24 sockets ended, the longest after 30 s of 300 s"),
    ("none", "No socket ended in 2 entries"),
    ("no lives", "How long 3 sockets lived is not in 3 entries"),
    ("refused", "Cannot be judged: no socket ended in 0 entries; permission denied"),
    ("unknown", "42 sockets ended, the longest after 44 min; no request timeout is known"),
    ("fresh", "No socket ends at its request timeout: 29 sockets ended, the longest after 10 ms of 3600 s"),
    ("longest", "24 of 24 sockets on 00066 end at the request timeout of 3600 s, the longest that there is"),
    ("few", "3 of 12 sockets on 00066 end at the request timeout of 300 s; whether most do cannot be judged yet"),
    ("most before", "1 of 41 sockets on 00066 end at the request timeout of 300 s; most end before it"),
])  # fmt: skip
def test_the_title_says_whether_sockets_end_at_the_timeout(chart, name, title):
    """Whoever reads nothing else must know whether the timeout is the trouble, and since when."""
    assert plain(chart(name).title) == title


def test_the_caption_says_what_was_counted_and_what_is_not_there_yet(chart):
    """A picture that is passed on alone must still say of what, of when, and that open sockets are missing."""
    assert plain(chart("cut").caption) == (
        "42 sockets that ended (status 101) of chat (us-central1), among 42 log entries, 2025-09-07 10:00 – 11:00 UTC. "
        "One dot a socket, at the time it opened; those that would cover each other are drawn once. A socket that is "
        "still open has no entry yet: from 10:55 on this may not be all. Durations on a log scale. Gap in logs: entries of "
        "the window's last moments may still arrive: it settles at 2025-09-07T11:01:00Z."
    )
    assert "A ring is a live handshake that the other side ended." in plain(chart("idle").caption)
    assert "from the first one on this may not be all." in plain(chart("fresh").caption)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_socket_that_was_cut_lies_on_its_timeouts_line(chart, layout):
    """What is read off the picture is the distance of the dots to the line."""
    drawn = chart("cut", layout)
    cut, limit = dots(drawn, "cut"), line(drawn, "timeout 300")
    assert len(cut) == {"wide": 24, "phone": 21}[layout], "on a phone three lie on others"
    assert {round(y - limit.get_ydata()[0]) for _, y in cut} == {0}
    assert all(limit.get_xdata()[0] <= x <= limit.get_xdata()[1] for x, _ in cut)
    assert all(y > line(drawn, "timeout 3600").get_ydata()[0] for _, y in dots(drawn, "ended"))


def test_only_a_timeout_that_could_be_longer_is_a_failure(chart):
    """At 3600 s every socket must end, and nobody should look for a mistake."""
    assert dots(chart("longest"), "cut") == []
    [part] = [part for part in chart("cut").axes[0].collections if part.get_label() == "cut"]
    assert tuple(part.get_facecolor()[0]) == to_rgba(THEMES["light"].bad)


def test_the_request_timeout_is_named_on_its_line(chart):
    """A legend would have to be looked up."""
    assert {"request timeout 3600 s", "request timeout 300 s"} <= set(texts(chart("cut")))
    assert {"request timeout 3600 s", "24 of 27 end here"} <= set(texts(chart("cut", "phone")))
    assert "60 s" in texts(chart("many")), "where there is room for no more"


def test_the_counts_stand_beside_the_plot(chart):
    """Dots that lie on each other cannot be counted."""
    drawn = chart("cut")
    assert {"the 27 on 00066", "longer", "at 300 s", "shorter", "24", "3", "0"} <= set(texts(drawn))
    lengths = {
        plain(patch.get_label()): patch.get_width()
        for patch in drawn.axes[0].patches
        if patch.get_label().startswith("count")
    }
    assert lengths["count at 300 s"] / lengths["count shorter"] == pytest.approx(8)
    assert not {"longer", "shorter"} & set(texts(chart("one"))), "one point is no histogram"


def test_what_may_be_open_stands_on_a_darker_ground(chart):
    """Of the newest sockets only the short ones are known, which looks like an improvement."""
    [ground] = [patch.get_bbox() for patch in chart("cut").axes[0].patches if patch.get_label() == "may be open"]
    assert ground.width / (860 - 92) == pytest.approx(5 / 60, abs=0.005)
    assert "opened from 10:55 on: may be open, no entry yet" in texts(chart("cut"))
    assert "may be open, no entry yet" in texts(chart("fresh"))
    assert not any("may be open" in text for text in texts(chart("idle")))


def test_one_socket_has_its_life_beside_it(chart):
    """One point is no distribution."""
    assert "168 s, the only one that ended" in texts(chart("one"))


def test_nothing_found_is_not_nothing_known(chart):
    """An empty plot that looks like peace is the worst a gap can do."""
    assert "no socket ended in 2 entries" in texts(chart("none"))
    assert "cannot be judged" in texts(chart("refused"))


def test_a_live_handshake_that_was_ended_is_a_ring(chart):
    """The probe's own socket shows what the others came to, and is none of them."""
    [ring] = [patch for patch in chart("idle").axes[0].patches if patch.get_label() == "held"]
    assert ring.center[1] == pytest.approx(dots(chart("idle"), "ended")[0][1], abs=2)
    assert 820 < ring.center[0] <= 860


def test_many_sockets_are_drawn_once_where_they_lie_on_each_other(evidence):
    """A report of a busy service must still open."""
    busy = service(*(socket(f"10:3{n}:00", 10 + n, repeat=30) for n in range(5)), pulled="12:00:00")
    drawn = charts.connection_durations(Case(evidence(busy)))
    assert len(dots(drawn, "ended")) < 150
    assert "those that would cover each other are drawn once" in plain(drawn.caption)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["cut", "one", "many", "fresh", "refused", "idle"])
def test_no_text_is_cut_or_covered(chart, layout, name):
    """Labels that collide, or leave the sheet, were the commonest mistake of the first pictures."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = chart(name, layout)
        width, height = drawn.get_size_inches() * canvas.POINTS
    placed = []
    for text in drawn.axes[0].texts:
        box = text.get_window_extent()
        placed.append((text.get_text(), (box.x0 + 1, height - box.y1 + 2, box.x1 - 1, height - box.y0 - 2)))
    assert [text for text, box in placed if box[0] < 0 or box[2] > width or box[3] > height] == []
    assert [(one[0], two[0]) for one, two in combinations(placed, 2) if canvas.overlaps(one[1], two[1])] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_dark_chart_is_the_light_one_in_other_colours(chart, layout, evidence):
    """A report draws one of the two and exchanges its colours."""
    other = charts.connection_durations(Case(evidence(SETS["cut"])), layout, "dark")
    assert dark(chart("cut", layout).svg()) == other.svg()


def test_a_name_that_is_hostile_is_text(evidence):
    """A revision's name comes from an export, which anybody may have written."""
    hostile = "<script>alert(1)</script> $\\frac{x}$ \x1b[31m \u202egnp"
    case = service(socket("10:30:00", 300.1, hostile, repeat=12))
    case["frames"]["revisions"].append(revision(hostile, "10:27:00", 300.0))
    svg = charts.connection_durations(Case(evidence(case))).svg().decode()
    assert "<script>" not in svg
    assert not set("\x1b\u202e") & set(svg)

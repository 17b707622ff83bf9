"""The chart of the handshakes' timings, read back from the figure: bars, marks, scales, and the words."""

import json
import warnings
from itertools import combinations

import pytest

from incident import charts
from incident.analysis.case import Case
from incident.charts import canvas
from incident.charts.style import THEMES
from incident.charts.timing import FILLS, ON_FILLS

STAGES = ("resolve_s", "connect_s", "tls_s", "status_s", "headers_s", "open_s")
HOSTILE = "$\\frac{x}$ <script>alert(1)</script> \x1b[31mred \u202egnp 中文 and so long that no row has the room"
LAYOUTS = ("wide", "phone")


def timed(name, *took, **fields):
    """A handshake over TLS that was accepted, with the seconds of its stages."""
    given = {"probe_id": name, "trace_id": f"trace-{name}", "name": name, "kind": "websocket", "time": "10:05:00",
             "attempts": 1, "status": "ok", "expected": "accepted", "verdict": "accepted", "stage": "open",
             "http_status": 101}  # fmt: skip
    return given | {"timings": json.dumps(dict(zip(STAGES, took, strict=False)))} | fields


def stopped(name, stage, *took, status="failed"):
    """A handshake that got no answer."""
    return timed(name, *took, stage=stage, verdict="unreachable", http_status=None, status=status)


def refused(name, *took):
    """A handshake that the application refused."""
    return timed(name, *took, stage="status", verdict="refused", http_status=403)


def entry(name, status, latency, **fields):
    """The service's own entry of a handshake."""
    return {"log": "requests", "at": "10:05:00", "revision": "chat-00139-new", "instance": "00ab", "status": status,
            "latency": latency, "probe_id": name, "trace": f"projects/p/traces/trace-{name}"} | fields  # fmt: skip


USUAL = [timed(f"check {number}", 0.003, 0.017, 0.037, 0.06 + number / 100, 0.001, 0.008) for number in range(4)]
COLD = [timed("cold", 0.021, 0.017, 0.038, 4.0, 0.001, 0.004, attempts=2), *USUAL]
STOPS = [
    *USUAL, stopped("no name", "resolve", 0.8), stopped("dropped", "connect", 0.02, 5.0),
    stopped("expired", "tls", 0.02, 0.02, 0.05), stopped("silent", "request", 0.02, 0.02, 0.05, 10, status="uncertain"),
]  # fmt: skip
FAST = [
    refused("no-header", 0.0001, 0.001, None, 0.003, 0.0001),
    timed("plain", 0.0002, 0.001, None, 0.002, 0.00001, 0.0001),
]
MANY = [timed(f"check {number:02d}", 0.02, 0.017, 0.038, 0.05 + number / 1000, 0.001, 0.004) for number in range(64)]
LOGGED = {"handshakes": FAST[:1], "logs": [entry("no-header", 403, 0.0024)]}
SETS = {"usual": USUAL, "cold": COLD, "stops": STOPS, "fast": FAST, "many": MANY, "one": USUAL[:1],
        "hostile": [timed(HOSTILE, 0.1, 0.1, 0.1, 0.1, attempts=3)]}  # fmt: skip


@pytest.fixture
def chart(evidence):
    """A function from handshakes, or from frames, to the chart."""

    def draw(frames, layout="wide", theme="light"):
        frames = frames if isinstance(frames, dict) else {"handshakes": frames}
        return charts.handshake_timing(Case(evidence({"frames": frames})), layout, theme)

    return draw


def plain(text):
    """A sentence with its no-break spaces as spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def texts(drawn):
    """All lines of text, as drawn."""
    return [plain(text.get_text()) for text in drawn.axes[0].texts]


def bar(drawn, label):
    """The rectangle of one stage of one check; the last one drawn, where a panel has the whole too."""
    return [patch.get_bbox() for patch in drawn.axes[0].patches if patch.get_label() == label][-1]


def mark(drawn, label):
    """The lines that bear a label."""
    return [line for line in drawn.axes[0].lines if line.get_label() == label]


@pytest.mark.parametrize(("frames", "title"), [
    (USUAL, "Waiting for the status takes 53 % of the time; the slowest check, check 3, took 156 ms"),
    (USUAL[:1], "check 0 took 126 ms, 60 ms of it waiting for the status"),
    (COLD, "cold took 4.1 s, 4 s of it waiting for the status; the other 4 took 126 ms to 156 ms"),
    (COLD[:2], "cold took 4.1 s, 4 s of it waiting for the status; the other took 126 ms"),
    (STOPS[4:6], "dropped took 5 s and stopped while connecting; the other took 800 ms"),
    (STOPS[6:], "silent took 10.1 s and stopped while waiting for the status; the other took 90 ms"),
    ([*STOPS, timed("slow", 0, 0, 0, 9)], "4 of 9 checks got no answer; waiting for the status takes 75 % of the time; the slowest check, silent, took 10.1 s and stopped while waiting for the status"),
    ([timed("a", 0.2, 0.3, 0.3, 0.2)] * 2, "No stage takes most of the time: 30 % is connecting; the slowest check, a, took 1 s"),
    ([timed("a", 0, 0, None, 0)] * 2, "No stage takes most of the time; the slowest check, a, took 0 ms"),
    (LOGGED, "no-header took 4.2 ms, 3 ms of it waiting for the status, 80 % of that wait in the service by its log"),
    ([timed("untimed")], "No handshake was timed"),
    ([], "No handshake was tried"),
])  # fmt: skip
def test_the_title_says_where_the_time_goes(chart, frames, title):
    """Whoever reads nothing else must know whether to look at the name, the network or the service."""
    assert plain(chart(frames).title) == title


def test_nothing_known_is_said(evidence):
    """A gap must not look like a quick endpoint."""
    drawn = charts.handshake_timing(Case(evidence({"not_vouched": ["handshakes"]})))
    assert plain(drawn.title) == "Cannot be judged: no handshakes came, and no source says that there are none"
    assert "no timings" in texts(drawn)


def test_the_caption_says_what_was_timed_and_how_to_read_it(chart):
    """A picture that is passed on alone must still say of what, of when, and what is not in it."""
    assert plain(chart(COLD).caption) == (
        "5 checks of chat (us-central1), tried 2025-09-07 10:05 – 10:05 UTC, up to 2 tries each. From left to right: "
        "resolve, connect, TLS, status, headers, open; the hold after them is not counted. A ▸ goes on beyond the scale. "
        "The left panel has each try whole. Of 1 check with retries, the last try is drawn. How much of the wait is the "
        "service’s own is not known from here. No gaps."
    )
    assert "the log has of 1 of 1; an opened socket’s is its life, and is left out." in plain(chart(LOGGED).caption)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stages_follow_each_other_on_one_scale(chart, layout):
    """Lengths are compared by eye: twice as long must be twice the time, in every row."""
    drawn = chart(USUAL, layout)
    pixels = {n: bar(drawn, f"status check {n}").width + 1 for n in range(4)}
    assert [pixels[n] / pixels[0] for n in range(4)] == pytest.approx([1, 7 / 6, 8 / 6, 9 / 6], rel=0.01)
    for before, after in (("resolve", "connect"), ("connect", "tls"), ("tls", "status"), ("headers", "open")):
        assert bar(drawn, f"{before} check 0").x1 == pytest.approx(bar(drawn, f"{after} check 0").x0, abs=2)


def test_the_stage_that_stopped_is_marked(chart):
    """A long stage that ended well and one that never ended have different remedies."""
    drawn = chart(STOPS)
    bad = {patch.get_label() for patch in drawn.axes[0].patches if patch.get_facecolor() == bad_color()}
    assert bad - {"mark failed"} == {"resolve no name", "connect dropped", "tls expired", "status silent"}
    assert {"stopped in resolve", "stopped in connect", "stopped in TLS", "stopped in status"} <= set(texts(drawn))
    assert len(mark(drawn, "stopped expired")) == 2
    assert len(mark(drawn, "stopped silent")) == 1  # in the panel of the whole: where the bar is cut, it did not stop


def bad_color():
    """The colour of failure in the light theme, as matplotlib has it."""
    from matplotlib.colors import to_rgba

    return to_rgba(THEMES["light"].bad)


def test_one_slow_check_does_not_hide_the_stages_of_the_others(chart):
    """Four seconds on the scale of four checks of a tenth would leave these a pixel a stage."""
    drawn = chart(COLD)
    assert {"the whole", "its first 156 ms, by stage", "status 4 s ▸", "TLS 37 ms", "status 60 ms"} <= set(texts(drawn))
    assert bar(drawn, "tls check 0").width > 40
    assert "first 156 ms of each, by stage" in texts(chart(COLD, "phone"))
    assert "the whole" not in texts(chart(USUAL))


def test_the_services_own_latency_stands_under_the_wait(chart):
    """What is left of the wait is the network; a socket's latency is its life, and would be a lie there."""
    drawn = chart({"handshakes": FAST, "logs": [entry("no-header", 403, 0.0024), entry("plain", 101, 0.0015)]})
    wait, [line] = bar(drawn, "status no-header"), mark(drawn, "service no-header")
    assert line.get_xdata()[0] == pytest.approx(wait.x0)
    assert (line.get_xdata()[1] - wait.x0) / (wait.width + 1) == pytest.approx(0.8, abs=0.01)
    assert mark(drawn, "service plain") == []
    assert "2.4 ms" in texts(drawn)


def test_a_retry_is_said_beside_its_check(chart):
    """The picture is of the last try, which was not the only one."""
    assert "try 2" in texts(chart(COLD))
    assert "try 2 · 101" in texts(chart(COLD, "phone"))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_a_label_can_be_read_on_its_segment(theme):
    """Text on a fill needs 4 to 1 in both themes, and the same name of colour in both."""
    from matplotlib.colors import to_rgb

    def luminance(color):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for fill in {*FILLS.values(), "bad"}:
        low, high = sorted(luminance(getattr(theme, name)) for name in (fill, ON_FILLS[fill]))
        assert (high + 0.05) / (low + 0.05) > 4, fill


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SETS)
def test_no_text_is_cut_or_covered(chart, layout, name):
    """Labels that collide, or leave the sheet, were the commonest mistake of the first pictures."""
    drawn = chart(SETS[name], layout)
    width, height = drawn.get_size_inches() * canvas.POINTS
    boxes = []
    for text in drawn.axes[0].texts:
        box = text.get_window_extent()
        boxes.append((text.get_text(), (box.x0 + 1, height - box.y1 + 2, box.x1 - 1, height - box.y0 - 2)))
    assert [text for text, box in boxes if box[0] < 0 or box[2] > width or box[3] > height] == []
    assert [(one[0], two[0]) for one, two in combinations(boxes, 2) if canvas.overlaps(one[1], two[1])] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hostile_names_are_text(chart, layout):
    """A check's name comes from an export, which anybody may have written."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = chart(SETS["hostile"], layout).svg().decode()
    assert "<script>" not in svg
    assert not set("\x1b\u202e") & set(svg)


@pytest.mark.parametrize(
    "timings", ['{"status_s": "x"}', "[1]", "{", '{"status_s": -1}', '{"status_s": NaN}', '{"status_s": true}']
)
def test_what_is_no_time_is_not_drawn(chart, timings):
    """An export is written by anybody; one bad cell must not cost the run its charts."""
    assert plain(chart([timed("odd", timings=timings)]).title) == "No handshake was timed"

"""What the charts draw, read back from the figures: texts, places and heights, and the bytes that are saved."""

import re
import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import nbformat
import pandas as pd
import papermill
import pytest
import yaml
from matplotlib.colors import to_rgb

from incident import charts
from incident.analysis.case import Case
from incident.charts import canvas, scale, sequence
from incident.charts.bands import band_head
from incident.charts.style import DARK, LIGHT, THEMES, WIDE
from incident.findings import Gap, UsageError

NAMES = (
    "error-sequence", "revision-timeline", "handshake-matrix", "handshake-timing", "connection-durations", "before-after",
)  # fmt: skip
STARTS = {"chat-00135-old": "09:00:00", "chat-00136-env": "10:01:14", "chat-00139-new": "10:03:04",
          "chat-00140-fix": "10:04:04"}  # fmt: skip
START = pd.Timestamp("2025-09-07T10:00:00Z")
HOSTILE = "boom $\\frac{x}$ <script>alert(1)</script> \x1b[31mred \u202egnp \u4e2d & $y$"


def case_of(evidence, upto=4, **frames):
    """The incident of `incident.yaml`, up to one of its revisions, with further frames."""
    read = yaml.safe_load((Path(__file__).parent / "incident.yaml").read_text(encoding="utf-8"))["frames"]
    names = list(STARTS)[:upto]
    kept = {
        "revisions": [row | {"traffic_start_time": STARTS[row["revision_name"]]} for row in read["revisions"][:upto]],
        "traffic": [{"time": "10:05:00", "revision_name": names[-1], "percent": 100}],
        "logs": [row for row in read["logs"] if row["revision"] in names],
    }
    return Case(evidence({"frames": kept | frames}))


def handshake(name, status, **fields):
    """One check on plain ws://."""
    given = {"probe_id": name, "name": name, "kind": "websocket", "time": "10:05:00", "attempts": 1,
             "status": status, "expected": "accepted"}  # fmt: skip
    timings = '{"resolve_s": 0.1, "connect_s": 0.1, "tls_s": null, "status_s": 0.1}'
    return given | {"timings": timings} | fields


REFUSED = {"verdict": "refused", "stage": "status", "http_status": 503,
           "because": "answered 503 Service Unavailable; only 101 opens a WebSocket"}  # fmt: skip
ACCEPTED = {"verdict": "accepted", "stage": "open", "http_status": 101, "because": "accepted, still open after 500 ms"}
CLOSED = ACCEPTED | {"close_code": 1011, "because": "accepted, then closed with 1011 after 2.1 s"}
EXPIRED = {"verdict": "unreachable", "stage": "tls", "because": "the certificate has expired", "timings": None}
HANDSHAKES = [
    handshake("opens", "ok", **ACCEPTED), handshake("refused", "failed", **REFUSED),
    handshake("closed", "failed", **CLOSED), handshake("expired", "failed", **EXPIRED),
    handshake("undecided", "uncertain", verdict="unreachable", stage="connect", because="no control name was asked"),
]  # fmt: skip


@pytest.fixture
def broken(evidence):
    """The incident while its last revision fails."""
    return case_of(evidence, upto=3, handshakes=HANDSHAKES)


@pytest.fixture
def fixed(evidence):
    """The incident after its fix."""
    return case_of(evidence, handshakes=[handshake("opens", "ok", **ACCEPTED, revision_name="chat-00140-fix")])


@pytest.fixture
def quiet(evidence):
    """A window with requests and no error."""
    logs = [{"log": "requests", "at": "10:00:05", "revision": "chat-00135-old", "status": 101,
             "url": "https://chat/ws", "repeat": 20}]  # fmt: skip
    return case_of(evidence, upto=1, logs=logs)


@pytest.fixture
def unknown(evidence):
    """Evidence that came with nothing in it, and no word that there is nothing."""
    return Case(evidence({"not_vouched": ["logs", "revisions", "builds", "handshakes"]}))


def without_log(case):
    """The same case where the log was refused, so that it cannot say who refused."""
    return Case(replace(case.evidence, gaps=(Gap("logs", "permission denied", "grant roles/logging.viewer"),)))


def plain(text):
    """A sentence with its no-break spaces as spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def texts(chart):
    """All lines of text, as drawn."""
    return [plain(text.get_text()) for text in chart.axes[0].texts]


def labelled(artists, label):
    """Those of some artists that bear a label."""
    return [artist for artist in artists if artist.get_label() == label]


def test_a_title_is_the_computed_answer(broken, fixed):
    """Who reads nothing but the title must have read what happened."""
    assert [plain(chart.title) for chart in charts.figures(broken).values()] == [
        "HTTP 403 on /ws came first, on 00135 and 00136; then 00139 raised NameError and all its 24 requests failed",
        "00139 broke the service: all its 24 requests failed; 00136 had no effect; there is no 00137 or 00138",
        "3 of 5 checks are not as expected: 1 × refused with 503 from something before the service, 1 × closed with 1011 "
        "and 1 × unreachable at TLS; 1 could not be decided",
        "1 of 4 checks got no answer; no stage takes most of the time: 33 % is resolving the name; the slowest check, "
        "opens, took 300 ms",
        "How long 100 sockets lived is not in 248 entries",
        "4 of 7 checks fail; 2 of 7 checks cannot be judged yet; 1 of 7 checks and 2 of 2 kinds of request were not tried",
    ]
    assert [plain(chart.title) for chart in charts.figures(fixed).values()] == [
        "HTTP 403 on /ws came first, on 00135 and 00136; then 00139 raised NameError and all its 24 requests failed; "
        "00140 fixed it",
        "00139 broke the service: all its 24 requests failed; 00140 fixed it 1 minute later; 00136 had no effect; "
        "there is no 00137 or 00138",
        "The one check is as expected",
        "opens took 300 ms, 100 ms of it resolving the name",
        "How long 200 sockets lived is not in 348 entries",
        "2 of 2 kinds of request are fixed; 2 of 3 checks cannot be judged yet; 50 of 50 GET /ws by Chat still "
        "allow up to 8 % failures",
    ]


def test_nothing_found_is_not_nothing_known(quiet, unknown):
    """An empty chart that looks like peace is the worst a gap can do."""
    assert [plain(chart.title) for chart in charts.figures(quiet).values()] == [
        "No error entries: nothing found in 20 entries",
        "One revision, 00135, and no change",
        "No handshake was tried",
        "No handshake was tried",
        "How long 20 sockets lived is not in 20 entries",
        "Cannot be judged: nothing from before to compare with; 1 of 1 check went well now",
    ]
    assert [plain(chart.title) for chart in charts.figures(unknown).values()] == [
        "Cannot be judged: nothing found in 0 entries; no logs came, and no source says that there are none",
        "Cannot be judged: no revisions came, and no source says that there are none",
        *["Cannot be judged: no handshakes came, and no source says that there are none"] * 2,
        "Cannot be judged: no socket ended in 0 entries; no logs came, and no source says that there are none",
        "Cannot be judged: no handshakes came, and no source says that there are none",
    ]
    assert "0 entries" in texts(charts.error_sequence(quiet))
    assert "cannot be judged" in texts(charts.error_sequence(unknown))


def test_a_caption_says_what_was_counted_and_how_to_read_it(fixed, broken):
    """A picture that is passed on alone must still say of what, of when, and what is missing."""
    assert [plain(chart.caption) for chart in charts.figures(fixed).values()] == [
        "348 log entries of chat (us-central1), 2025-09-07 10:00 – 11:00 UTC, all of them between 10:00 and 10:05:01. One "
        "bar is at most 5 seconds and never spans two revisions; heights compare across lanes. Follows: in 80 % of its "
        "entries or more, one of the other came at most 60 s before on the same instance, or revision where none is "
        "named; a request counts at its end. No gaps.",
        "324 requests of chat (us-central1), 2025-09-07 10:00 – 11:00 UTC, drawn from 10:00 to 10:05:01. Height of a bar "
        "is the share of requests that the revision served in at most 5 seconds; a thin line is its build; the time below "
        "a number is the revision's creation. From 4 revisions and 0 builds. No gaps.",
        "1 check of chat (us-central1), tried 2025-09-07 10:05 – 10:05 UTC, 1 try each. Stages: resolve, connect, TLS, "
        "request, status, headers, open; an upright bar is where it stopped, a gap in the line a stage that the address "
        "does not have. The log has 1 of 1 of them, on 00140. No gaps.",
        "1 check of chat (us-central1), tried 2025-09-07 10:05 – 10:05 UTC, 1 try each. From left to right: resolve, "
        "connect, TLS, status, headers, open; the hold after them is not counted. How much of the wait is the service’s "
        "own is not known from here. No gaps.",
        "0 sockets that ended (status 101) of chat (us-central1), among 348 log entries, 2025-09-07 10:00 – 11:00 UTC. One "
        "dot a socket, at the time it opened. No gaps.",
        "3 checks and 2 kinds of request of chat (us-central1), 2025-09-07 10:00 – 11:00 UTC. Before: no earlier run, and "
        "requests to 00139. After: this run, and requests to 00140. A hollow point is the share before, a filled one "
        "after; a line is its exact 95 % interval (Clopper-Pearson). Tries of one run are not independent, so the true "
        "interval is wider. No gaps.",
    ]
    assert "Who refused is not known from here." in plain(charts.handshake_matrix(without_log(broken)).caption)


def test_a_build_under_way_and_our_own_probes_are_said(evidence):
    """The fix may be on its way, and what we caused ourselves is no evidence."""
    probe = {"log": "requests", "at": "10:03:00", "revision": "chat-00139-new", "status": 403, "probe_id": "p1"}
    building = {"build_id": "b2", "start_time": "10:03:40"}
    case = case_of(evidence, upto=3, builds=[building], logs=[probe])
    assert "1 build, under way since 10:03:40." in plain(charts.revision_timeline(case).caption)
    assert "1 entry of our own probes left out." in plain(charts.error_sequence(case).caption)


def test_bars_have_one_height_scale(fixed):
    """Lanes are compared by eye, so twice as high must be twice as many, in every lane."""
    chart = charts.error_sequence(fixed)
    drawn = sequence.frames(fixed, sequence.WITH_PANEL)
    most = drawn.bars["count"].max()
    for lane in range(len(drawn.lanes)):
        heights = [bar.get_height() for bar in labelled(chart.axes[0].patches, f"bar {lane}")]
        counts = drawn.bars.loc[drawn.bars["lane"] == lane, "count"]
        assert heights == pytest.approx([38 * count / most for count in counts])
    assert f"tallest: {most} entries" in texts(chart)


def test_bars_stand_in_the_band_of_their_revision(fixed):
    """An error must not be drawn on the revision before the one that made it."""
    chart = charts.error_sequence(fixed)
    band = labelled(chart.axes[0].patches, "band 00139")[0].get_bbox()
    for bar in labelled(chart.axes[0].patches, "bar 2"):
        assert band.x0 - 0.5 <= bar.get_bbox().x0
        assert bar.get_bbox().x1 <= band.x1 + 0.5


def test_a_relation_stands_with_its_count(fixed):
    """`follows` without `in n of m` was once written before it was counted."""
    found = [text for text in texts(charts.error_sequence(fixed)) if "follows" in text or "goes with" in text]
    assert found == [
        "10:03:05 – 10:03:16   follows 3 in 24 of 24",
        "10:03:05 – 10:03:16   follows 3 in 12 of 12",
    ]


def test_arrows_lead_from_the_cause_to_what_follows(fixed):
    """The panel is where the order within a second can be seen at all; a phone has no room for it."""
    wide, phone = charts.error_sequence(fixed), charts.error_sequence(fixed, layout="phone")
    arrows = labelled(wide.axes[0].patches, "is followed by")
    points = {int(order): labelled(wide.axes[0].patches, f"first {order}")[0].center[1] for order in (2, 3, 4)}
    assert len(arrows) == 2
    assert points[2] < points[3] < points[4]
    assert not labelled(phone.axes[0].patches, "is followed by")
    assert "First errors of 00139" in texts(wide)


def test_a_missing_revision_is_a_row(fixed):
    """Who looks for 00138 must read that it is not there, not wonder."""
    for layout in ("wide", "phone"):
        drawn = texts(charts.revision_timeline(fixed, layout))
        assert {"00137", "00138", "no such revision", "it never came to be, or it was deleted"} <= set(drawn)


def test_an_effect_is_a_word_and_a_shape(fixed):
    """Colour alone tells nothing to one reader in twelve, nor to a grey printer."""
    chart = charts.revision_timeline(fixed)
    drawn = texts(chart)
    for effect, word in (("broke", "broke"), ("fixed", "fixed"), ("none", "no effect")):
        assert labelled([*chart.axes[0].patches, *chart.axes[0].lines], f"mark {effect}")
        assert word in drawn
    assert "failed 0 of 50 → 12 of 12 GET /ws by Chat" in drawn
    assert "+ E2E_TEST_ENV" in drawn


def test_the_height_of_a_bar_is_the_share_of_traffic(fixed):
    """One revision after the other: each bar is full."""
    heights = {bar.get_height() for bar in labelled(charts.revision_timeline(fixed).axes[0].patches, "share 00140")}
    assert heights == {26}


def test_handshakes_stop_where_they_stopped(broken):
    """Refused by an answer, closed after opening and stopped in TLS have three different remedies."""
    lines = charts.handshake_matrix(broken).axes[0].lines
    stops = {name: labelled(lines, f"stop {name}")[0].get_xdata()[0] for name in ("refused", "closed", "expired")}
    assert stops["expired"] < stops["refused"] < stops["closed"]
    assert [stops[name] - stops["expired"] for name in ("refused", "closed")] == [44, 88]


def test_what_is_unknown_has_no_column(broken, fixed):
    """An empty column reads like `nobody`; who refused is not known from a probe alone."""
    assert not {"revision", "refused by"} & set(texts(charts.handshake_matrix(without_log(broken))))
    assert {"refused by", "before the service"} <= set(texts(charts.handshake_matrix(broken)))
    assert {"revision", "00140"} <= set(texts(charts.handshake_matrix(fixed)))


@pytest.mark.parametrize(("layout", "words"), [
    ("wide", {"refused by", "application", "platform"}),
    ("phone", {"the application: answered 403", "the platform: answered 503"}),
])  # fmt: skip
def test_the_layer_that_refused_stands_at_its_mark(evidence, layout, words):
    """The same 403 is another team's where the platform gave it."""
    rows = [handshake("own", "failed", **REFUSED | {"http_status": 403, "because": "answered 403"}),
            handshake("theirs", "failed", **REFUSED | {"because": "answered 503"})]  # fmt: skip
    entry = {"log": "requests", "at": "10:05:00", "revision": "chat-00140-fix", "instance": "00ab"}
    said = "The request failed because the instance could not start successfully."
    logs = [entry | {"probe_id": "own", "status": 403}, entry | {"probe_id": "theirs", "status": 503, "text": said}]
    chart = charts.handshake_matrix(case_of(evidence, handshakes=rows, logs=logs), layout)
    assert words <= set(texts(chart))
    assert plain(chart.title) == (
        "2 of 2 checks are not as expected: 1 × refused with 403 from the application and 1 × refused with 503 from "
        "the platform"
    )
    assert "The log has 2 of 2 of them, on 00140. A refusal is the platform’s where" in plain(chart.caption)


def test_failed_checks_are_on_top(broken):
    """The order on the sheet is the order of urgency."""
    for layout in ("wide", "phone"):
        chart = charts.handshake_matrix(broken, layout)
        places = {text.get_text(): text.get_position()[1] for text in chart.axes[0].texts}
        names = sorted(("refused", "closed", "expired", "undecided", "opens"), key=places.__getitem__)
        assert names == ["refused", "closed", "expired", "undecided", "opens"]


def boxes(chart):
    """The room of each line of text, in pixels from the upper left, a little smaller than its letters need."""
    drawn, height = {}, chart.get_size_inches()[1] * canvas.POINTS
    for number, text in enumerate(chart.axes[0].texts):
        box = text.get_window_extent()
        drawn[number, text.get_text()] = (box.x0 + 1, height - box.y1 + 2, box.x1 - 1, height - box.y0 - 2)
    return drawn


@pytest.mark.parametrize("layout", ["wide", "phone"])
@pytest.mark.parametrize("name", ["broken", "fixed", "quiet", "unknown"])
def test_no_text_is_cut_or_covered(layout, name, request):
    """Labels that collide were the commonest mistake of the first pictures."""
    for chart in charts.figures(request.getfixturevalue(name), layout).values():
        width, height = chart.get_size_inches() * canvas.POINTS
        placed = boxes(chart)
        assert [text for text, box in placed.items() if box[0] < 0 or box[2] > width or box[3] > height] == []
        pairs = combinations(placed.items(), 2)
        assert [(one[0], two[0]) for one, two in pairs if canvas.overlaps(one[1], two[1])] == []


def hostile_case(evidence):
    """A log line and a check that try whatever a text can try."""
    logs = [{"log": "stderr", "at": "10:00:05", "revision": "chat-00135-old", "severity": "ERROR", "text": HOSTILE}]
    return case_of(evidence, upto=1, logs=logs, handshakes=[handshake("$x$", "failed", because=HOSTILE)])


@pytest.mark.parametrize("layout", ["wide", "phone"])
def test_hostile_text_is_text(evidence, layout):
    """A log is written by whoever calls the service: its mathtext, markup and control characters are only shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = charts.figures(hostile_case(evidence), layout)
        drawn = {name: (chart.png(), chart.svg().decode()) for name, chart in figures.items()}
    _, svg = drawn["handshake-matrix"]
    root = ElementTree.fromstring(svg)
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    assert "boom $\\frac{x}$ &lt;script&gt;" in svg
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", svg)


def test_text_in_an_svg_is_text(fixed):
    """A report's picture can be searched, copied and read aloud."""
    root = ElementTree.fromstring(charts.error_sequence(fixed).svg())
    words = ["".join(node.itertext()) for node in root.iter() if node.tag.endswith("}text")]
    assert "NameError: DatabaseSessionManager" in words


def test_the_same_evidence_makes_the_same_bytes(evidence):
    """A replay years later is compared by checksum, on a machine with settings of its own."""
    first = charts.figures(case_of(evidence, handshakes=HANDSHAKES))
    settings = {
        "font.size": 30,
        "lines.linewidth": 9,
        "text.color": "red",
        "savefig.bbox": "tight",
        "svg.hashsalt": "x",
    }
    with matplotlib.rc_context(settings):
        second = charts.figures(case_of(evidence, handshakes=HANDSHAKES))
        again = {name: (chart.png(), chart.svg()) for name, chart in second.items()}
    assert {name: (chart.png(), chart.svg()) for name, chart in first.items()} == again
    assert tuple(first) == NAMES
    assert b"Software" not in again["error-sequence"][0]
    assert not re.search(rb"<dc:date>|matplotlib\.org/?<|<dc:creator>", again["error-sequence"][1])


@pytest.mark.parametrize(("layout", "size"), [("wide", 1100), ("phone", 1170)])
def test_a_picture_has_the_width_of_its_layout(quiet, layout, size):
    """A phone's picture has three dots a pixel, so that small type stays sharp."""
    png = charts.error_sequence(quiet, layout).png()
    assert int.from_bytes(png[16:20], "big") == size


def test_a_saved_figure_is_like_its_bytes(quiet, tmp_path):
    """Whoever uses matplotlib's own way to save gets the same file."""
    chart = charts.error_sequence(quiet)
    chart.savefig(tmp_path / "chart.svg")
    assert (tmp_path / "chart.svg").read_bytes() == chart.svg()


@pytest.mark.parametrize(("options", "message"), [
    ({"layout": "poster"}, "layout 'poster' is not known: use one of wide, phone"),
    ({"theme": "sepia"}, "theme 'sepia' is not known: use one of light, dark"),
])  # fmt: skip
def test_an_unknown_style_is_refused(quiet, options, message):
    """A typing error must not fall back to something that looks right."""
    with pytest.raises(UsageError) as caught:
        charts.figures(quiet, **options)
    assert str(caught.value) == message


def luminance(color):
    """The relative luminance of WCAG 2.2."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    """The contrast ratio of WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_can_be_read_on_every_ground(theme):
    """Body text needs 4.5 to 1 (WCAG 2.2, 1.4.3), on tints too."""
    for ground in (theme.background, theme.band, theme.band2, theme.tint):
        assert contrast(theme.ink, ground) > 7
        assert contrast(theme.mute, ground) > 5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_carries_the_order_of_states(theme):
    """In grey print, what is bad still stands out most."""
    ratios = [contrast(color, theme.background) for color in (theme.bad, theme.good, theme.mid, theme.soft)]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(("widths", "heads"), [
    ((90, 90, 90, 90), ["00135", "00136", "00139", "00140", "broke", "fixed"]),
    ((90, 90, 40, 34), ["135", "136", "139", "140", "broke", "fixed"]),
    ((60, 14, 20, 20), ["135", "139", "broke"]),
])  # fmt: skip
def test_heads_of_revisions_give_way_to_what_broke(widths, heads):
    """Zeros go first, then revisions that changed nothing, then `fixed`; `broke` is what the reader looks for."""
    starts = [START + pd.Timedelta(seconds=sum(widths[:n])) for n in range(len(widths) + 1)]
    bands = pd.DataFrame({
        "number": ["00135", "00136", "00139", "00140"], "effect": ["", "none", "broke", "fixed"],
        "start": starts[:-1], "end": starts[1:],
    })  # fmt: skip
    sheet = canvas.Canvas(WIDE, LIGHT)
    band_head(sheet, bands, scale.TimeScale(starts[0], starts[-1], 0, sum(widths)), 20)
    assert sorted(texts(sheet.chart)) == heads
    chart = sheet.finish(60, "")
    assert not [pair for pair in combinations(boxes(chart).values(), 2) if canvas.overlaps(*pair)]


def test_ticks_are_round_and_apart(fixed):
    """An axis is read by its round numbers."""
    drawn = sequence.frames(fixed, sequence.WITH_PANEL).scale
    assert [f"{moment:%M:%S}" for _, moment in drawn.ticks(76)] == [
        "00:00",
        "01:00",
        "02:00",
        "03:00",
        "04:00",
        "05:00",
    ]
    assert scale.seconds_label(drawn.start, drawn.end - drawn.start) == ":00.00"


NOTEBOOK = """
from incident import charts
from incident.analysis.case import Case
from incident.evidence import load
from pathlib import Path
case = Case(load(Path(folder)))
charts.error_sequence(case)
---
%matplotlib inline
import matplotlib.pyplot as plt
charts.revision_timeline(case)
"""


def test_a_notebook_shows_a_chart_once(fixed, tmp_path):
    """Shown by the backend and again as the cell's value is once too often; silent without pyplot is not enough."""
    from incident.evidence import save

    save(fixed.evidence, tmp_path / "evidence")
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in NOTEBOOK.split("---")]
    parameters = nbformat.v4.new_code_cell('folder = ""', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, *cells], metadata=kernel), tmp_path / "in.ipynb")
    papermill.execute_notebook(
        tmp_path / "in.ipynb", tmp_path / "out.ipynb", {"folder": str(tmp_path / "evidence")}, progress_bar=False
    )
    ran = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-2:]
    for cell, title in zip(ran, ("HTTP 403 on /ws came first", "00139 broke the service"), strict=True):
        (output,) = cell.outputs
        assert set(output.data) == {"image/png", "text/plain"}
        assert output.data["text/plain"].startswith(title)
        assert output.metadata["image/png"]["width"] == 1100

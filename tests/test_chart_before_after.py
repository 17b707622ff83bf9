"""What the chart of before and after draws, read back from the figure: counts, intervals, words and order."""

from itertools import combinations

import pandas as pd
import pytest

from incident.analysis.before_after import COLUMNS
from incident.analysis.case import Case
from incident.analysis.intervals import difference_interval, share_interval
from incident.charts import before_after, canvas
from incident.charts.before_after import MOST_ROWS, draw_rows
from incident.charts.style import LAYOUTS, LIGHT

HOSTILE = "GET /$x$ by <script>alert(1)</script>\x1b[31m \u202egnp"


def row(subject, before, after, effect, source="requests", **fields):
    """A row of the frame, its intervals computed as the analysis does."""
    none = (float("nan"),) * 2
    shares = [share_interval(*count) if count[1] else none for count in (before, after)]
    difference = difference_interval(before, after) if before[1] and after[1] else none
    cells = (subject, source, *before, *after, *shares[0], *shares[1], *difference, effect, None, "")
    return dict(zip(COLUMNS, cells, strict=True)) | fields


def frame(*rows):
    """Rows as the analysis gives them."""
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


BROKE = row("GET /health by uptime", (60, 60), (0, 12), "broke")
STILL = row("GET /ws by chat-web", (0, 40), (0, 40), "none")
UNKNOWN = row("GET /ws by staging-e2e", (0, 12), (3, 3), "unknown", missing=7)
UNTRIED = row("auth-bypass-closed", (0, 0), (0, 0), "not tried", "checks", because="not named production")
FIXED = row("x-test-type", (0, 1), (1, 1), "fixed", "checks")
TOGETHER = row("7 checks together", (0, 7), (7, 7), "fixed", "checks")
SAME = row("GET / by browser", (58, 60), (59, 60), "none")
ROWS = (BROKE, STILL, UNKNOWN, UNTRIED, FIXED, TOGETHER, SAME)


@pytest.fixture
def case(evidence):
    """A run with nothing but its scope."""
    return Case(evidence({}))


def drawn(case, *rows, layout="wide"):
    """The chart of some rows."""
    with canvas.plain():
        return draw_rows(case, frame(*rows), LAYOUTS[layout], LIGHT)


def plain(text):
    """A sentence with its no-break spaces as spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def texts(chart):
    """All lines of text, as drawn."""
    return [plain(text.get_text()) for text in chart.axes[0].texts]


def labelled(artists, label):
    """The one artist that bears a label."""
    (found,) = [artist for artist in artists if artist.get_label() == label]
    return found


@pytest.mark.parametrize(("rows", "title"), [
    (ROWS, "GET /health by uptime broke; 1 of 4 kinds of request fails; 1 of 2 checks is fixed"),
    ((UNKNOWN, UNTRIED, FIXED, TOGETHER, SAME),
     "1 of 2 checks is fixed; 1 of 2 kinds of request cannot be judged yet; 7 of 7 together still allow up to 41 % "
     "failures"),
    ((FIXED, FIXED, TOGETHER), "2 of 2 checks are fixed; 7 of 7 together still allow up to 41 % failures"),
    ((row("GET /ws by web", (0, 12), (60, 60), "fixed"),),
     "1 of 1 kind of request is fixed; 60 of 60 GET /ws by web still allow up to 6 % failures"),
    ((row("health", (0, 0), (0, 1), "unknown", "checks"), row("x", (0, 0), (1, 1), "unknown", "checks")),
     "Cannot be judged: nothing from before to compare with; 1 of 2 checks went well now"),
    ((UNTRIED,), "Nothing to compare: no check was tried, and no request came"),
    ((), "Nothing to compare: no check was tried, and no request came"),
])  # fmt: skip
def test_a_title_says_what_so_few_tries_still_allow(case, rows, title):
    """`n of n` is no proof; a reader of the title alone must know what it leaves open."""
    assert plain(drawn(case, *rows).title) == title


def test_a_gap_is_no_peace(evidence):
    """Nothing to compare because nothing was there, and because nothing came, are two things."""
    chart = before_after(
        Case(
            evidence(
                {
                    "not_vouched": ["handshakes", "logs"],
                    "gaps": [
                        {
                            "frame": "handshakes",
                            "reason": "the endpoint was not probed at 2025-09-07T10:00:00.123456Z",
                            "remedy": "",
                        }
                    ],
                }
            )
        )
    )
    assert plain(chart.title) == ("Cannot be judged: the endpoint was not probed at 2025-09-07T10:00:00Z")
    assert "Gap in handshakes: the endpoint was not probed at 2025-09-07T10:00:00Z." in plain(chart.caption)


def test_a_caption_says_how_to_read_it(case):
    """An interval without its method and its assumption is decoration."""
    assert plain(drawn(case, *ROWS).caption) == (
        "2 checks and 4 kinds of request of chat (us-central1), 2025-09-07 10:00 – 11:00 UTC. Before: no earlier run, and "
        "no requests. After: this run, and no requests. A hollow point is the share before, a filled one after; a line is "
        "its exact 95 % interval (Clopper-Pearson). Tries of one run are not independent, so the true interval is wider. "
        "No gaps."
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lines_are_the_intervals_and_points_the_shares(case, layout):
    """What is read off the axis must be what was computed: 0 at its left, 100 % at its right."""
    artists = drawn(case, UNKNOWN, layout=layout).axes[0]
    ticks = {plain(text.get_text()): text.get_position()[0] for text in artists.texts}
    left, middle = ticks["0 %"], ticks["50 %"]
    place = {"before": (0, 0.265), "after": (0.292, 1)}
    for side, (low, high) in place.items():
        line = labelled(artists.lines, f"interval {side} {UNKNOWN['subject']}").get_xdata()
        assert [(x - left) / (2 * (middle - left)) for x in line] == pytest.approx([low, high], abs=0.001)
        point = labelled(artists.patches, f"share {side} {UNKNOWN['subject']}")
        assert (point.center[0] - left) / (2 * (middle - left)) == pytest.approx(0 if side == "before" else 1)
        assert (point.get_facecolor()[:3] == (1, 1, 1)) == (side == "before")


def test_counts_and_bounds_are_written(case):
    """`65 % or more`, never `100 %`; the bounds are rounded outwards, so that no word claims more than was computed."""
    found = texts(drawn(case, *ROWS))
    assert {"before 0 of 12", "after 3 of 3", "29 % or more", "7 more requests would tell"} <= set(found)
    assert {"after 0 of 12", "27 % or less", "after 59 of 60", "91 to 100 %", "2 % or more", "unknown"} <= set(found)
    assert not [text for text in found if "100 % or" in text]


def test_not_tried_is_a_row(case):
    """What nobody tried must not look like what passed, nor be left out."""
    chart = drawn(case, UNTRIED)
    assert {"auth-bypass-closed", "not tried", "before not tried", "after not tried", "not named production"} <= set(
        texts(chart)
    )
    labelled(chart.axes[0].lines, "untried before auth-bypass-closed")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_fails_says_so(case, layout):
    """A change without effect on what failed is no neutral result: it still fails."""
    found = texts(drawn(case, *ROWS, layout=layout))
    assert {
        "broke",
        "still fails",
        "not tried",
        "fixed",
        "no effect",
    } <= set(found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_is_that_of_the_frame(case, layout):
    """The analysis decides what is urgent, not the chart."""
    places = {text.get_text(): text.get_position()[1] for text in drawn(case, *ROWS, layout=layout).axes[0].texts}
    subjects = [row["subject"] for row in ROWS]
    assert sorted(subjects, key=places.__getitem__) == subjects


def test_many_rows_fold_into_one_line(case):
    """A service with a hundred kinds of request still has one picture; what is folded is counted."""
    rows = [row(f"GET /{n} by web", (50, 50), (50, 50), "none") for n in range(40)]
    found = texts(drawn(case, BROKE, *rows))
    assert f"{41 - (MOST_ROWS - 1)} more: {41 - (MOST_ROWS - 1)} no effect" in found
    assert plain(drawn(case, BROKE, *rows).title).endswith("40 of 41 kinds of request are as before")


def boxes(chart):
    """The room of each line of text, in pixels, a little smaller than its letters need."""
    height = chart.get_size_inches()[1] * canvas.POINTS
    placed = {}
    for number, text in enumerate(chart.axes[0].texts):
        box = text.get_window_extent()
        placed[number, text.get_text()] = (box.x0 + 1, height - box.y1 + 2, box.x1 - 1, height - box.y0 - 2)
    return placed


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rows", [
    ROWS, (), [row("GET /a/very/long/path/of/an/api by " + "agent" * 12, (1204, 61370), (61001, 61370), "unknown",
    because="no count would tell them apart, since " + "they are near " * 12)],
])  # fmt: skip
def test_no_text_is_cut_or_covered(case, rows, layout):
    """Labels that collide cannot be read at any hour."""
    chart = drawn(case, *rows, layout=layout)
    width, height = chart.get_size_inches() * canvas.POINTS
    placed = boxes(chart)
    assert [text for text, box in placed.items() if box[0] < 0 or box[2] > width or box[3] > height] == []
    pairs = combinations(placed.items(), 2)
    assert [(one[0], two[0]) for one, two in pairs if canvas.overlaps(one[1], two[1])] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hostile_text_is_text(case, layout):
    """A kind of request bears its client's name, which is whatever the client says."""
    hostile = row(HOSTILE, (0, 12), (0, 0), "not tried", because=HOSTILE)
    svg = drawn(case, hostile, layout=layout).svg().decode()
    assert "<script" not in svg
    assert "\x1b" not in svg
    assert "\u202e" not in svg
    assert "GET /$x$ by" in svg


def test_the_same_rows_make_the_same_bytes(case):
    """A replay is compared by checksum."""
    assert drawn(case, *ROWS).png() == drawn(case, *ROWS).png()
    assert drawn(case, *ROWS).svg() == drawn(case, *ROWS).svg()

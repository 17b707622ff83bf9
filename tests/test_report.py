"""The report in both forms: the answer first, every part there, and whatever came from a log is text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import mistune
import pytest

from incident import report
from incident.analysis.case import Case
from incident.analysis.postmortem import BLANKS
from incident.answer import summary
from incident.charts import CHARTS
from incident.charts.style import LAYOUTS
from incident.evidence import load
from incident.report import report_html, report_markdown
from incident.report.markdown import code, fenced, prose
from incident.report.pictures import dark, drawn

HOSTILE_CASE = Path(__file__).with_name("hostile.yaml")
HOSTILE = (
    "</pre></td><script>alert(1)</script><img src=x onerror=alert(1)> [a](http://evil.example) ![b](//evil.example/c) "
    "**bold** `code` ``two`` | cell \\| @everyone #12 www.evil.example :smile: $x$ &lt; ]]> --> \x1b[2J\u202egnp\u2066"
)
VOID = {"img", "link", "meta", "source"}


class Page(HTMLParser):
    """What a browser would make of the file: elements in order, their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def text(self):
        """All that is read, on one line."""
        return " ".join(" ".join(self.words).split())


def sample(name):
    """The case and the summary of a packaged sample."""
    case = Case(load(Path(str(files("incident") / "samples" / name / "evidence"))))
    return case, summary(case.evidence)


@pytest.fixture(scope="module")
def broken():
    """The report of the incident while it is broken, with its pictures: drawn once, for drawing takes seconds."""
    case, found = sample("staging")
    return case, found, report_html(case, found)


@pytest.fixture
def without_pictures(monkeypatch):
    """Reports whose charts are left out, where a test is about words."""
    monkeypatch.setattr(report, "drawn", lambda case: dict.fromkeys(CHARTS, "left out"))


@pytest.fixture
def hostile(evidence, without_pictures):
    """The case of hostile texts, and its summary."""
    text = HOSTILE_CASE.read_text(encoding="utf-8")
    inner = json.dumps(HOSTILE)[1:-1]
    name = json.dumps(json.dumps(HOSTILE)[1:-1])[1:-1]
    case = Case(evidence(text.replace("'{\"@NAME@\": 1}'", f'"{{\\"{name}\\": 1}}"').replace("@HOSTILE@", inner)))
    return case, summary(case.evidence)


def timeless(text):
    """A text without the times of the recording, which is made anew from time to time."""
    return re.sub(r"\d\d:\d\d:\d\d", "TIME", re.sub(r"\d{4}-\d\d-\d\d", "DATE", text))


def test_the_answer_is_on_top(broken):
    """Who opens it at 3 a.m. must not scroll: verdict, cause, since when, which revision, the way back."""
    header = timeless(Page(re.search(r"<header>.*?</header>", broken[2], re.DOTALL)[0]).text())
    assert header.startswith(
        "chat-backend-staging (us-central1), DATE TIME to TIME UTC "
        "FAILED: startup-exception on 00139 "
        "Cause NameError: name 'DatabaseSessionManager' is not defined; 44 starts of 00139 ended with it, and 36 requests "
        "failed after it. Since DATE TIME UTC Revision chat-backend-staging-00139-rap, which introduced it "
        "Checks 0 of 7 checks pass. Also app-refused (ended TIME) "
        "Last good 00137: 60 sockets opened on it, the last at DATE TIME UTC; to go back to it: "
        "gcloud run services update-traffic chat-backend-staging --to-revisions chat-backend-staging-00137-mel=100 "
        "--region us-central1 --project drill-project "
    )


def test_one_file_that_asks_for_nothing(broken):
    """It is read from a mail, a bucket, a phone: nothing to fetch, nothing to run, and a policy that allows neither."""
    page = Page(broken[2])
    assert not page.open
    assert len(broken[2].encode()) < 2_000_000
    assert {tag for tag, _ in page.elements} & {"script", "iframe", "object", "form", "svg", "base"} == set()
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "srcset", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), tag
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", broken[2], re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_headings_anchors_and_alternatives(broken):
    """Who listens to the page, or links to one finding of it, gets there."""
    page = Page(broken[2])
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    named = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(named)) == len(named)
    assert {"cause-startup-exception", "error-1", "change-00139", "check-health", "gap-1", "how-logs"} <= set(named)
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert [link for link in links if link[1:] not in named] == []
    assert page.elements[0] == ("html", {"lang": "en"})
    pictures = [attributes["alt"] for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) == len(CHARTS)
    assert pictures[0].startswith("HTTP 403 on /ws came first, on 3 revisions; then 00139 raised NameError")
    assert "No gaps" in pictures[2]


def test_every_part_of_the_filed_report_is_there_in_its_order(broken):
    """What a team files was once written by hand; a part that is missing would be written by hand again."""
    text = report_markdown(broken[0], broken[1])
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "Root cause", "Error sequence", "Solutions", "Deployment status", "Tests before and after", "Files changed",
        "Revision history", "Next steps", "Lessons", "What must people fill in?", "What is missing?",
        "How was this computed?",
    ]  # fmt: skip
    head = text.partition("## ")[0]
    assert re.findall(r"^- \*\*(.*?):\*\*", head, re.MULTILINE)[:3] == ["Report status", "Date", "Next update"]
    assert "```text\ngcloud run services update-traffic chat-backend-staging --to-revisions" in head
    assert "NameError: name 'DatabaseSessionManager' is not defined\n```" in text


def test_no_impact_is_invented(broken):
    """What only people know is a blank: a heading, and nothing under it."""
    text = report_markdown(broken[0], broken[1])
    blanks = text.partition("## What must people fill in?")[2].partition("##")[0]
    assert re.findall(r"^- (.*)", blanks, re.MULTILINE) == list(BLANKS)
    assert "impact" not in text.replace(blanks, "").lower()


def test_the_same_case_gives_the_same_bytes(broken):
    """A replay, years later, is compared with what was kept."""
    case, found = sample("staging")
    assert report_html(case, found) == broken[2]
    assert report_markdown(case, found) == report_markdown(broken[0], broken[1])


def test_a_dark_chart_is_the_light_one_in_other_colours(broken):
    """Half of the drawing is saved by it; a chart that draws otherwise in the dark must be seen here."""
    for draw in CHARTS.values():
        for layout in LAYOUTS:
            assert dark(draw(broken[0], layout, "light").svg()) == draw(broken[0], layout, "dark").svg()


def test_the_fixed_state(without_pictures):
    """The second run's report names no active cause, and compares with the first run."""
    case, found = sample("staging-fixed")
    text = report_markdown(case, found)
    assert text.startswith("# chat-backend-staging: OK: 7 of 7 checks pass\n")
    assert "startup-exception (ended TIME, mended by 00140)" in timeless(text)
    assert f"Compared with run {case.evidence.before['run_id']}." in Page(report_html(case, found)).text()


def test_hostile_text_is_text_in_html(hostile):
    """A log line is whatever an attacker sent: in HTML it is shown, and does nothing."""
    html = report_html(*hostile)
    page = Page(html)
    assert not page.open
    assert not [letter for letter in html if not (letter.isprintable() or letter == "\n")]
    assert {tag for tag, _ in page.elements} & {"script", "b", "img"} <= {"b"}
    assert not [a for _, a in page.elements if {"onerror", "src"} & set(a)]
    assert page.text().count("<script>alert(1)</script><img src=x onerror=alert(1)>") >= 8


def test_hostile_text_is_text_in_markdown(hostile):
    """Read as GitHub reads it, raw HTML allowed, the report has no element, link or emphasis that is not its own."""
    text = report_markdown(*hostile)
    assert not [letter for letter in text if not (letter.isprintable() or letter == "\n")]
    html = mistune.create_markdown(escape=False, plugins=["table", "url", "strikethrough", "math"])(text)
    page = Page(html)
    assert not page.open
    own = {"h1", "h2", "p", "ul", "li", "strong", "em", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.elements} <= own
    labels = re.findall(r"<strong>(.*?)</strong>", html)
    assert all(label.endswith(":") for label in labels)
    assert set(re.findall(r"<em>(.*?)</em>", html)) == {"How computed:"}
    outside = re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
    for risky in ("evil.example", "@everyone", "#12", "alert(1)", ":smile:", "$x$"):
        assert risky in html
        assert risky not in outside
    tables = re.findall(r"<table>(.*?)</table>", html, re.DOTALL)
    for table in tables:
        cells = [len(re.findall(r"<t[hd]", row)) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
        assert len(set(cells)) == 1
    assert len(tables) > 5


@pytest.mark.parametrize(("text", "shown"), [
    ("44 starts of 00139 ended with it", "44 starts of 00139 ended with it"),
    ("a <b> c", "a `<b>` c"),
    ("two *stars* and_one `tick`", "two `` *stars* and_one `tick` ``"),
    ("- not a list", "`-` not a list"),
    ("1. not a list", "`1.` not a list"),
    ("mail ada@example.com", "mail `ada@example.com`"),
    ("see WWW.evil.example now", "see `WWW.evil.example` now"),
    ("", ""),
])  # fmt: skip
def test_prose(text, shown):
    """A word that could be more than text is a code span, and every other word stays as it reads."""
    assert prose(text) == shown


def test_code_and_fences_are_longer_than_what_they_hold():
    """A text cannot end the span or the block that it stands in."""
    assert code("a ``b` c") == "```a ``b` c```"
    assert fenced("x\n````\ny\x1b[0m") == "`````text\nx\n````\ny\N{REPLACEMENT CHARACTER}[0m\n`````"
    assert fenced("\n".join("abcdef"), most=2) == "```text\n… (4 before)\ne\nf\n```"


def test_a_chart_that_cannot_be_drawn_costs_nobody_the_report(evidence, monkeypatch):
    """The tables have the same numbers, and the reader is told."""

    def fails(case, layout, theme):
        raise ValueError("<no> room")

    monkeypatch.setitem(CHARTS, "error-sequence", fails)
    case = Case(evidence({"frames": {}}))
    assert drawn(case)["error-sequence"] == "ValueError: <no> room"
    page = Page(report_html(case, summary(case.evidence)))
    assert "The chart error-sequence could not be drawn: ValueError: <no> room." in page.text()


def test_nothing_known_is_said(evidence, without_pictures):
    """No evidence is a report too: uncertain, with what is missing and what would mend it."""
    case = Case(evidence({"frames": {}, "not_vouched": ["logs", "revisions", "handshakes"]}))
    found = summary(case.evidence)
    text = Page(report_html(case, found)).text()
    assert "UNCERTAIN: no handshake was tried" in text
    assert "Last good no revision in the window is known to work" in text
    assert "no logs came, and no source says that there are none" in report_markdown(case, found)


def test_no_gaps_is_said(evidence, without_pictures):
    """Silence about gaps would leave the reader to guess."""
    case = Case(evidence({"frames": {}}))
    text = report_markdown(case, summary(case.evidence))
    assert "No gaps: no evidence is missing." in text


def test_a_run_s_name_is_said(evidence, without_pictures):
    """A report that was mailed must lead back to its run."""
    case = Case(evidence({"frames": {}}))
    found = summary(case.evidence) | {"run_id": "20250907T101500Z-3f2a"}
    assert "UTC · run 20250907T101500Z-3f2a" in report_html(case, found)

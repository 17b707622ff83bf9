"""The report in a real browser: headless Chromium, on a phone and on a wide screen, light and dark."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from incident.analysis.case import Case
from incident.answer import summary
from incident.charts import CHARTS
from incident.evidence import load
from incident.report import report_html

pytestmark = pytest.mark.browser

SCRIPT = "<script>document.title = 'taken'</script><img src=http://evil.example/x onerror=alert(1)>"
SIZES = {"phone": {"width": 360, "height": 740}, "wide": {"width": 1440, "height": 900}}
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; where there is none, the test fails and says what to install."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("no Chromium to look at the report with: apt-get install -y chromium, then run again")
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Both packaged samples' reports, with texts in them that try to take the page over."""
    folder = tmp_path_factory.mktemp("reports")
    for name in ("staging", "staging-fixed"):
        case = Case(load(Path(str(files("incident") / "samples" / name / "evidence"))))
        found = json.loads(json.dumps(summary(case.evidence)))
        found["changes"][0]["fields"] = [SCRIPT]
        found["error_sequence"][1]["title"] = f"{SCRIPT} {'very-long-word' * 40}"
        (folder / f"{name}.html").write_text(report_html(case, found), encoding="utf-8")
    return folder


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["staging", "staging-fixed"])
def test_the_report_in_a_browser(browser, reports, name, size, theme):
    """Nothing leaves the file, nothing runs, nothing is cut off, and the answer needs no scrolling."""
    page = browser.new_page(viewport=SIZES[size], color_scheme=theme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url[:40]))
    page.goto((reports / f"{name}.html").as_uri(), wait_until="networkidle")

    assert said == []
    assert [url for url in asked[1:] if not url.startswith("data:image/svg+xml;base64,")] == []
    assert page.title() != "taken"
    assert SCRIPT in page.locator("#error-2").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == GROUNDS[theme]
    check_pictures(page, size)
    # A service that was mended has nowhere to go back to: there the answer ends with the facts.
    box = page.locator("header .command" if name == "staging" else "header dl >> nth=0").bounding_box()
    assert box["y"] + box["height"] < SIZES[size]["height"]
    page.close()


def check_pictures(page, size: str) -> None:
    """Every chart is there, in the layout of this screen: the phone's is upright where it is shown on one."""
    drawn = page.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => [i.naturalWidth, i.clientWidth])))"
    )
    assert len(drawn) == len(CHARTS)
    assert {natural for natural, _ in drawn} == ({520} if size == "phone" else {1467})
    assert all(shown <= SIZES[size]["width"] for _, shown in drawn)


def test_it_prints(browser, reports):
    """What is filed on paper has the whole table and the whole traceback, in ink on white."""
    page = browser.new_page(viewport=SIZES["wide"], color_scheme="light")
    page.goto((reports / "staging.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('pre.log')).maxHeight") == "none"
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()

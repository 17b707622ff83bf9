"""Draw the README's pictures from the packaged sample: `make pictures`. Needs Chromium for the report."""

from __future__ import annotations

import io
import tempfile
from importlib.resources import files
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from incident.analysis.case import Case
from incident.answer import summary
from incident.charts import error_sequence
from incident.evidence import load
from incident.report import report_html

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
SCREEN = {"width": 1100, "height": 640}


def main() -> None:
    """Write error-sequence.png and report.png beside this file."""
    case = Case(load(Path(str(files("incident") / "samples" / "staging" / "evidence"))))
    keep("error-sequence", error_sequence(case).png())
    keep("report", first_screen(report_html(case, summary(case.evidence))))


def keep(name: str, picture: bytes) -> None:
    """Write a picture without loss, as small as PNG can be."""
    Image.open(io.BytesIO(picture)).convert("RGB").save(HERE / f"{name}.png", optimize=True)


def first_screen(report: str) -> bytes:
    """What a browser shows of the report before anyone scrolls."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        file = Path(folder) / "report.html"
        file.write_text(report, encoding="utf-8")
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-lcd-text"]
        )
        page = browser.new_page(viewport=SCREEN)
        page.goto(file.as_uri())
        return page.screenshot()


if __name__ == "__main__":
    main()

"""What people write of an incident: one page beside its runs, made once, never overwritten.

Decides where the page lies and what counts as filled in: anything under a heading that is no comment. It is beside the
runs and not in one, so that filling a blank breaks no seal. It cannot tell whether what is written is true.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from incident.analysis.postmortem import BLANKS
from incident.http1 import printable

PAGE = "postmortem.md"
LARGEST_PAGE = 256 * 1024
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
HEADING = re.compile(r"^## +(?P<heading>.+?) *$", re.MULTILINE)

TEMPLATE = """# Post-mortem of {incident}

What only people know. The rest of the report is computed: `report.md` of each run, and its notebook 6-postmortem.
This page was made once and is never overwritten; comments like those below do not count as filled in.
"""

ASKED = {
    "Business impact": "who could not do what, how many, for how long, and how that is known",
    "People and roles": "who led, who decided, who was told",
    "Who does each next step, and by when": "a name and a date for each step that the report leaves open",
    "How it was noticed": "by whom or by which alert, and when",
    "What went well": "what shortened it",
    "What could have gone better": "what lengthened it, without blame",
}


def template(incident: str) -> str:
    """The page with its blanks, for an incident's name.

    >>> template("staging").splitlines()[0]
    '# Post-mortem of staging'
    """
    blanks = (f"\n## {heading}\n\n<!-- {ASKED[heading]} -->\n" for heading in BLANKS)
    return TEMPLATE.format(incident=printable(incident, 100)) + "".join(blanks)


def make_page(folder: Path) -> None:
    """Make the page in an incident's folder unless there is one, whatever it holds."""
    with suppress(FileExistsError):
        handle = os.open(folder / PAGE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as page:
            page.write(template(folder.name))


def read(text: str) -> dict[str, str]:
    """What is written under each heading, the page's own headings first; empty where nothing is.

    >>> read("## Business impact\\n\\nNobody was hurt.\\n")["Business impact"]
    'Nobody was hurt.'
    """
    parts = HEADING.split(COMMENT.sub("", text))
    found = {heading: body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)}
    return dict.fromkeys(BLANKS, "") | found


def beside(run_dir: str) -> dict[str, str]:
    """What people wrote beside a run, by its folder; all blank where there is no run, or no page that can be read."""
    page = Path(run_dir) / ".." / PAGE
    try:
        if not run_dir or page.stat().st_size > LARGEST_PAGE:
            return read("")
        return read(page.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return read("")

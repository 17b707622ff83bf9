"""A runbook's page and the plan it comes to: strict, and the command line first."""

from __future__ import annotations

import re

import pytest

from incident.findings import UsageError
from incident.runbook import chosen, load_runbook, notebook_paths, package_folder, plan, read_page
from incident.scope import Parameters

MATTER = """title: Handshakes are refused with 403
symptom: clients get 403
notebooks: [why]
parameters: {start: -2h, end: 2025-09-07}
needs: [roles/run.viewer]
reviewed: 2026-03-14
"""
PAGES = sorted(package_folder("runbooks").glob("*.md"))


def page(folder, matter=MATTER, name="refused"):
    """The runbook on a page with this front matter."""
    path = folder / f"{name}.md"
    path.write_text(f"---\n{matter}---\n# Title\n", encoding="utf-8")
    return read_page(path)


def changed(line, to):
    """The front matter with one of its lines replaced."""
    return re.sub(rf"(?m)^{line}:.*\n", to, MATTER)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_packaged_pages_are_read_and_have_their_headings(path):
    """At 3 a.m. each page has to have the same four places to look at."""
    runbook = load_runbook(path.stem)
    assert re.findall(r"(?m)^## (.*)", runbook.prose) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    mitigation = runbook.prose.split("## Mitigation")[1]
    assert "gcloud run services update-traffic SERVICE --to-revisions REVISION=100" in mitigation
    assert list(notebook_paths(runbook)) == list(runbook.notebooks)


def test_scalars_stay_text(tmp_path):
    """YAML makes a date of 2025-09-07 and a number of 007; parameters are text."""
    assert page(tmp_path).parameters == {"start": "-2h", "end": "2025-09-07"}


@pytest.mark.parametrize(("matter", "message"), [
    ("title: x\nowner: me\n",
     "runbook 'bad.md': key 'owner' is not known: use title, symptom, notebooks, parameters, needs, reviewed"),
    (changed("symptom", ""),
     "runbook 'bad.md': key 'symptom' is missing: give title, symptom, notebooks, reviewed"),
    (changed("title", "title: [a]\n"), "runbook 'bad.md': 'title' is ['a']: give a text"),
    (changed("notebooks", "notebooks: why\n"), "runbook 'bad.md': 'notebooks' is 'why': give a list such as [one, two]"),
    (changed("notebooks", "notebooks: [why, why]\n"), "runbook 'bad.md': 'notebooks' holds 'why' twice: keep one"),
    (changed("parameters", "parameters: -2h\n"),
     "runbook 'bad.md': 'parameters' is '-2h': give a mapping such as {start: -2h}"),
    (changed("parameters", "parameters: {start: -2hours}\n"),
     "parameter 'start' is '-2hours': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
    (changed("reviewed", "reviewed: soon\n"), "runbook 'bad.md': 'reviewed' is 'soon': give a date such as 2026-03-14"),
    ("- title\n",
     "runbook 'bad.md': its front matter is no mapping: give title, symptom, notebooks, parameters, needs, reviewed"),
    ("title: a\ntitle: b\n", "runbook 'bad.md': its front matter is not YAML that is read here: 'title' is there twice"),
    ("title: &a [x]\nsymptom: *a\n",
     "runbook 'bad.md': its front matter is not YAML that is read here: aliases are not allowed"),
])  # fmt: skip
def test_a_bad_page_is_refused(tmp_path, matter, message):
    """Each mistake on a page is said with the value, what is allowed, and before anything runs."""
    with pytest.raises(UsageError) as caught:
        page(tmp_path, matter, "bad")
    assert str(caught.value) == message


def test_a_page_without_front_matter_is_refused(tmp_path):
    """Any Markdown file can be named by mistake."""
    (tmp_path / "notes.md").write_text("# Notes\n")
    with pytest.raises(UsageError) as caught:
        load_runbook(str(tmp_path / "notes.md"))
    assert str(caught.value) == (
        "runbook 'notes.md' has no front matter: begin with ---, "
        "title, symptom, notebooks, parameters, needs, reviewed, and ---"
    )


def test_a_tag_makes_no_object(tmp_path):
    """A page comes from anywhere, so reading one must not run anything."""
    runbook = page(tmp_path, changed("title", "title: !!python/object/apply:os.getcwd x\n"))
    assert runbook.title == "x"


def test_a_name_is_never_looked_up_in_the_working_directory(tmp_path, monkeypatch):
    """A file that happens to lie here must not take a packaged runbook's place."""
    page(tmp_path, name="mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^runbook 'mine' is not known: use .*websocket-outage, or a path such as"):
        load_runbook("mine")
    assert load_runbook("./mine.md").name == "mine"


def test_a_page_that_cannot_be_read_is_said(tmp_path):
    """A mistyped path is the keyboard's to mend."""
    with pytest.raises(UsageError) as caught:
        load_runbook("./nowhere.md")
    assert str(caught.value) == "runbook 'nowhere.md' cannot be read: No such file or directory"


def test_the_command_line_beats_the_page_which_beats_the_default(tmp_path):
    """Three places may say the same thing; the nearest to the person wins."""
    runbook = page(tmp_path, changed("parameters", "parameters: {start: -2h, websocket_path: /chat}\n"))
    planned = plan(runbook, [("start", "-1h")], ["service=chat"])
    assert (planned.start, planned.websocket_path, planned.service, planned.health_path) == (
        "-1h", "/chat", "chat", "/health",
    )  # fmt: skip


def test_a_run_looks_at_the_present_and_bears_the_runbooks_name(tmp_path):
    """A notebook alone must not touch the cloud; a run is asked to."""
    planned = plan(page(tmp_path), [])
    assert (planned.source, planned.incident) == ("cloud", "refused")
    assert Parameters().source == "sample:staging"
    assert plan(page(tmp_path), [("source", "sample:staging")]).source == "sample:staging"


@pytest.mark.parametrize(("options", "overrides", "message"), [
    ([("service", "a")], ["service=b"], "parameter 'service' is given twice, as 'a' and as 'b': keep one"),
    ([], ["service=a", "service=a"], "parameter 'service' is given twice, as 'a' and as 'a': keep one"),
    ([], ["service"], "-p 'service' sets nothing: give NAME=VALUE, such as -p service=chat"),
    ([], ["run_dir=/tmp"],
     "parameter 'run_dir' is set by the run itself: leave it out; --outputs DIR says where runs go"),
    ([], ["incident=../x"],
     "parameter 'incident' is '../x': a name of a folder: letters, digits, . _ and -, 64 at most"),
])  # fmt: skip
def test_a_bad_plan_is_refused(tmp_path, options, overrides, message):
    """Which of two values was meant cannot be known, and a run's folder is not the caller's to name."""
    with pytest.raises(UsageError) as caught:
        plan(page(tmp_path), options, overrides)
    assert str(caught.value) == message


def test_an_unknown_notebook_is_refused(tmp_path):
    """A notebook is named without its number, and only one of ours."""
    runbook = page(tmp_path, changed("notebooks", "notebooks: [4-why]\n"))
    with pytest.raises(UsageError, match=r"^runbook 'refused': notebook '4-why' is not known: use .*why"):
        notebook_paths(runbook)


@pytest.mark.parametrize(
    ("notebooks", "run", "left_out"),
    [("all", 6, 0), ("none", 0, 6), ("why", 1, 5), ("postmortem,what-failed", 2, 4)],
)
def test_some_notebooks_may_be_left_out(notebooks, run, left_out):
    """Evidence and verdict are worth having without a kernel; what was left out is known by name."""
    page = chosen(load_runbook("websocket-outage"), notebooks)
    assert (len(page.notebooks), len(page.left_out)) == (run, left_out)
    assert list(page.notebooks) == [
        name for name in load_runbook("websocket-outage").notebooks if name in page.notebooks
    ]


def test_a_notebook_that_the_runbook_does_not_have():
    """A name that is wrong by a letter must not run nothing."""
    with pytest.raises(UsageError) as error:
        chosen(load_runbook("websocket-outage"), "why,whyy")
    assert str(error.value) == (
        "--notebooks: 'whyy' is not in websocket-outage: use all, none, or some of what-failed, what-changed, "
        "does-it-connect, why, is-it-fixed, postmortem"
    )

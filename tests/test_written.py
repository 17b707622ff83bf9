"""The page that people write: made once, kept whatever happens, shown as text."""

from dataclasses import replace

from incident import archive, runner, written
from incident.analysis.postmortem import BLANKS
from incident.runbook import load_runbook, plan
from incident.sentences import written as sentence


def test_the_page_is_made_once(tmp_path):
    """What a person wrote at four in the morning must never be overwritten."""
    folder = tmp_path / "staging"
    folder.mkdir()
    written.make_page(folder)
    page = folder / written.PAGE
    assert page.read_text(encoding="utf-8").startswith("# Post-mortem of staging\n")
    assert page.stat().st_mode & 0o777 == 0o600
    page.write_text("## Business impact\n\nNobody.\n", encoding="utf-8")
    written.make_page(folder)
    assert page.read_text(encoding="utf-8") == "## Business impact\n\nNobody.\n"


def test_a_fresh_page_is_all_blank(tmp_path):
    """The hints of the template are comments: they do not count as filled in."""
    assert written.read(written.template("x")) == dict.fromkeys(BLANKS, "")


def test_what_is_filled_is_shown_beside_the_run(tmp_path):
    """A heading that people add is theirs and is shown too; markup stays text."""
    run = tmp_path / "20250907T101500Z-3f2a"
    run.mkdir()
    assert written.beside(str(run)) == dict.fromkeys(BLANKS, "")
    (tmp_path / written.PAGE).write_text("## Business impact\n<b>40</b> clients\n## Cost\nnone\n", encoding="utf-8")
    found = written.beside(str(run))
    assert (found["Business impact"], found["Cost"], found["People and roles"]) == ("<b>40</b> clients", "none", "")
    shown = sentence(found)
    assert "People and roles: nobody has filled this in yet" in shown.splitlines()
    assert "<p>Business impact: &lt;b&gt;40&lt;/b&gt; clients</p>" in shown._repr_html_()


def test_without_a_run_there_is_no_page(tmp_path, monkeypatch):
    """A notebook on the sample must not read a page that happens to lie above the working directory."""
    (tmp_path / "inner").mkdir()
    (tmp_path / written.PAGE).write_text("## Business impact\nother\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "inner")
    assert written.beside("") == dict.fromkeys(BLANKS, "")


def test_a_run_leaves_the_page_beside_it(tmp_path, evidence):
    """The page belongs to the incident and not to a run, so that filling it breaks no seal."""
    page = replace(load_runbook("websocket-outage"), notebooks=())
    parameters = plan(page, [("project", "my-project"), ("region", "us-central1"), ("service", "chat")])
    steps = runner.Steps(check=lambda *_, **__: None, gather=lambda *_, **__: evidence({}))
    done = runner.run(page, parameters, outputs=tmp_path, say=print, progress=print, steps=steps)
    filled = done.folder.parent / written.PAGE
    assert filled.read_text(encoding="utf-8") == written.template("websocket-outage")
    filled.write_text("ours", encoding="utf-8")
    assert archive.is_whole(done.folder)

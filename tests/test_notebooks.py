"""Each notebook reads from top to bottom on whatever evidence there is: Run All, without the kernel."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from incident.evidence import save
from incident.findings import UsageError

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
INCIDENT = Path(__file__).parent / "incident.yaml"
HOSTILE = "<script>alert(1)</script> $x$ \x1b[2J \x00 \u202e **bold**"
REFUSED = {"reason": "permission denied", "remedy": "grant roles/logging.viewer", "kind": "refused"}
CASES = {
    "nothing at all": {"frames": {}, "not_vouched": ["logs", "audit", "revisions", "traffic", "service", "builds", "iam", "handshakes"]},
    "everything refused": {"frames": {}, "gaps": [{"frame": name, **REFUSED} for name in ("logs", "revisions", "handshakes")]},
    "no times and no names": {
        "frames": {
            "revisions": [{"revision_name": "chat-00001-aaa"}, {"revision_name": "chat-00002-bbb"}],
            "traffic": [{"time": "10:00:00", "revision_name": None, "percent": 100}],
            "logs": [{"log": "requests", "at": "10:01:00", "status": 101, "url": "https://chat/ws"}],
        }
    },
    "nothing wrong": {"frames": {"logs": [{"log": "requests", "at": "10:59:00", "revision": "chat-00001-aaa", "status": 101, "url": "https://chat/ws"}]}},
    "hostile": {
        "frames": {
            "handshakes": [{"name": HOSTILE, "kind": "websocket", "verdict": "refused", "http_status": 403, "because": HOSTILE, "expected": "accepted", "status": "failed", "stage": "status"}],
            "logs": [
                {"log": "stderr", "at": "10:00:00", "revision": "chat-00001-aaa", "instance": "a", "severity": "ERROR", "text": HOSTILE},
                {"log": "requests", "at": "10:00:01", "revision": HOSTILE, "instance": "a", "status": 503, "url": "https://chat/ws", "text": HOSTILE, "agent": HOSTILE},
            ],
        }
    },
}  # fmt: skip


def run_all(file, **parameters):
    """A notebook's code cells, one after the other, and what each shows: its last line's value."""
    cells = [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    variables, shown = {"In": [""]}, []
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        variables["In"].append(source)
        *steps, last = source.rstrip().split("\n")
        exec(compile("\n".join(steps), file.name, "exec"), variables)
        shown.append(eval(last, variables) if number else exec(last, variables))
        if not number:
            variables["In"].append("\n".join(f"{name} = {value!r}" for name, value in parameters.items()))
            variables.update(parameters)
    return shown[1:]


def folder(evidence, tmp_path):
    """The folder of a run, with evidence in it."""
    save(evidence, tmp_path / "evidence")
    return str(tmp_path)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
@pytest.mark.parametrize("name", CASES)
def test_run_all(file, name, evidence, tmp_path):
    """Empty evidence reads well, and hostile text stays text: nothing crashes, every cell shows something."""
    shown = run_all(file, run_dir=folder(evidence(CASES[name]), tmp_path))
    assert all(value is not None for value in shown)
    pages = "".join(value._repr_html_() or "" for value in shown if hasattr(value, "_repr_html_"))
    assert "<script>" not in pages
    assert "\x1b" not in pages + "".join(map(repr, shown))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
@pytest.mark.parametrize("sample", ["staging", "staging-fixed"])
def test_run_all_on_the_samples(file, sample):
    """The defaults work with no cloud and no server."""
    assert files("incident").joinpath("samples", sample).is_dir()
    assert all(value is not None for value in run_all(file, source=f"sample:{sample}"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_typing_error_in_a_parameter_is_refused(file):
    """papermill only warns of it, and runs on with the default."""
    with pytest.raises(UsageError, match="parameter 'serivce' is not known: did you mean 'service'"):
        run_all(file, serivce="x")


CONNECTS = next(file for file in NOTEBOOKS if file.stem == "3-does-it-connect")


def cells():
    """The cells of notebook 3: kind and source."""
    return [
        (cell["cell_type"], "".join(cell["source"]))
        for cell in json.loads(CONNECTS.read_text(encoding="utf-8"))["cells"]
    ]


def test_notebook_3_is_for_reading():
    """Questions as headings, no plumbing, and no number in its prose that a run could contradict."""
    prose = [text for kind, text in cells() if kind == "markdown"]
    code = [text for kind, text in cells() if kind == "code"][1:]
    assert all(text.split("\n")[0].endswith("?") for text in prose[:-1])
    assert not any(re.search(r"\d", re.sub(r"\(\S+\)", "", text)) for text in prose)
    assert max(len(text.split("\n")) for text in code) <= 6
    assert not re.search(r"^\s*(def|for|try|while) ", "\n".join(code), re.MULTILINE)


def test_notebook_3_on_the_incident():
    """The answer first: what came, from which layer, on which revision; then what the log has of it."""
    shown = list(map(str, run_all(CONNECTS, source="sample:staging")))
    assert shown[0].split("\n")[:2] == [
        "0 of 7 handshakes came out as expected.",
        "health: expected 200; answered 503. Refused by the platform on 00139.",
    ]
    assert (
        "The service’s own log has 7 of 7 handshakes, found by their trace, answered by 00139 on 7 instances."
        in shown[3]
    )
    assert any(text.startswith("Not decided whether a header or the environment lets tests in") for text in shown)


def test_notebook_3_says_what_was_not_found(evidence, tmp_path):
    """An empty table reads like a page that failed to load."""
    shown = [str(value) for value in run_all(CONNECTS, run_dir=folder(evidence(CASES["nothing at all"]), tmp_path))]
    assert {
        "No handshake was tried, so there is none to look for in the log.",
        "No handshake was tried, so no address was connected to.",
        "0 checks compared with another place.", "0 checks timed, each by its last try.", "0 certificates seen.",
    } <= set(shown)  # fmt: skip
    assert "Gap in handshakes: no handshakes came" in shown[0]

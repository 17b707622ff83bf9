"""Which decides, header or environment, in words."""

import pytest

from incident.analysis.detection import Detection
from incident.sentences.detection import LEADS, which_decides


@pytest.mark.parametrize("decides", LEADS)
def test_every_outcome_has_its_lead(decides):
    """A reader must not have to know our five words."""
    assert which_decides(Detection(decides, "reason")) == f"{LEADS[decides]}: reason."


def test_notes_are_sentences_of_their_own():
    """That any value opens the door is news apart from which of the two decides."""
    said = which_decides(Detection("header", "x was accepted", ("a wrong value was accepted too",)))
    assert said.splitlines() == ["The header decides: x was accepted.", "A wrong value was accepted too."]


def test_names_of_the_other_side_are_made_safe():
    """A variable's name is the other side's, and a notebook shows it."""
    said = which_decides(Detection("header", "the variable E2E_<b>\x1b[2J is set"))
    assert "\x1b" not in said
    assert "E2E_&lt;b&gt;" in said._repr_html_()

"""Missing evidence is never an all-clear, and never an accusation: each frame hurt in each way, on recorded runs."""

import pytest
from tests.hurt import faults, hurt

from incident import gather


@pytest.mark.parametrize("sample", ["staging", "staging-fixed"])
def test_hurt_evidence(sample):
    """A wrong confident answer at 3 a.m. is worse than none."""
    assert faults(gather({"source": f"sample:{sample}"})) == []


def test_every_way_is_tried():
    """A frame that was left out would pass."""
    tried = {(name, how) for name, how, _ in hurt(gather({"source": "sample:staging"}))}
    assert len(tried) == 8 * 5

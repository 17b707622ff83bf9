"""The catalogue of the platform's texts."""

import re

import pytest

from incident import platform


@pytest.mark.parametrize("text", platform.TEXTS, ids=lambda text: text.name)
def test_fragment_matches_its_own_text(text):
    """A rule that cannot find the text it was written for would report silence as health."""
    assert text.search(text.format())
    assert text.search(text.format().upper())


@pytest.mark.parametrize("text", platform.TEXTS, ids=lambda text: text.name)
def test_text_is_placed_and_sourced(text):
    """A text without a source cannot be corrected, and one without a real log or severity is never found."""
    assert text.source
    assert text.log in platform.LOGS
    assert text.severity in platform.SEVERITIES
    assert getattr(platform, text.name) is text


@pytest.mark.parametrize("answer", platform.ANSWERS, ids=lambda answer: answer.name)
def test_answer_is_sourced_and_can_be_filled(answer):
    """The front end fills the path of each body; a stray brace would break the reply."""
    assert answer.source
    assert "{" not in answer.body.format(path="/ws")
    assert answer.text is None or answer.logged


def test_named_groups_extract():
    """Rules name what they found by these groups, so their names are part of the catalogue."""
    assert platform.MEMORY_LIMIT.search("Memory limit of 512 MiB exceeded with 530 MiB used.").groupdict() == {
        "limit": "512 MiB",
        "used": "530 MiB",
    }
    ready = platform.READY_FALSE.search("Ready condition status changed to False for Revision a-1 with message: No.\nB")
    assert ready.groupdict() == {"kind": "Revision", "name": "a-1", "message": "No.\nB"}


@pytest.mark.parametrize(
    "wording",
    [
        "Container failed to start. Failed to start and then listen on the port defined by the PORT environment.",
        "The user-provided container failed to start and listen on the port defined provided by the PORT=8080 …",
    ],
)
def test_older_wordings_still_match(wording):
    """The wording changed at least three times; an incident of last year must still be named."""
    assert platform.PORT_NOT_LISTENING.search(wording)


def test_probe_text_of_both_ages():
    """The older text ends before `Connection failed`, and quotes may be missing around the container."""
    for text in (
        'Default STARTUP TCP probe failed 1 time consecutively for container "scim" on port 3002. The instance was',
        "STARTUP HTTP probe failed 3 times consecutively for container agent on port 8080 path /up.",
    ):
        assert re.fullmatch(r"scim|agent", platform.STARTUP_PROBE_FAILED.search(text)["container"])

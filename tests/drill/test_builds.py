"""Images from layers."""

from pathlib import PurePosixPath

import pytest

from incident.drill.builds import image_digest, image_files, write_image
from incident.findings import UsageError

REGISTRY = PurePosixPath("chat/agents/registry.py")


def test_a_later_layer_takes_the_place_of_an_earlier_file(staging):
    """The broken image and its fix differ in one module and share all others."""
    broken, mended = (image_files(staging.images[name]) for name in ("header-detection-broken", "header-detection"))
    assert {path for path in broken if broken[path] != mended[path]} == {REGISTRY}
    assert b"import DatabaseSessionManager" not in broken[REGISTRY]
    assert b"import DatabaseSessionManager" in mended[REGISTRY]


def test_digest_is_of_the_content(staging, tmp_path):
    """Equal code must have an equal digest wherever it was assembled, or every deploy would be a code change."""
    files = image_files(staging.images["baseline"])
    write_image(files, tmp_path / "a")
    read = {path: (tmp_path / "a" / path).read_bytes() for path in files}
    assert image_digest(read) == image_digest(dict(reversed(files.items())))
    moved = {path.with_name("x" + path.name): content for path, content in files.items()}
    assert image_digest(moved) != image_digest(files)


def test_unknown_layer_names_the_known_ones():
    """A layer's name comes from a hand-written file."""
    with pytest.raises(UsageError) as told:
        image_files(["nosuch"])
    assert str(told.value).startswith("layer 'nosuch' is not known: use one of abort, base, database, ")

"""Images from layers, as a build makes them: a folder of files, and a digest of what is in it.

An image is its layers' files, a later layer's file in place of an earlier one's of the same path. The digest is the
sha256 of every path and content in order, so the same code has the same digest and any change another. It is no OCI
digest: nothing here is a container image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from incident.findings import UsageError


def image_files(layers: Sequence[str], images: Traversable | None = None) -> dict[PurePosixPath, bytes]:
    """The files of an image by path; `images` is the folder that holds the layers (the package's own by default)."""
    root = images or resources.files("incident.drill") / "images"
    files: dict[PurePosixPath, bytes] = {}
    for layer in layers:
        folder = root / layer
        if not folder.is_dir():
            known = ", ".join(sorted(item.name for item in root.iterdir() if item.is_dir()))
            raise UsageError(f"layer {layer!r} is not known: use one of {known}")
        files.update(_walk(folder, PurePosixPath()))
    return files


def _walk(folder: Traversable, at: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for item in folder.iterdir():
        if item.name == "__pycache__":
            continue
        if item.is_dir():
            yield from _walk(item, at / item.name)
        else:
            yield at / item.name, item.read_bytes()


def image_digest(files: Mapping[PurePosixPath, bytes]) -> str:
    """The digest of an image's content.

    >>> image_digest({PurePosixPath("a"): b"1"}) == image_digest({PurePosixPath("a"): b"2"})
    False
    """
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    return f"sha256:{whole.hexdigest()}"


def write_image(files: Mapping[PurePosixPath, bytes], folder: Path) -> None:
    """Write an image's files under a folder that is made for it."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

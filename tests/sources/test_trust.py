"""Certificates that this side cannot read are no fault of the service."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from incident.sources.trust import trust_note


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A file with a certificate."""
    file = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def folder(tmp_path: Path, authority: Path) -> Path:
    """A folder with a certificate under the name by which OpenSSL looks for it."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "0a1b2c3d.0").write_bytes(authority.read_bytes())
    return made


def test_all_is_well(authority: Path, folder: Path) -> None:
    """No variable, or one that leads to a certificate."""
    assert trust_note({}) == ""
    assert trust_note({"SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": f"/nowhere:{folder}"}) == ""


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_no_certificate(tmp_path: Path, text: str | None) -> None:
    """A file that is not there, an empty one and another one come to the same."""
    (tmp_path / "no.pem").write_text(text) if text is not None else None
    (tmp_path / "empty").mkdir()
    bad = {"SSL_CERT_FILE": str(tmp_path / "no.pem"), "SSL_CERT_DIR": str(tmp_path / "empty")}
    assert trust_note(bad) == (
        "SSL_CERT_FILE and SSL_CERT_DIR are set and hold no certificate that can be read: no server can be trusted"
    )


def test_the_other_one_is_left(authority: Path, folder: Path) -> None:
    """OpenSSL goes on with what it can read."""
    assert trust_note({"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": str(folder)}) == (
        "SSL_CERT_FILE is set and holds no certificate that can be read: "
        "only the certificates of SSL_CERT_DIR are trusted"
    )
    assert trust_note({"SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": "/nowhere"}) == (
        "SSL_CERT_DIR is set and holds no certificate that can be read: "
        "only the certificates of SSL_CERT_FILE are trusted"
    )

"""The certificates that this machine trusts: whether the variables that name them lead to any.

Decides: whether OpenSSL can read a certificate where `SSL_CERT_FILE` and `SSL_CERT_DIR` point. Reads: these files.
Cannot tell: whether the certificate that a service shows is among those, or signed by one of them.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path


def trust_note(environ: Mapping[str, str]) -> str:
    """That a variable which names trusted certificates leads to none: else the service gets the blame.

    OpenSSL reads a file and a folder, and each variable replaces one of them (SSL_CTX_set_default_verify_paths). The
    names of variables alone are in it, no path. An empty text where nothing is wrong.

    >>> trust_note({"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"})[:43]
    'SSL_CERT_FILE and SSL_CERT_DIR are set and '
    """
    usual = ssl.get_default_verify_paths()
    held = {
        "SSL_CERT_FILE": holds_certificates(environ.get("SSL_CERT_FILE", usual.openssl_cafile)),
        "SSL_CERT_DIR": folder_holds_certificates(environ.get("SSL_CERT_DIR", usual.openssl_capath)),
    }
    void = [name for name in held if name in environ and not held[name]]
    if not void:
        return ""
    left = next((name if name in environ else "the system" for name in held if held[name]), "")
    verbs = "is set and holds" if len(void) == 1 else "are set and hold"
    so = f"only the certificates of {left} are trusted" if left else "no server can be trusted"
    return f"{' and '.join(void)} {verbs} no certificate that can be read: {so}"


def folder_holds_certificates(folders: str) -> bool:
    """Whether one of some folders has a certificate under the name by which OpenSSL looks for it."""
    for folder in filter(None, folders.split(os.pathsep)):
        try:
            names = [path for path in Path(folder).iterdir() if re.fullmatch(r"[0-9a-f]{8}\.\d+", path.name)]
        except OSError:
            continue
        if any(holds_certificates(str(name)) for name in names):
            return True
    return False


def holds_certificates(file: str) -> bool:
    """Whether OpenSSL can read a certificate in a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ValueError):  # `ssl.SSLError` is an OSError
        return False
    return context.cert_store_stats()["x509"] > 0

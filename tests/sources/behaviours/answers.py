"""Servers that answer in HTTP, late, by halves, or in something else; nearly all of them without a 101."""

from __future__ import annotations

import gzip

from .server import (
    AT_ONCE,
    END,
    FORBIDDEN,
    GOOD,
    HELD,
    ONE_STAGE,
    OPEN,
    STILL_OPEN,
    SWITCH,
    TWO_STAGES,
    Behaviour,
    Peer,
    Script,
    broken,
    drips,
    refused,
    says,
    unreachable,
)

PAGE = b"<!doctype html><title>Chat</title><div id=root></div>"
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
SETTINGS = bytes.fromhex("000012040000000000") + bytes(18)
GOAWAY = bytes.fromhex("000008070000000000") + bytes(8)
ONLY = "; only 101 opens a WebSocket"
LINE = b"the line of a log that somebody sends by mistake "


def answers(status: bytes, *headers: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> Script:
    """A whole response."""
    length = b"Content-Length: %d" % len(body)
    return says(
        version + b" " + status + b"\r\n" + b"".join(line + b"\r\n" for line in (*headers, length)) + END + body
    )


async def closes_unread(peer: Peer) -> None:
    """Ends before it has read."""


async def resets_unread(peer: Peer) -> None:
    """Resets before it has read."""
    peer.reset()


# fmt: off
STATUSES = (
    Behaviour("index-page-of-an-app", answers(b"200 OK", HTML.strip(), body=PAGE), refused(200), "answered 200 OK (content-type: text/html; charset=utf-8)" + ONLY),
    Behaviour("json-ok", answers(b"200 OK", b"Content-Type: application/json", body=b"{}"), refused(200), "answered 200 OK (content-type: application/json)" + ONLY),
    Behaviour("nothing-but-200", says(b"HTTP/1.1 200 OK\r\n\r\n"), refused(200), "answered 200 OK" + ONLY),
    Behaviour("no-content", says(b"HTTP/1.1 204 No Content\r\n\r\n"), refused(204), "answered 204 No Content" + ONLY),
    Behaviour("to-https", answers(b"301 Moved Permanently", b"Location: https://chat.example/ws"), refused(301), "answered 301 Moved Permanently (location: https://chat.example/ws)" + ONLY),
    Behaviour("to-a-login", answers(b"302 Found", b"Location: /login?next=/ws&code=<echo>"), refused(302), "answered 302 Found (location: /login)" + ONLY),
    Behaviour("to-itself", answers(b"307 Temporary Redirect", b"Location: /ws"), refused(307), "answered 307 Temporary Redirect (location: /ws)" + ONLY),
    Behaviour("to-a-user-in-a-url", answers(b"308 Permanent Redirect", b"Location: https://me:pw@chat.example/ws#x"), refused(308), "answered 308 Permanent Redirect (location: https://chat.example/ws)" + ONLY),
    Behaviour("to-nowhere", answers(b"302 Found"), refused(302), "answered 302 Found" + ONLY),
    Behaviour("not-modified", answers(b"304 Not Modified"), refused(304), "answered 304 Not Modified" + ONLY),
    Behaviour("bad-request", answers(b"400 Bad Request", HTML.strip(), body=b"<center>nginx</center>"), refused(400), "answered 400 Bad Request" + ONLY),
    Behaviour("no-token", answers(b"401 Unauthorized", b'WWW-Authenticate: Bearer error="invalid_token"'), refused(401), "answered 401 Unauthorized (www-authenticate: Bearer error=\"invalid_token\")" + ONLY),
    Behaviour("token-of-a-jwt", answers(b"401 Unauthorized", b'WWW-Authenticate: Bearer error="invalid_token"'), refused(401), "answered 401 Unauthorized (www-authenticate: Bearer error=\"invalid_token\")" + ONLY, check={"headers": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."}}),
    Behaviour("token-echoed", answers(b"401 Unauthorized", b"WWW-Authenticate: Bearer <echo>"), refused(401), "answered 401 Unauthorized (www-authenticate: Bearer *** ***)" + ONLY),
    Behaviour("forbidden", answers(b"403 Forbidden", body=b"Forbidden"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("forbidden-bare", says(b"HTTP/1.1 403\r\n\r\n"), refused(403), "answered 403" + ONLY),
    Behaviour("forbidden-no-reason", says(b"HTTP/1.1 403 \r\n\r\n"), refused(403), "answered 403" + ONLY),
    Behaviour("no-such-page", answers(b"404 Not Found", b"Content-Type: text/html", body=PAGE), refused(404), "answered 404 Not Found (content-type: text/html)" + ONLY),
    Behaviour("wrong-method", answers(b"405 Method Not Allowed", b"Allow: POST"), refused(405), "answered 405 Method Not Allowed (allow: POST)" + ONLY),
    Behaviour("a-proxy-wants-a-login", answers(b"407 Proxy Authentication Required", b"Proxy-Authenticate: Basic"), refused(407), "answered 407 Proxy Authentication Required (proxy-authenticate: Basic)" + ONLY),
    Behaviour("wants-version-8", answers(b"426 Upgrade Required", b"Sec-WebSocket-Version: 8"), refused(426), "answered 426 Upgrade Required (sec-websocket-version: 8)" + ONLY),
    Behaviour("wants-an-upgrade", answers(b"426 Upgrade Required", b"Upgrade: h2c"), refused(426), "answered 426 Upgrade Required" + ONLY),
    Behaviour("too-many", answers(b"429 Too Many Requests", b"Retry-After: 30"), refused(429), "answered 429 Too Many Requests (retry-after: 30)" + ONLY),
    Behaviour("headers-too-large", answers(b"431 Request Header Fields Too Large"), refused(431), "answered 431 Request Header Fields Too Large" + ONLY),
    Behaviour("app-crashed", answers(b"500 Internal Server Error"), refused(500), "answered 500 Internal Server Error" + ONLY),
    Behaviour("not-implemented", answers(b"501 Not Implemented"), refused(501), "answered 501 Not Implemented" + ONLY),
    Behaviour("bad-gateway-page", answers(b"502 Bad Gateway", b"Server: nginx/1.27.3", HTML.strip(), body=b"<h1>502 Bad Gateway</h1>"), refused(502), "answered 502 Bad Gateway (server: nginx/1.27.3)" + ONLY),
    Behaviour("unavailable", answers(b"503 Service Unavailable", b"Retry-After: 5"), refused(503), "answered 503 Service Unavailable (retry-after: 5)" + ONLY),
    Behaviour("gateway-timeout", answers(b"504 Gateway Timeout", b"Server: awselb/2.0"), refused(504), "answered 504 Gateway Timeout (server: awselb/2.0)" + ONLY),
    Behaviour("version-not-supported", answers(b"505 HTTP Version Not Supported"), refused(505), "answered 505 HTTP Version Not Supported" + ONLY),
    Behaviour("unknown-status", answers(b"999 Request denied"), refused(999), "answered 999 Request denied" + ONLY),
    Behaviour("reason-with-the-token", says(b"HTTP/1.1 403 <echo>\r\n\r\n"), refused(403), "answered 403 *** ***" + ONLY),
    Behaviour("reason-cut-in-the-token", says(b"HTTP/1.1 403 " + b"x" * 46 + b"<echo>\r\n\r\n"), refused(403), "answered 403 " + "x" * 46 + "*** ***" + ONLY),
    Behaviour("reason-in-latin-1", says(b"HTTP/1.1 403 Acc\xe8s refus\xe9\r\n\r\n"), refused(403), "answered 403 Accès refusé" + ONLY),
    Behaviour("reason-moves-the-cursor", says(b"HTTP/1.1 403 \x9b2J gone\r\n\r\n"), refused(403), "answered 403 \ufffd2J gone" + ONLY),
    Behaviour("reason-of-a-kilobyte", says(b"HTTP/1.1 403 " + b"x" * 1000 + b"\r\n\r\n"), refused(403), "answered 403 " + "x" * 59 + "…" + ONLY),
)

INTERIM = (
    Behaviour("100-then-403", says(b"HTTP/1.1 100 Continue\r\n\r\n", FORBIDDEN + END, pause=0.02), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("102-then-503", says(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n"), refused(503), "answered 503 Busy" + ONLY),
    Behaviour("103-then-403", says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", FORBIDDEN + END, pause=0.02), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("100-then-101", says(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD + END), OPEN, STILL_OPEN, HELD),
    Behaviour("103-twice-then-101", says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2, GOOD + END, pause=0.02), OPEN, STILL_OPEN, HELD),
    Behaviour("103-folded-then-101", says(b"HTTP/1.1 103 Early Hints\r\nLink: </a>,\r\n </b>\r\n\r\n" + GOOD + END), OPEN, STILL_OPEN, HELD),
    Behaviour("100-then-silence", says(b"HTTP/1.1 100 Continue\r\n\r\n"), unreachable("status"), "no status line within 1 s, after 100", ONE_STAGE),
    Behaviour("100-then-end", says(b"HTTP/1.1 100 Continue\r\n\r\n", then="ends"), unreachable("status"), "the connection was closed without an answer, after 100"),
    Behaviour("103-now-and-then", says(*[b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 8, pause=0.6), unreachable("status"), "no status line within 1 s, after 103, 103", ONE_STAGE),
    Behaviour("102-for-ever", says(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 100, pause=0.01), broken("limit", "status", None), "the answer is too long to read: more than 8 interim responses"),
)

VERSIONS = (
    Behaviour("refusal-in-1.0", says(b"HTTP/1.0 503 Busy\r\n\r\n"), refused(503), "answered 503 Busy" + ONLY),
    Behaviour("101-in-1.0", says(GOOD.replace(b"/1.1", b"/1.0") + END), broken("http-version", "status"), "the answer is not HTTP/1.1: it says HTTP/1.0"),
    Behaviour("101-in-1.2", says(GOOD.replace(b"/1.1", b"/1.2") + END), OPEN, STILL_OPEN, HELD),
    Behaviour("2-in-words", says(b"HTTP/2 403 \r\n\r\n"), broken("http-version", "status", 403), "the answer is not HTTP/1.1: it says HTTP/2"),
    Behaviour("2-settings", says(SETTINGS), broken("http-version", "status", None), "the answer is not HTTP/1.1: it is HTTP/2 frames"),
    Behaviour("2-goaway", says(GOAWAY, then="ends"), broken("http-version", "status", None), "the answer is not HTTP/1.1: it is HTTP/2 frames"),
    Behaviour("2-in-drips", drips(b"", SETTINGS, pause=0.01), broken("http-version", "status", None), "the answer is not HTTP/1.1: it is HTTP/2 frames", AT_ONCE),
    Behaviour("0.9", says(PAGE, then="ends"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '<!doctype html><title>Chat</title><div i'"),
    Behaviour("11.1", says(b"HTTP/11.1 403 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/11.1 403 No'"),
    Behaviour("lower-case", says(b"http/1.1 403 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with 'http/1.1 403 No\\r\\n\\r\\n'"),
)

NOT_HTTP = (
    Behaviour("status-of-two-digits", says(b"HTTP/1.1 40 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1 40 No'"),
    Behaviour("status-of-four-digits", says(b"HTTP/1.1 4030 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1 4030 No'"),
    Behaviour("status-in-words", says(b"HTTP/1.1 OK\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1 OK'"),
    Behaviour("status-after-two-spaces", says(b"HTTP/1.1  403 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1  403 No'"),
    Behaviour("status-zero", says(b"HTTP/1.1 000 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1 000 No'"),
    Behaviour("reason-with-an-escape", says(b"HTTP/1.1 403 \x1b[2J\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: its status line is 'HTTP/1.1 403 \\x1b[2J'"),
    Behaviour("empty-line-first", says(b"\r\nHTTP/1.1 403 No\r\n\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '\\r\\nHTTP/1.1 403 No\\r\\n\\r\\n'"),
    Behaviour("ssh", says(b"SSH-2.0-OpenSSH_9.6\r\n"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with 'SSH-2.0-OpenSSH_9.6\\r\\n'"),
    Behaviour("redis", says(b"-ERR unknown command 'GET'\r\n", then="ends"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with \"-ERR unknown command 'GET'\\r\\n\""),
    Behaviour("json-alone", says(b'{"error":"no"}'), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '{\"error\":\"no\"}'"),
    Behaviour("zeros", says(bytes(64)), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '" + "\\x00" * 40 + "'"),
    Behaviour("only-the-token", says(b"<echo>"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '*** ***'"),
    Behaviour("tls-alert-in-the-clear", says(bytes.fromhex("15030100020246"), then="ends"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it is TLS, so this port wants wss:// or https://"),
    Behaviour("frames-without-a-101", says(b"\x81\x02hi"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it begins with '\\x81\\x02hi'"),
)

HEADERS = (
    Behaviour("refusal-with-bare-lf", says(b"HTTP/1.1 403 Forbidden\nServer: x\n\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("101-with-bare-lf", says((GOOD + END).replace(b"\r\n", b"\n")), broken("http-malformed", "headers"), "the answer is not valid HTTP: a line ends without a carriage return"),
    Behaviour("101-with-one-bare-lf", says(GOOD.replace(b"websocket\r\n", b"websocket\n") + END), broken("http-malformed", "headers"), "the answer is not valid HTTP: a line ends without a carriage return"),
    Behaviour("refusal-folded", says(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\n\t realm=chat\r\n\r\n"), refused(401), "answered 401 No (www-authenticate: Bearer realm=chat)" + ONLY),
    Behaviour("101-folded", says(GOOD.replace(b"Connection: ", b"Connection:\r\n ") + END), broken("http-malformed", "headers"), "the answer is not valid HTTP: the header 'connection' goes on in a second line"),
    Behaviour("folded-before-the-first", says(FORBIDDEN + b" x: y\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header name ' x' has a character that no name may have, after 403 Forbidden"),
    Behaviour("nul-in-a-value", says(FORBIDDEN + b"Server: a\0b\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header 'Server' has a control character in its value, after 403 Forbidden"),
    Behaviour("cr-in-a-value", says(FORBIDDEN + b"Server: a\rb\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header 'Server' has a control character in its value, after 403 Forbidden"),
    Behaviour("nul-in-a-101", says(GOOD + b"X: \0\r\n\r\n"), broken("http-malformed", "headers"), "the answer is not valid HTTP: the header 'X' has a control character in its value"),
    Behaviour("value-in-utf-8", says("HTTP/1.1 403 Forbidden\r\nX-Why: für dich\r\n\r\n".encode()), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("no-colon", says(FORBIDDEN + b"Server\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header line 'Server' has no colon, after 403 Forbidden"),
    Behaviour("no-colon-but-the-token", says(FORBIDDEN + b"<echo>\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header line '*** ***' has no colon, after 403 Forbidden"),
    Behaviour("space-in-a-name", says(FORBIDDEN + b"A b: c\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header name 'A b' has a character that no name may have, after 403 Forbidden"),
    Behaviour("space-before-the-colon", says(GOOD.replace(b"Upgrade:", b"Upgrade :", 1) + END), broken("http-malformed", "headers"), "the answer is not valid HTTP: the header name 'Upgrade ' has a character that no name may have"),
    Behaviour("no-name", says(FORBIDDEN + b": x\r\n\r\n"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: the header name '' has a character that no name may have, after 403 Forbidden"),
    Behaviour("same-header-twice", says(FORBIDDEN + b"Vary: a\r\nVary: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("length-below-zero", says(FORBIDDEN + b"Content-Length: -1\r\n\r\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("folded-after-the-token", says(SWITCH + b"<echo>: x\r\n y\r\n\r\n".replace(b"<echo>", b"CANARY-0123456789")), broken("http-malformed", "headers"), "the answer is not valid HTTP: the header '***' goes on in a second line"),
    Behaviour("status-line-of-a-megabyte", says(b"HTTP/1.1 403 " + b"x" * 2**20), broken("limit", "status", None), "the answer is too long to read: a line of more than 8192 bytes"),
    Behaviour("header-of-a-megabyte", says(FORBIDDEN + b"A: " + b"x" * 2**20), broken("limit", "headers", 403), "the answer is too long to read: a line of more than 8192 bytes, after 403 Forbidden"),
    Behaviour("longest-header", says(FORBIDDEN + b"A: " + b"x" * 8187 + b"\r\n\r\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("header-a-byte-too-long", says(FORBIDDEN + b"A: " + b"x" * 8188 + b"\r\n\r\n"), broken("limit", "headers", 403), "the answer is too long to read: a line of more than 8192 bytes, after 403 Forbidden"),
    Behaviour("ten-thousand-headers", says(FORBIDDEN + b"A: b\r\n" * 10_000), broken("limit", "headers", 403), "the answer is too long to read: more than 128 header lines, after 403 Forbidden"),
    Behaviour("ten-thousand-folds", says(FORBIDDEN + b"A: b\r\n" + b" c\r\n" * 10_000), broken("limit", "headers", 403), "the answer is too long to read: more than 128 header lines, after 403 Forbidden"),
    Behaviour("most-headers", says(GOOD + b"A: b\r\n" * 125 + END), OPEN, STILL_OPEN, HELD),
    Behaviour("a-header-too-many", says(GOOD + b"A: b\r\n" * 126 + END), broken("limit", "headers"), "the answer is too long to read: more than 128 header lines"),
)

BODIES = (
    Behaviour("body-in-gzip", says(FORBIDDEN + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"no " * 99)), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-never-comes", says(FORBIDDEN + b"Content-Length: 9\r\n\r\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-cut", says(FORBIDDEN + b"Content-Length: 50\r\n\r\n5byte", then="ends"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-cut-by-a-reset", says(FORBIDDEN + b"Content-Length: 50\r\n\r\n5byte", pause=0.05, then="resets"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-without-an-end", says(FORBIDDEN + END, *[LINE * 999] * 99, pause=0.01), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-in-drips", drips(FORBIDDEN + b"Content-Length: 50\r\n\r\n", b"x" * 50), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-in-chunks-without-an-end", says(FORBIDDEN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-of-a-megabyte", says(FORBIDDEN + b"Content-Length: 1048576\r\n\r\n" + b"x" * 2**20), refused(403), "answered 403 Forbidden" + ONLY),
    Behaviour("body-with-the-token", says(FORBIDDEN + b"Set-Cookie: t=<echo>\r\nContent-Length: 99\r\n\r\n<echo>"), refused(403), "answered 403 Forbidden" + ONLY),
)

SLOW = (
    Behaviour("silent", says(), unreachable("status"), "no status line within 1 s", ONE_STAGE),
    Behaviour("silent-unread", Script((), reads=False), unreachable("status"), "no status line within 1 s", ONE_STAGE),
    Behaviour("status-in-drips", drips(b"", b"HTTP/1.1 403 Forbidden, and so on and on"), unreachable("status"), "no status line within 1 s", ONE_STAGE),
    Behaviour("headers-in-drips", drips(FORBIDDEN, b"x" * 90), unreachable("headers", 403), "the headers did not end within 1 s, after 403 Forbidden", ONE_STAGE),
    Behaviour("a-header-a-tenth", says(FORBIDDEN, *[b"A: b\r\n"] * 90, pause=0.1), unreachable("headers", 403), "the headers did not end within 1 s, after 403 Forbidden", ONE_STAGE),
    Behaviour("headers-never-end", says(FORBIDDEN + b"Server: x\r\n"), unreachable("headers", 403), "the headers did not end within 1 s, after 403 Forbidden", ONE_STAGE),
    Behaviour("101-headers-never-end", says(GOOD), unreachable("headers", 101), "the headers did not end within 1 s, after 101 Switching Protocols", ONE_STAGE),
    Behaviour("all-stages-slow", says(b"", b"", b"", FORBIDDEN, *[b"A: b\r\n"] * 9, pause=0.25), unreachable("headers", 403), "the headers did not end within 1.6 s, after 403 Forbidden", TWO_STAGES),
    Behaviour("late-refusal", says(b"", FORBIDDEN + END, pause=0.3), refused(403), "answered 403 Forbidden" + ONLY, 0.3 + AT_ONCE),
    Behaviour("late-101", says(b"", GOOD + END, pause=0.3), OPEN, STILL_OPEN, 0.3 + HELD),
    Behaviour("101-in-drips", drips(b"", b"HTTP/1.1 101 Yes\r\n", 0.005), unreachable("headers", 101), "the headers did not end within 1 s, after 101 Yes", ONE_STAGE + 0.2),
)

HALVES = (
    Behaviour("status-cut", says(b"HTTP/1.1 4", then="ends"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it ends in the status"),
    Behaviour("status-cut-by-a-reset", says(b"HTTP/1.1 4", pause=0.05, then="resets"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it ends in the status"),
    Behaviour("status-line-without-an-end", says(b"HTTP/1.1 403 Forbidden", then="ends"), broken("http-malformed", "status", None), "the answer is not valid HTTP: it ends in the status"),
    Behaviour("nothing-after-the-status", says(FORBIDDEN, then="ends"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: it ends in the headers, after 403 Forbidden"),
    Behaviour("headers-cut", says(FORBIDDEN + b"Server: x", then="ends"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: it ends in the headers, after 403 Forbidden"),
    Behaviour("headers-cut-by-a-reset", says(FORBIDDEN + b"Server: x", pause=0.05, then="resets"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: it ends in the headers, after 403 Forbidden"),
    Behaviour("headers-cut-half-closed", says(FORBIDDEN + b"Server: x", then="half-closes"), broken("http-malformed", "headers", 403), "the answer is not valid HTTP: it ends in the headers, after 403 Forbidden"),
    Behaviour("101-cut", says(GOOD, then="ends"), broken("http-malformed", "headers"), "the answer is not valid HTTP: it ends in the headers"),
    Behaviour("closes-unread", closes_unread, unreachable("status"), "the connection was <closed> without an answer"),
    Behaviour("resets-unread", resets_unread, unreachable("status"), "the connection was <closed> without an answer"),
    Behaviour("closes-unanswered", says(then="ends"), unreachable("status"), "the connection was closed without an answer"),
    Behaviour("half-closes-unanswered", says(then="half-closes"), unreachable("status"), "the connection was closed without an answer"),
    Behaviour("resets-unanswered", says(then="resets"), unreachable("status"), "the connection was reset without an answer"),
)


def asked(wanted: str | None = None) -> dict[str, str | None]:
    """A plain request for a page, and what its body has to hold."""
    return {"kind": "http", "body_contains": wanted}


READY = b"HTTP/1.1 200 OK\r\n"
PAGES = (
    Behaviour("page", says(READY + b"Content-Length: 5\r\n\r\nready"), "- - status 200 ok", "answered 200", check=asked()),
    Behaviour("page-with-its-text", says(READY + b"Content-Length: 5\r\n\r\nready"), "- - status 200 ok", "answered 200", check=asked("ready")),
    Behaviour("page-without-its-text", says(READY + b"Content-Length: 5\r\n\r\nstale"), "- - status 200 failed", "answered 200; the body lacks 'ready'", check=asked("ready")),
    Behaviour("page-in-chunks", says(READY + b"Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n"), "- - status 200 ok", "answered 200", check=asked("ready")),
    Behaviour("page-in-gzip", says(READY + b"Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" + gzip.compress(b"ready", mtime=0)), "- - status 200 ok", "answered 200", check=asked("ready")),
    Behaviour("page-in-gzip-and-chunks", says(READY + b"Content-Encoding: GZip\r\nTransfer-Encoding: Chunked\r\n\r\n19\r\n" + gzip.compress(b"ready", mtime=0) + b"\r\n0\r\n\r\n"), "- - status 200 ok", "answered 200", check=asked("ready")),
    Behaviour("page-not-in-gzip-as-said", says(READY + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nready"), "- - status 200 ok", "answered 200", check=asked("ready")),
    Behaviour("page-broken", says(b"HTTP/1.1 500 No\r\n\r\n"), "- - status 500 failed", "answered 500", check=asked()),
    Behaviour("page-that-is-none", says(b"nonsense"), "- http-malformed status - failed", "the answer is not valid HTTP: it begins with 'nonsense'", check=asked()),
    Behaviour("page-cut-before-its-text", says(READY + b"Content-Length: 50\r\n\r\nrea", then="ends"), "- - status 200 failed", "answered 200; the body lacks 'ready'", check=asked("ready")),
    Behaviour("page-stops-before-its-text", says(READY + b"Content-Length: 50\r\n\r\nrea"), "- - status 200 failed", "answered 200; the body lacks 'ready'", ONE_STAGE, check=asked("ready")),
    Behaviour("page-in-drips-without-its-text", drips(READY + END, b"x" * 99), "- - status 200 failed", "answered 200; the body lacks 'ready'", ONE_STAGE, check=asked("ready")),
    Behaviour("page-too-long-for-its-text", says(READY + END + b"x" * 2**20 + b"ready"), "- - status 200 failed", "answered 200; the body lacks 'ready'", check=asked("ready")),
    Behaviour("page-unanswered", says(then="ends"), "- - status - failed", "the connection was closed without an answer", check=asked()),
)
# fmt: on

ANSWERS = (*STATUSES, *INTERIM, *VERSIONS, *NOT_HTTP, *HEADERS, *BODIES, *SLOW, *HALVES, *PAGES)

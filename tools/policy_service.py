"""A policy service to run beside provserver, and to copy from: the other end of
docs/reference/external-policy.openapi.yaml, in nothing but the standard library.

    python tools/policy_service.py --secret-file policy.secret --port 8080 --words words.txt

It refuses passwords that hold a word of a list, or do not match a pattern. What a service must do is here:
believe signed requests only, each once and in time; sign its answers; and never show a password.
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import re
import signal
import ssl
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

WINDOW: Final = 300
"""Seconds by which a request's time may differ from ours."""
LARGEST: Final = 64 * 1024
"""Bytes of a request."""
IDLE_TIME: Final = 60
"""Seconds for which a connection may wait for its next request."""

Reason = dict[str, str]


class NotBelieved(Exception):
    """A request that is not signed, or not now, or was here before."""


class Signatures:
    """Verifies requests and signs answers."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def demand(self, stamp: str, nonce: str, signature: str, body: bytes) -> None:
        """Return if the request is to be believed. NotBelieved."""
        head = f"provserver policy request 1\n{stamp}\n{nonce}\n".encode()
        if not hmac.compare_digest(signature.encode(), self._signed(head + body).encode()):
            raise NotBelieved("the signature is wrong")
        now = self._clock()
        if not stamp.isdecimal() or abs(now - int(stamp)) > WINDOW:
            raise NotBelieved("the time is not ours: are both clocks right?")
        with self._lock:
            while self._seen and next(iter(self._seen.values())) < now - 2 * WINDOW:
                self._seen.popitem(last=False)
            if nonce in self._seen:
                raise NotBelieved("the nonce was used before")
            self._seen[nonce] = now

    def of_answer(self, nonce: str, body: bytes) -> str:
        return self._signed(f"provserver policy answer 1\n{nonce}\n".encode() + body)

    def _signed(self, octets: bytes) -> str:
        return hmac.digest(self._key, octets, "sha256").hex()


@dataclass(frozen=True)
class Rules:
    """What this service has against passwords. A service of yours has rules of yours, in this place."""

    words: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    advice: str = "the password does not have the form that is asked for"

    def reasons(self, password: str) -> list[Reason]:
        found = []
        small = password.casefold()
        if any(word in small for word in self.words):
            found.append(_reason("the password contains a word that is not allowed"))
        if self.pattern is not None and not self.pattern.search(password):
            found.append(_reason(self.advice))
        return found


def _reason(text: str, code: str = "insufficientPasswordQuality") -> Reason:
    return {"code": code, "text": text}


@dataclass(frozen=True)
class Request:
    kind: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> Request:
        """What this service needs of it; there is more. ValueError."""
        document = json.loads(body)
        found = [document.get(name) for name in ("kind", "user", "password")] if document else []
        if not found or not all(isinstance(value, str) for value in found):
            raise ValueError("kind, user and password were expected")
        return cls(*found)


def handler_of(signatures: Signatures, rules: Rules) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_TIME

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > LARGEST:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "expected a Content-Length within bounds")
                return
            body = self.rfile.read(int(length))
            stamp, nonce, signature = (
                self.headers.get(f"X-Provserver-{name}", "") for name in ("Time", "Nonce", "Signature")
            )
            try:
                signatures.demand(stamp, nonce, signature, body)
            except NotBelieved as why:
                self._refuse(HTTPStatus.UNAUTHORIZED, str(why))
                return
            try:
                request = Request.read(body)
            except (ValueError, AttributeError, RecursionError):
                self._refuse(HTTPStatus.BAD_REQUEST, "not a request of this form")
                return
            reasons = rules.reasons(request.password)
            answer = {"verdict": "refuse", "reasons": reasons} if reasons else {"verdict": "accept"}
            print(f"{request.kind} {request.user!r}: {answer['verdict']}", flush=True)
            octets = json.dumps(answer).encode()
            self._send(HTTPStatus.OK, octets, {"X-Provserver-Signature": signatures.of_answer(nonce, octets)})

        def _refuse(self, status: HTTPStatus, why: str) -> None:
            print(f"{status.value}: {why}", file=sys.stderr, flush=True)
            self.close_connection = True
            self._send(status, b"", {"Connection": "close"})

        def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """What is worth a line has one already."""

    return Handler


def server_of(address: str, port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    return server


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A policy service to run beside provserver.")
    parser.add_argument("--secret-file", type=Path, required=True, help="that of external_policy.secret_file")
    parser.add_argument("--address", default="127.0.0.1", help="other machines' only with --certificate")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--certificate", type=Path, help="PEM; with it and --key the service speaks https")
    parser.add_argument("--key", type=Path, help="PEM")
    parser.add_argument("--words", type=Path, help="a file of words that no password may contain, one a line")
    parser.add_argument("--pattern", type=re.compile, help="a regular expression that passwords must match")
    parser.add_argument("--advice", default=Rules.advice, help="what is said of those that do not match")
    options = parser.parse_args(arguments)
    if options.certificate is None and not ipaddress.ip_address(options.address).is_loopback:
        parser.error("passwords go to another machine under TLS only: --certificate and --key")
    listed = options.words.read_text("utf-8").split("\n") if options.words else []
    words = frozenset(word.strip().casefold() for word in listed if word.strip())
    rules = Rules(words, options.pattern, options.advice)
    signatures = Signatures(options.secret_file.read_bytes().strip())
    server = server_of(options.address, options.port, handler_of(signatures, rules))
    scheme = "http"
    if options.certificate is not None:
        scheme = "https"
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate, options.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"ready {scheme}://{options.address}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An application that is managed by SCIM, as a program: `scim2-server`, which others make, behind TLS, with a
password policy and a page to log in at. Run by `plugins.scim_servers`.
"""

from __future__ import annotations

import argparse
import json
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from scim2_models import InvalidValueException, Resource, ResourceType, User
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_provider

LEAST = 8


class Application(InMemoryStorage):
    """Keeps every password that a user had, and refuses those, short ones, and tides."""

    def __init__(self) -> None:
        super().__init__()
        self.had: dict[str, list[str]] = {}

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        password, had = getattr(resource, "password", None), self.had.setdefault(resource.id or "", [])
        if password is not None and password != had[-1:]:
            if len(password) < LEAST:
                raise InvalidValueException(detail=f"The password must have at least {LEAST} characters.")
            if "Tide" in password:
                raise InvalidValueException(detail="No tides here.")
            if password in had[:-1]:
                raise InvalidValueException(detail="The password is in the history.")
        updated = super().update(resource_type, resource, expected_version=expected_version)
        if password is not None and had[-1:] != [password]:
            had.append(password)
        return updated

    def lets_in(self, name: str, password: str) -> bool:
        """The page to log in at."""
        found = [one for one in self.resources if getattr(one, "user_name", None) == name]
        return len(found) == 1 and self.had.get(found[0].id or "", [])[-1:] == [password]


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "certificate", "key", "token"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--person", action="append", default=[])
    given = parser.parse_args()
    storage, provider = Application(), load_default_provider()
    [kind] = [one for one in provider.resource_types if one.name == "User"]
    for name in given.person:
        storage.create(kind, User(user_name=name))
    scim = BearerTokenApplication(storage, provider, bearer_tokens=[given.token])

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/login":
            return scim(environ, start)
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start("200 OK" if storage.lets_in(asked["name"], asked["password"]) else "403 Forbidden", [])
        return [b""]

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.certificate, given.key)
    with make_server(
        "127.0.0.1", int(given.port), serve, server_class=ThreadingWSGIServer, handler_class=Quiet
    ) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()


if __name__ == "__main__":
    main()

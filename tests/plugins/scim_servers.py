"""SCIM servers for tests: `scim2-server`, a real one by others, in a process of its own."""

from __future__ import annotations

import json
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugins.real_servers import RealServer

TOKEN = "Quay-Token-Of-Ours-31"
USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"


class ScimServer(RealServer):
    """Keeps its users in memory: when it is started again, they have neither passwords nor attributes."""

    def make(self) -> None:
        self._people: list[str] = []

    def as_user(self) -> list[str]:
        """As whoever runs the tests: it reads the packages of theirs."""
        guard = shutil.which("setpriv")
        return [] if guard is None else [guard, "--pdeathsig", "KILL"]

    def command(self) -> Sequence[str]:
        own = self.certificates
        return [
            sys.executable, str(Path(__file__).with_name("scim_program.py")), f"--port={self.port}",
            f"--certificate={own.certificate}", f"--key={own.key}", f"--token={TOKEN}",
            *[f"--person={name}" for name in self._people],
        ]  # fmt: skip

    def accepts(self) -> bool:
        try:
            self.ask("GET", "/v2/ServiceProviderConfig")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/v2"

    def ask(self, method: str, path: str, document: object = None) -> Any:
        """As the administrator."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            None if document is None else json.dumps(document).encode(),
            {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"},
            method=method,
        )
        trust = ssl.create_default_context(cafile=str(self.certificates.authority))
        with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
            return json.loads(answer.read() or b"null")

    def add(self, login: str, **more: object) -> str:
        """The new user's id."""
        made = self.ask("POST", "/v2/Users", {"schemas": [USER_SCHEMA], "userName": login, **more})
        self._people.append(login)
        return str(made["id"])

    def lets_in(self, name: str, password: str) -> bool:
        """Whether the application accepts this password."""
        try:
            self.ask("POST", "/login", {"name": name, "password": password})
        except urllib.error.HTTPError as error:
            if error.code != 403:
                raise
            return False
        return True

"""The conversation of a PSYNC agent: the two or four requests that a password change on an endpoint makes.

Search the account, set `eTTestPassword` (may be vetoed), search again, set `eTSyncPassword`. Source: seed
000 "Communication Flow". On an asynchronous line, for the demo; the agent that people install is `command`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from provserver.agents.post import Post
from provserver.ldap.client import Found, LdapClient
from provserver.ldap.filters import Scope, format_filter
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

__all__ = ["AccountUnknown", "Post", "PsyncAgent", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer, for whoever wants to see them."""

    request: str
    code: ResultCode
    answer: str


class AccountUnknown(Exception):
    """The endpoint has no such account in the server's tree: it was never explored."""


class PsyncAgent:
    """An agent on a connection that is bound as its identity."""

    def __init__(
        self, client: LdapClient, post: Post, seen: Callable[[Step], None] = lambda step: None
    ) -> None:
        self._client = client
        self._post = post
        self._seen = seen

    async def change(self, logon: str, secret: Secret, *, profile_enable: bool = True) -> str:
        """Report one password change; returns the server's last message. AccountUnknown; Refusal (a veto, if
        it is the test's).
        """
        if profile_enable:
            await self.test(logon, secret)
        return await self.sync(logon, secret)

    async def test(self, logon: str, secret: Secret) -> str:
        return await self._set(await self._account(logon), "eTTestPassword", secret)

    async def sync(self, logon: str, secret: Secret) -> str:
        return await self._set(await self._account(logon), "eTSyncPassword", secret)

    async def _account(self, logon: str) -> str:
        post = self._post
        asked = post.account(logon)
        request = f"search {format_filter(asked)}"
        found: list[Found] = await self._client.search(post.endpoint_dn, Scope.SUBTREE, asked, ["1.1"])
        if len(found) != 1:
            self._seen(Step(request, ResultCode.SUCCESS, f"{len(found)} entries"))
            raise AccountUnknown(
                f"{logon}: {len(found)} accounts below {post.endpoint_dn}, expected exactly one"
            )
        self._seen(Step(request, ResultCode.SUCCESS, found[0].dn))
        return found[0].dn

    async def _set(self, dn: str, trigger: str, secret: Secret) -> str:
        request = f"modify {trigger}: ********"
        try:
            answer = await self._client.set_attribute(dn, trigger, secret)
        except Refusal as refusal:
            self._seen(Step(request, refusal.code, refusal.result.diagnostic))
            raise
        self._seen(Step(request, ResultCode.SUCCESS, answer))
        return answer

"""The demo's acts: what is shown, and how each claim is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from provserver.agents.psync import Post, PsyncAgent, Step
from provserver.cli.demo_stage import Stage
from provserver.cli.instance import Instance
from provserver.delivery.plan import Disposition, PlannedAccount, plan
from provserver.directory.names import DN
from provserver.imps.endpoints import leaf_value
from provserver.imps.namespaces import namespace
from provserver.ldap.client import LdapClient, Trust
from provserver.ldap.results import Refusal, ResultCode
from provserver.service import ProvisioningServer
from provserver.vault.secret import Secret

GLOBAL_USERS: Final = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects,dc=im,dc=eta"
AD: Final = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
UNIX: Final = "eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,dc=im,dc=eta"
ADA: Final = "aokafor"
FRANCO: Final = "fgreco"
AD_AGENT: Final = ("psync-ad-corp", "Gull-Ferry-Agent-11", Post(AD, "eTADSAccount", "eTADSsAMAccountName"))
UNIX_AGENT: Final = ("pam-hpdev01", "Seal-Ferry-Agent-22", Post(UNIX, "eTETCAccount", "eTETCAccountName"))
OLD: Final = Secret(b"Quay-Lantern-41")
NEW: Final = Secret(b"Sluice-Compass-86")
OTHER: Final = Secret(b"Another-Compass-87")
WEAK: Final = Secret(b"short")


@dataclass(frozen=True)
class _Show:
    agent: PsyncAgent
    client: LdapClient


class Play:
    """All acts on one server. `failures` lists the promises that were not kept."""

    def __init__(self, server: ProvisioningServer, instance: Instance, stage: Stage, reactor: Any) -> None:
        self._server = server
        self._instance = instance
        self._stage = stage
        self._reactor = reactor
        self._out = Console(highlight=False, width=None if Console().is_terminal else 110)
        self._failures: list[str] = []

    async def perform(self) -> list[str]:
        """Every act in turn; what was not as promised."""
        say = self._out.print
        say(f"[bold]provserver[/] on {self._server.addresses()}, domain dc=im,dc=eta")
        say(escape(self._stage.note()))
        await self._refused_when_weak()
        await self._delivered()
        await self._echo_recognised()
        await self._second_change_refused()
        await self._user_without_consent()
        say()
        if not self._failures:
            say("[bold green]Everything was delivered, and every refusal was the documented one.[/]")
        return self._failures

    async def _agent(self, who: tuple[str, str, Post]) -> _Show:
        name, password, post = who
        client = await LdapClient.connect(
            self._server.url(),
            reactor=self._reactor,
            trust=Trust(ca_file=str(self._instance.tls.ca)),
        )
        await client.bind(f"eTGlobalUserName={name},{GLOBAL_USERS}", Secret.of_text(password))
        return _Show(PsyncAgent(client, post, self._shown), client)

    def _act(self, title: str) -> None:
        self._out.print(f"\n[bold]{escape(title)}[/]")

    def _shown(self, step: Step) -> None:
        colour = "green" if step.code is ResultCode.SUCCESS else "yellow"
        # The terminal wraps: a name that is cut into lines cannot be copied.
        self._out.print(f"  → {escape(step.request)}", soft_wrap=True)
        self._out.print(f"  ← [{colour}]{int(step.code)}[/] {escape(step.answer)}", soft_wrap=True)

    def _promise(self, kept: bool, claim: str) -> None:
        mark = "[green]✓[/]" if kept else "[bold red]✗[/]"
        self._out.print(f"  {mark} {escape(claim)}")
        if not kept:
            self._failures.append(claim)

    async def _refused_when_weak(self) -> None:
        self._act("1. Ada types a weak password on her Windows PC: the test step refuses it, with the reason")
        show = await self._agent(AD_AGENT)
        code = await _code(show.agent.change(ADA, WEAK))
        await show.client.close()
        self._promise(code is ResultCode.CONSTRAINT_VIOLATION, "result 19, and nothing was changed")

    async def _delivered(self) -> None:
        self._act("2. A good one: four requests, and the answer tells what happened to her other accounts")
        show = await self._agent(AD_AGENT)
        code = await _code(show.agent.change(ADA, NEW))
        await show.client.close()
        self._promise(code is ResultCode.SUCCESS, "accepted")
        await self._accounts_table()
        self._promise(await self._binds(ADA, NEW), "Ada's global user has the new password")
        self._promise(not await self._binds(ADA, OLD), "and the old one no longer works")

    async def _accounts_table(self) -> None:
        """Every account of Ada, what the plan said of it, and what its endpoint says now."""
        table = Table("account", "what happened", "the endpoint was asked")
        for line in await self._planned():
            account, endpoint = line.account, line.endpoint
            if endpoint is None:
                continue
            if line.disposition is not Disposition.DELIVER:
                table.add_row(
                    escape(endpoint.account_name(account)), line.disposition.value, "nothing was sent"
                )
                continue
            holds = await self._endpoint_holds(endpoint.name, leaf_value(account.dn), NEW)
            table.add_row(
                escape(endpoint.account_name(account)),
                "updated" if holds else "NOT updated",
                "holds the new password" if holds else "does not hold it",
            )
            if not holds:
                self._failures.append(f"{endpoint.account_name(account)} holds the new password")
        self._out.print(table)

    async def _planned(self) -> list[PlannedAccount]:
        rooms = self._server.foundation
        user = await rooms.store.read(
            DN.parse(f"eTGlobalUserName={ADA},{GLOBAL_USERS}".removesuffix(",dc=eta"))
        )
        if user is None:
            raise LookupError(ADA)
        accounts = await rooms.inclusions.accounts(user)
        origin = next(a for a in accounts if a.dn.is_within(DN.parse(AD.removesuffix(",dc=eta"))))
        return await plan(accounts, rooms.endpoints, originating=origin.id, only_global_user=False)

    async def _endpoint_holds(self, endpoint: str, account: str, secret: Secret) -> bool:
        if endpoint == "ldap-hq" and self._stage.slapd is not None:
            return await self._stage.accepts(account, secret)
        return self._server.emulated[endpoint].holds(account, secret)

    async def _echo_recognised(self) -> None:
        self._act("3. The UNIX host's own agent reports the password that we just set there: an echo")
        before = self._server.emulated["hpdev01"].received
        show = await self._agent(UNIX_AGENT)
        code = await _code(show.agent.change(ADA, NEW))
        await show.client.close()
        self._promise(code is ResultCode.SUCCESS, "success, as it must be for the host")
        self._promise(self._server.emulated["hpdev01"].received == before, "and no new round of deliveries")

    async def _second_change_refused(self) -> None:
        self._act(
            "4. A different password from that host inside the Agent Response Threshold (600 s) is refused"
        )
        show = await self._agent(UNIX_AGENT)
        code = await _code(show.agent.change(ADA, OTHER))
        await show.client.close()
        self._promise(
            code is ResultCode.UNWILLING_TO_PERFORM, "result 53, Another password change is in progress."
        )
        self._promise(await self._binds(ADA, NEW), "and nothing was changed")

    async def _user_without_consent(self) -> None:
        self._act("5. Franco has no eTPropagatePassword: an agent may not change his password")
        show = await self._agent(AD_AGENT)
        code = await _code(show.agent.change(FRANCO, OTHER))
        await show.client.close()
        self._promise(code is ResultCode.UNWILLING_TO_PERFORM, "result 53, with the reason")

    async def _binds(self, user: str, secret: Secret) -> bool:
        client = await LdapClient.connect(
            self._server.url(),
            reactor=self._reactor,
            trust=Trust(ca_file=str(self._instance.tls.ca)),
        )
        try:
            return (
                await _code(client.bind(f"eTGlobalUserName={user},{GLOBAL_USERS}", secret))
                is ResultCode.SUCCESS
            )
        finally:
            await client.close()

    def invite(self, administrator: str) -> None:
        """Lines to paste, for as long as the demo serves."""
        url, ca = self._server.url(), self._instance.tls.ca
        password = self._instance.directory.parent / "etaadmin.password"
        password.write_text(administrator)
        password.chmod(0o600)
        who = f'-x -H {url} -D "eTGlobalUserName=etaadmin,{GLOBAL_USERS}" -y {password}'
        account = "eTADSAccountName=Boris Novak,eTADSContainerName=Users," + AD
        self._out.print("\n[bold]The server goes on. In another terminal (Ctrl-C here ends it):[/]\n")
        change = f"dn: {account}\nchangetype: modify\nreplace: "
        lines = (
            f"export LDAPTLS_CACERT={ca}",
            f'ldapsearch -LLL {who} -b "{AD}" "({namespace("ActiveDirectory").logon}=bnovak)"',
            *(
                f"ldapmodify {who} <<'END'\n{change}{trigger}\n{trigger}: Fog-Signal-94\nEND"
                for trigger in ("eTTestPassword", "eTSyncPassword")
            ),
        )
        for line in lines:
            print(line, end="\n\n", flush=True)


async def _code(call: Any) -> ResultCode:
    """The result of a call that a Refusal may end."""
    try:
        await call
    except Refusal as refusal:
        return refusal.code
    return ResultCode.SUCCESS

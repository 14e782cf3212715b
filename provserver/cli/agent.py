"""`provserver agent add|list|password|remove WHERE [NAME]`: the identities under which agents ask."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from provserver.cli import tables, wherever
from provserver.cli.asking import endpoint_named, leaf, text, user_named
from provserver.cli.failure import CommandFailed
from provserver.cli.joining import Reach, conf_text, handed_over, reach_of, server_address
from provserver.cli.passwords import generated_password
from provserver.cli.places import Place
from provserver.cli.wherever import at_place
from provserver.directory.access import Role
from provserver.directory.names import DN, InvalidName
from provserver.imps.profiles import profile_dn
from provserver.imps.users import MUST_CHANGE, global_user_dn, global_users
from provserver.ldap.client import Found
from provserver.ldap.filters import And, Equality, Present, Scope
from provserver.ldap.messages import Change, ChangeKind, PartialAttribute
from provserver.ldap.results import Refusal, ResultCode
from provserver.vault.secret import Secret

HELP = "let an agent in, with its scope, and print its conf file; list them, give one a new password, remove"

_ADD, _LIST, _PASSWORD, _REMOVE = "add", "list", "password", "remove"
_PROFILES, _SCOPE, _NAME = "eTUserAdminProfile", "provAgentScope", "eTGlobalUserName"
_INSTALLED: Final = "provPasswordSyncAgentInstalled"
_COLUMNS: Final = ("agent", "endpoints", "what it is")
_AGENTS: Final = And((Equality("objectClass", b"eTGlobalUser"), Present(_SCOPE)))


@dataclass(frozen=True, slots=True)
class Let:
    """An agent that was let in. `conf` has its password; `remarks` are for whoever did it."""

    agent: str
    endpoint: str
    conf: str = field(repr=False)
    remarks: tuple[str, ...] = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "act",
        choices=[_ADD, _LIST, _PASSWORD, _REMOVE],
        metavar="ACT",
        help="add; list; password: a new one, and the conf file again; remove",
    )
    wherever.arguments(parser)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the agent's, a global user of its own")
    parser.add_argument(
        "--endpoint",
        metavar="ENDPOINT",
        help="add: where it may act: the endpoint's name, Namespace:Name, or its DN",
    )
    parser.add_argument(
        "--server",
        type=server_address,
        metavar="HOST:PORT",
        help="where the agent reaches the server by LDAPS; by default where WHERE is",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="put the conf file (0600) and the CA file there, in the place of showing the conf file, once, "
        "with the password in it",
    )


def run(options: argparse.Namespace) -> int:
    if options.act == _LIST:
        return _list(options)
    if options.name is None:
        raise CommandFailed(f"{options.act}: expected the NAME of an agent")
    if options.act == _REMOVE:
        name = at_place(options, partial(_remove, options.name))
        print(f"{name}: removed; it cannot log in any more")
        return 0
    if options.act == _ADD and options.endpoint is None:
        raise CommandFailed("add: expected --endpoint, where the agent may act")
    reach = reach_of(options)
    _show(options, reach, at_place(options, partial(_let_in, options, reach)))
    return 0


def _show(options: argparse.Namespace, reach: Reach, let: Let) -> None:
    for remark in let.remarks:
        print(f"remark: {remark}", file=sys.stderr)
    if options.out is not None:
        print(f"{let.agent}: may act on {let.endpoint}; its conf file is in {options.out}", file=sys.stderr)
    elif options.json:
        print(json.dumps({"agent": let.agent, "endpoint": let.endpoint, "conf": let.conf}, indent=2))
    else:
        if reach.ca is not None:
            print(f"beside the conf file the agent needs {reach.ca}, as ca.pem", file=sys.stderr)
        print("its conf file, with its password, shown this once:", file=sys.stderr, flush=True)
        print(let.conf, end="")


# -- let in, and let in again


async def _let_in(options: argparse.Namespace, reach: Reach, place: Place) -> Let:
    domain = DN.parse(await place.domain())
    secret = Secret.of_text(generated_password())
    if options.act == _ADD:
        agent, scope = _new_name(options.name, domain), await _endpoint(place, options.endpoint)
        await _demand_free(place, agent, options.name)
    else:
        user = await _agent(place, options.name)
        agent, scope = DN.parse(user.dn), DN.parse(text(user, _SCOPE))
    name = leaf(agent.text)
    conf = conf_text(agent, secret, scope, domain, reach)
    with handed_over(Path(options.out) if options.out is not None else None, conf, reach.ca):
        if options.act == _ADD:
            await place.add(agent.text, _attributes(agent, name, scope, secret))
        else:
            # An administrator's reset would have it changed by whoever owns it, and an agent never does.
            await place.modify(agent.text, _set("eTPassword", secret.reveal()), _set(MUST_CHANGE, b"FALSE"))
    return Let(name, leaf(scope.text), conf, (*reach.remarks, *await _remarks(place, scope)))


def _new_name(name: str, domain: DN) -> DN:
    try:
        return global_user_dn(name, domain)
    except InvalidName as error:
        raise CommandFailed(f"'{name}' is no name of a global user: {error}") from None


async def _endpoint(place: Place, name: str) -> DN:
    return DN.parse(text(await endpoint_named(place, name), "provEndpointName"))


async def _demand_free(place: Place, agent: DN, name: str) -> None:
    if await _is_there(place, agent.text):
        raise CommandFailed(
            f"there is a global user '{name}' already: give the agent a name of its own, or if it is this "
            "agent, a new password: provserver agent password"
        )


def _attributes(agent: DN, name: str, scope: DN, secret: Secret) -> dict[str, list[bytes]]:
    profile = profile_dn(Role.PASSWORD_ADMINISTRATOR, agent)
    return {
        "objectClass": [b"eTGlobalUser"],
        _NAME: [name.encode()],
        "eTFullName": [f"Password agent of {leaf(scope.text)}".encode()],
        _PROFILES: [str(profile).encode()],
        _SCOPE: [scope.text.encode()],
        "eTPassword": [secret.reveal()],
    }


def _set(name: str, value: bytes) -> Change:
    return Change(ChangeKind.REPLACE, PartialAttribute(name, (value,)))


async def _remarks(place: Place, scope: DN) -> tuple[str, ...]:
    async for endpoint in place.search(scope.text, Scope.BASE, Present("objectClass"), [_INSTALLED]):
        if text(endpoint, _INSTALLED).upper() == "FALSE":
            return (f"{_INSTALLED} is FALSE at {leaf(scope.text)}: now that it has an agent, TRUE is right",)
    return ()


# -- those that there are


async def _agents(place: Place) -> AsyncIterator[Found]:
    users = global_users(DN.parse(await place.domain())).text
    async for user in place.search(users, Scope.ONE_LEVEL, _AGENTS, [_NAME, _SCOPE, _PROFILES]):
        yield user


async def _agent(place: Place, name: str) -> Found:
    """The agent of that name or DN. CommandFailed: there is none, or it is somebody else."""
    user = await user_named(place, name, [_NAME, _SCOPE, _PROFILES])
    if not user.values(_SCOPE) or not _is_agent_only(user):
        raise CommandFailed(
            f"'{name}' is no agent: expected a global user with {_SCOPE}, and no profile but "
            f"{Role.PASSWORD_ADMINISTRATOR.value}"
        )
    return user


def _is_agent_only(user: Found) -> bool:
    return {leaf(value.decode()) for value in user.values(_PROFILES)} == {Role.PASSWORD_ADMINISTRATOR.value}


async def _remove(name: str, place: Place) -> str:
    user = await _agent(place, name)
    await place.delete(user.dn)
    return text(user, _NAME)


def _list(options: argparse.Namespace) -> int:
    async def found(place: Place) -> list[tuple[Found, bool]]:
        users = [user async for user in _agents(place)]
        return [(user, await _all_there(place, user)) for user in users]

    agents = at_place(options, found)
    if options.json:
        print(json.dumps([_as_json(user, there) for user, there in agents], indent=2, ensure_ascii=False))
    else:
        tables.show(_COLUMNS, [_line(user, there) for user, there in agents])
        if not agents:
            print("the domain has no agents")
    return 0


async def _all_there(place: Place, user: Found) -> bool:
    """Whether every endpoint of its scope exists."""
    for value in user.values(_SCOPE):
        if not await _is_there(place, value.decode()):
            return False
    return True


async def _is_there(place: Place, dn: str) -> bool:
    try:
        return [one async for one in place.search(dn, Scope.BASE, Present("objectClass"), ["1.1"])] != []
    except Refusal as refusal:
        if refusal.code is not ResultCode.NO_SUCH_OBJECT:
            raise
        return False


def _line(user: Found, there: bool) -> tuple[str, ...]:
    what = "an agent" if _is_agent_only(user) else "an agent without the profile, or with others too"
    return text(user, _NAME), ", ".join(_scope(user)), what if there else f"{what}; an endpoint is gone"


def _scope(user: Found) -> list[str]:
    return [leaf(value.decode()) for value in user.values(_SCOPE)]


def _as_json(user: Found, there: bool) -> dict[str, object]:
    return {
        "agent": text(user, _NAME),
        "dn": user.dn,
        "scope": [value.decode() for value in user.values(_SCOPE)],
        "onlyAgent": _is_agent_only(user),
        "endpointsThere": there,
    }

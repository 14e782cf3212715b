"""`psync-agent check`: what the agent understood of its conf file, and whether that works."""

from __future__ import annotations

from collections.abc import Iterator

from provserver.agents.book import Book
from provserver.agents.conf import Conf, Server
from provserver.agents.desk import Desk
from provserver.agents.spool import Spool, SpoolError
from provserver.agents.wire import Deadline, NoAnswer

_SECONDS = 10.0
"""For each server, whatever the conf's time-outs are: an administrator waits."""
_NO_ACCOUNT = "psync-agent.check"
"""A name that is searched to see whether the endpoint is there; no account needs to have it."""


def understood(conf: Conf) -> Iterator[str]:
    """The conf file as the agent reads it; lines to print."""
    yield f"{conf.path}"
    section = ""
    for given in conf.given:
        if given.key.section != section:
            section = given.key.section
            yield f"  [{section}]"
        where = f"line {given.line}" if given.line else "default"
        yield f"    {given.key.name} = {given.value}".ljust(56) + f"  ({where})"
    yield "so:"
    post = conf.post
    yield f"  the agent is {conf.identity}"
    if post.template is not None:
        yield f"  accounts: {post.template}, without a search"
    else:
        yield f"  accounts: {post.account_class} below {post.endpoint_dn}, found by {post.logon_attribute}"
    yield f"  the log: {conf.logging.file or 'none'}"
    for remark in conf.remarks:
        yield f"remark: {remark}"


def tried(conf: Conf, book: Book) -> Iterator[tuple[bool, str]]:
    """Each thing that can be tried, whether it works, and a sentence. Nothing is changed anywhere."""
    for server in conf.servers:
        yield _server(conf, server, book)
    yield _spool(conf)


def _server(conf: Conf, server: Server, book: Book) -> tuple[bool, str]:
    deadline = Deadline(_SECONDS)
    try:
        with Desk.open(conf, server, book, deadline) as desk:
            desk.find(_NO_ACCOUNT, deadline)
    except NoAnswer as trouble:
        return False, f"{server}: {trouble}"
    by = "certificate verified, " if conf.trust is not None else "not protected, "
    return True, f"{server}: {by}logged in, endpoint found"


def _spool(conf: Conf) -> tuple[bool, str]:
    directory = conf.waiting.directory
    if directory is None:
        return True, "spool: none; a change that no server takes is lost"
    try:
        with Spool(directory) as spool:
            count = len(spool.waiting())
    except SpoolError as error:
        return False, f"spool: {error}"
    return True, f"spool: {directory}: {count} waiting"

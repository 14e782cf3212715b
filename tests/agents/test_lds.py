"""As a mainframe's LDS does it: one modify by a DN made of a template, without a search; and the suffix that
Top Secret addresses.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import pytest_twisted
from harbour import ADA_MVS, MVSPROD, NEW, PASSWORDS, administrator, holds, wire
from hypothesis import given
from hypothesis import strategies as st
from outpost import NOBODY, Outpost
from test_psync_command import psync, run

from provserver.agents.checking import understood
from provserver.agents.conf import ConfError
from provserver.agents.decisions import Ending
from provserver.agents.post import Template
from provserver.agents.reading import parse_conf
from provserver.directory.names import DN
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

TEMPLATE = "eTACFLidName=%L,eTACFLidContainerName=Accounts,eTACFDirectoryName=MVSPROD,eTNamespaceName=CA-ACF2"
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run-an-agent.md").read_text("utf-8")


def lds(name: str) -> str:
    return name.removesuffix("dc=eta") + "dc=lds"


def an_lds(server: RunningServer, folder: Path, **keys: str | None) -> Outpost:
    """The demo's mainframe; `keys` as in its conf file."""
    mainframe: dict[str, str | None] = {
        "admin": "lds-mvsprod",
        "password": PASSWORDS["lds-mvsprod"],
        "endpoint_name": None,
        "account_dn": TEMPLATE,
    }
    return Outpost.of(server, folder, **{**mainframe, **keys})


@pytest.fixture
def provserver(provserver: RunningServer) -> RunningServer:
    """Its users' first passwords are a day old."""
    provserver.clock.turn(86_400)
    return provserver


# -- the agent


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"account_dn": TEMPLATE.replace("%L", "{account}")},
        {"account_dn": f"{TEMPLATE},dc=im,dc=lds", "etrust_suffix": "dc=lds"},
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_change_arrives_without_a_search(
    provserver: RunningServer, tmp_path: Path, keys: dict[str, str]
) -> None:
    post = an_lds(provserver, tmp_path, **keys)
    decision = await post.change("OKAFOR1", NEW)
    assert decision.ending is Ending.ACCEPT, decision.text
    assert post.requests() == ["bind", "eTTestPassword", "bind", "eTSyncPassword"]
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_what_the_policy_refuses_is_refused(provserver: RunningServer, tmp_path: Path) -> None:
    decision = await an_lds(provserver, tmp_path).test("OKAFOR1", "short")
    assert decision.ending is Ending.REFUSE
    assert "at least" in decision.text


@pytest_twisted.ensureDeferred
async def test_an_unknown_account_is_told_with_the_servers_words(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = an_lds(provserver, tmp_path)
    decision = await post.change("NOBODY1", NEW)
    assert decision.ending is Ending.REFUSE
    assert "NOBODY1" in decision.text
    assert f": {int(ResultCode.NO_SUCH_OBJECT)} " in post.log()
    assert post.waiting() == []


@pytest_twisted.ensureDeferred
async def test_check_looks_whether_the_templates_endpoint_is_there(
    provserver: RunningServer, tmp_path: Path
) -> None:
    done = await psync(an_lds(provserver, tmp_path), "check")
    assert done.returncode == 0, done.stdout
    assert f"accounts: {TEMPLATE},dc=im,dc=eta, without a search" in done.stdout
    folder = tmp_path / "copied"
    folder.mkdir()
    elsewhere = an_lds(provserver, folder, account_dn=TEMPLATE.replace("MVSPROD", "MVSTEST"))
    done = await psync(elsewhere, "check")
    assert done.returncode == Ending.REFUSE
    assert "was the conf file copied from another domain? Nothing was sent" in done.stdout


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("eTACFLidName=x,dc=im", "expected a DN with {account} or %L in its first part, found "),
        ("eTACFLidName=x,eTACFLidContainerName=%L", "expected a DN with {account} or %L in its first part"),
        ("eTACFLidName=%L+eTDescription=y,dc=im", "expected a DN with {account} or %L in its first part"),
        ("%L", "expected a DN ("),
        (
            "eTGlobalUserName=%L,eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects",
            "expected an account's DN: a global user's password is reset, not synchronised",
        ),
    ],
)
def test_a_template_that_is_none_is_told(template: str, told: str) -> None:
    text = f"[Server]\nhost=h\nadmin=a\npassword=p\n[EtaDomain]\naccount_dn={template}\n"
    with pytest.raises(ConfError) as caught:
        parse_conf(text, Path("x.conf"))
    (problem,) = caught.value.problems
    assert problem.startswith(f"line 6: account_dn: {told}")


@given(st.text(st.sampled_from('aZ09 ,+"\\<>;=#%L{account}äß漢-'), min_size=1, max_size=20))
def test_no_sign_in_an_accounts_name_makes_it_another_name(logon: str) -> None:
    parent = DN.parse(MVSPROD)
    made = DN.parse(Template("eTACFLidName", "%L", parent).dn(logon))
    assert made.parent == parent
    assert made.rdns[0].pairs == (("eTACFLidName", logon),)
    assert DN.parse(Template("eTACFLidName", "x-{account}", parent).dn(logon)).parent == parent


@pytest_twisted.ensureDeferred
async def test_a_name_that_can_be_nobodys_is_told_and_nothing_sent(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = an_lds(provserver, tmp_path, profile_enable="no", out_of_sync="no")
    decision = await post.change("OKAFOR\ufffd", NEW)
    assert decision.ending is Ending.REFUSE
    assert "is no name of an account: expected text without" in decision.text
    assert post.requests() == ["bind"]


@pytest.mark.parametrize("account", ["aoka\udcfffor", " "])
def test_what_is_no_name_is_a_wrong_command_line(tmp_path: Path, account: str) -> None:
    post = Outpost(tmp_path, host=NOBODY, admin="a", password="b", account_dn=TEMPLATE)
    done = run("--conf", post.path, "change", account, stdin=NEW)
    assert (done.returncode, "ACCOUNT" in done.stderr) == (Ending.WRONG, True)


def test_the_conf_on_the_page_is_read() -> None:
    (text,) = [block for block in re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL) if "USERDNS" in block]
    conf = parse_conf(text, Path("x.conf"))
    assert conf.remarks == ()
    assert str(conf.post.template) == f"{TEMPLATE},dc=im,dc=eta"
    assert any("without a search" in line for line in understood(conf))


# -- the suffix at the server


@pytest_twisted.ensureDeferred
async def test_a_mainframes_own_modify_works_below_its_suffix(provserver: RunningServer) -> None:
    agent = await wire(provserver, "lds-mvsprod")
    told = await agent.sync(lds(ADA_MVS), NEW)
    assert told.code is ResultCode.SUCCESS
    assert await provserver.has_password("aokafor", NEW)
    told = await agent.sync(lds(ADA_MVS).replace("OKAFOR1", "NOBODY1"), NEW)
    assert told.code is ResultCode.NO_SUCH_OBJECT


@pytest_twisted.ensureDeferred
async def test_top_secret_changes_the_global_user_below_its_suffix(provserver: RunningServer) -> None:
    """`USERDNS` names the global user there (facts/imps.md 5.4), and the LDS is an administrator."""
    admin = await administrator(provserver)
    changed = replace("eTPassword", NEW), replace("eTSyncAccounts", "1")
    told = await admin.modify(lds(user_dn("aokafor")), *changed)
    assert told.code is ResultCode.SUCCESS
    await provserver.delivered()
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest_twisted.ensureDeferred
async def test_what_is_asked_below_the_suffix_is_answered_below_it(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    found = await admin.search(lds(MVSPROD))
    assert len(found.entries) > 1
    assert all(entry.dn.endswith(",dc=im,dc=lds") for entry in found.entries)

"""`samba-agent`: what Samba's two scripts are told, and what they answer.

tests/interop/test_samba_hook.py has a real domain controller.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_twisted
from harbour import NEW, OTHER, PASSWORDS, holds
from hypothesis import given
from hypothesis import strategies as st
from outpost import NOBODY, Outpost, beside

from provserver.agents import samba
from provserver.agents.book import Book
from provserver.agents.conf import Conf
from provserver.agents.decisions import Ending
from provserver.agents.keys import KEYS
from provserver.agents.options import parser
from provserver.agents.reading import parse_conf
from provserver.agents.sambachange import ATTRIBUTES, NotExpected, SambaChange, read_change
from provserver.agents.sambasetup import instructions, smb_conf, spool_unit, sync_unit
from provserver.agents.sambasync import ComesAgain, tell
from provserver.directory.ldif import write_entry
from provserver.testing.server import RunningServer
from provserver.vault.secret import Secret

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
SHIPPED = (
    "samba_pwdsync.conf",
    "smb.conf.provserver",
    "provserver-samba-sync.service",
    "provserver-samba-spool.service",
)
GUID = "ce9d1750-ed2e-4226-abb6-11a657d2be96"
ADA = "aokafor"
SECOND = 1_800_000_000
TICKS = 10_000_000
SINCE_1601 = 11_644_473_600
MOMENTS = st.integers(0, 4_000_000_000)

RECORDED = b"""\
dn: CN=ada,CN=Users,DC=hook,DC=test
objectGUID: ce9d1750-ed2e-4226-abb6-11a657d2be96
sAMAccountName: ada
pwdLastSet: 134397713974710350
userAccountControl: 512
replPropertyMetaData:: AQAAAAAAAAAXAAAAAAAAAAAAAAABAAAABaMSIQMAAAAxs48eWdKfT5V
 QbJnRLCz2YQ8AAAAAAABhDwAAAAAAAAMAAAABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8A
 AAAAAABhDwAAAAAAAAEAAgABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAA
 AAAAAIAAgABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAABkBAgABAA
 AABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAAEACQABAAAABaMSIQMAAAA
 xs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAAgACQAEAAAABaMSIQMAAAAxs48eWdKfT5VQ
 bJnRLCz2Yw8AAAAAAABjDwAAAAAAABAACQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AA
 AAAAABhDwAAAAAAABkACQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAA
 AAADcACQACAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2Yg8AAAAAAABiDwAAAAAAAEAACQABAAA
 ABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAFoACQACAAAABaMSIQMAAAAx
 s48eWdKfT5VQbJnRLCz2Yg8AAAAAAABiDwAAAAAAAF4ACQACAAAABaMSIQMAAAAxs48eWdKfT5VQb
 JnRLCz2Yg8AAAAAAABiDwAAAAAAAGAACQACAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2Yg8AAA
 AAAABiDwAAAAAAAGIACQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAA
 AAH0ACQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2Yg8AAAAAAABiDwAAAAAAAJIACQABAAAA
 BaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAJ8ACQABAAAABaMSIQMAAAAxs
 48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAKAACQACAAAABaMSIQMAAAAxs48eWdKfT5VQbJ
 nRLCz2Yg8AAAAAAABiDwAAAAAAAN0ACQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAA
 AAABhDwAAAAAAAC4BCQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAA
 AJACCQABAAAABaMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAA4DCQABAAAAB
 aMSIQMAAAAxs48eWdKfT5VQbJnRLCz2YQ8AAAAAAABhDwAAAAAAAA==
virtualClearTextUTF8:: UXVheS1MYW50ZXJuLTQx

"""
"""As Samba 4.17.12 wrote it, of a user that samba-tool had just added."""


def meta_data(version: int, second: int) -> bytes:
    """`unicodePwd` and an attribute on either side of it."""
    rows = [(0x00090001, 9, second + 5), (0x0009005A, version, second), (0x0009005E, 7, second + 9)]
    entries = (struct.pack("<IIQ16sQQ", one, two, at + SINCE_1601, b"", 1, 1) for one, two, at in rows)
    return struct.pack("<IIII", 1, 0, len(rows), 0) + b"".join(entries)


def ldif(
    account: str = ADA,
    password: bytes | None = NEW.encode(),
    *,
    version: int = 2,
    second: int = SECOND,
    last_set: int = 0,
    meta: bytes | None = None,
    more: tuple[tuple[str, list[bytes]], ...] = (),
) -> bytes:
    """An account as samba-tool writes it."""
    given: list[tuple[str, list[bytes]]] = [
        ("objectGUID", [GUID.encode()]),
        ("sAMAccountName", [account.encode()]),
        ("pwdLastSet", [str(last_set).encode()]),
        ("replPropertyMetaData", [meta or meta_data(version, second)]),
        *more,
    ]
    if password is not None:
        given.append(("virtualClearTextUTF8", [password]))
    return write_entry(f"CN={account},CN=Users,DC=hook,DC=test", given) + b"\n"


def a_change(
    password: str | None = NEW, *, account: str = ADA, version: int = 2, age: float = 1.0
) -> SambaChange:
    secret = None if password is None else Secret.of_text(password)
    return SambaChange(account, f"{GUID}:{version}", SECOND - age, secret, sealed=True)


# -- what samba-tool writes


def test_what_samba_wrote_is_read() -> None:
    found = read_change(RECORDED)
    assert found is not None
    assert (found.account, found.id) == ("ada", "ce9d1750-ed2e-4226-abb6-11a657d2be96:2")
    assert found.captured == pytest.approx(1_795_297_797.471035)
    assert found.secret is not None
    assert found.secret.reveal_text() == PASSWORDS[ADA]


@given(
    account=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
    password=st.binary(min_size=1, max_size=300),
    version=st.integers(1, 2**32 - 1),
    second=MOMENTS,
)
def test_an_account_is_read_as_it_was_written(
    account: str, password: bytes, version: int, second: int
) -> None:
    found = read_change(ldif(account, password, version=version, second=second))
    assert found is not None
    assert (found.account, found.id) == (account, f"{GUID}:{version}")
    assert found.secret is not None
    assert found.secret.reveal() == password


@given(second=MOMENTS, part=st.integers(0, TICKS - 1))
def test_a_password_was_set_when_samba_says_to_a_part_of_a_second(second: int, part: int) -> None:
    found = read_change(ldif(second=second, last_set=(second + SINCE_1601) * TICKS + part))
    assert found is not None
    assert found.captured == pytest.approx(second + part / TICKS, abs=1e-5)


@pytest.mark.parametrize("last_set", [0, (SECOND + SINCE_1601 + 3_600) * TICKS, 1])
def test_what_else_writes_the_time_of_a_password_does_not_make_it_younger(last_set: int) -> None:
    found = read_change(ldif(last_set=last_set))
    assert found is not None
    assert found.captured == SECOND + 1


def test_an_account_without_a_password_and_a_deleted_one_say_nothing() -> None:
    bare = struct.pack("<IIII", 1, 0, 0, 0)
    given = [("objectGUID", [b"x"]), ("sAMAccountName", [b"x"]), ("replPropertyMetaData", [bare])]
    assert read_change(write_entry("CN=x", given)) is None
    assert read_change(ldif(more=(("isDeleted", [b"TRUE"]),))) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "found nothing of it"),
        (b"dn: CN=x\nsAMAccountName: x\n", "initialise with --attributes=objectGUID,"),
        (b"dn: CN=x\nsAMAccountName:: !!!\n", "line 2: expected base64"),
        (ldif(meta=meta_data(2, SECOND)[:-100]), "replPropertyMetaData: expected whole entries"),
        (ldif().replace(GUID.encode(), b"\xff"), "objectGUID: expected UTF-8"),
    ],
)
def test_what_is_something_else_is_told_without_showing_it(text: bytes, said: str) -> None:
    with pytest.raises(NotExpected, match="expected") as caught:
        read_change(text)
    assert said in str(caught.value)
    assert NEW not in str(caught.value)


# -- what becomes of it


def post_of(server: RunningServer, folder: Path, **keys: str | None) -> Outpost:
    post = Outpost.of(server, folder, **keys)
    post.time = SECOND
    return post


async def told(post: Outpost, change: SambaChange) -> str:
    conf: Conf = post.conf
    return await beside(tell, conf, change, Book(conf.logging), post.wall)


@pytest.fixture
def provserver(provserver: RunningServer) -> RunningServer:
    """Its users' first passwords are a day old."""
    provserver.clock.turn(86_400)
    return provserver


@pytest_twisted.ensureDeferred
async def test_a_password_that_was_set_here_arrives_elsewhere(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = post_of(provserver, tmp_path)
    assert (await told(post, a_change())).endswith(":2: told")
    await provserver.delivered()
    assert holds(provserver, "hpdev01", ADA, NEW)
    assert post.waiting() == []
    assert post.holds_nowhere(NEW)


@pytest_twisted.ensureDeferred
async def test_the_same_password_again_changes_nothing(provserver: RunningServer, tmp_path: Path) -> None:
    """Samba brings the account again when it is renamed, disabled or unlocked."""
    post = post_of(provserver, tmp_path)
    await told(post, a_change(age=60))
    await provserver.delivered()
    received = provserver.endpoint("hpdev01").received
    assert (await told(post, a_change(age=60))).endswith(": told")
    await provserver.delivered()
    assert provserver.endpoint("hpdev01").received == received


@pytest_twisted.ensureDeferred
async def test_an_older_password_never_undoes_a_newer_one(provserver: RunningServer, tmp_path: Path) -> None:
    post = post_of(provserver, tmp_path)
    await told(post, a_change(NEW, version=3, age=10))
    await provserver.delivered()
    await told(post, a_change(OTHER, version=2, age=20))
    await provserver.delivered()
    assert holds(provserver, "hpdev01", ADA, NEW)
    assert await provserver.has_password(ADA, NEW)


@pytest_twisted.ensureDeferred
async def test_without_a_server_it_waits_under_the_name_that_the_account_has_now(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = post_of(provserver, tmp_path, host=NOBODY)
    assert "it waits in the spool" in await told(post, a_change(account="ada-as-she-was"))
    assert "it waits in the spool" in await told(post, a_change())
    assert [held.account for held in post.waiting()] == [ADA]
    post.set(host=Outpost.of(provserver, tmp_path).conf.servers[0].__str__())
    flushed = await post.flush()
    assert (flushed.delivered, flushed.waiting) == (1, 0)
    await provserver.delivered()
    assert holds(provserver, "hpdev01", ADA, NEW)


def an_outpost(folder: Path, **keys: str | None) -> Outpost:
    post = Outpost(folder, **{"host": NOBODY, "admin": "a", "password": "b", "endpoint_name": "e", **keys})
    post.time = SECOND
    return post


def tell_of(post: Outpost, change: SambaChange) -> str:
    conf = post.conf
    return tell(conf, change, Book(conf.logging), post.wall)


def test_machines_are_left_out_as_the_conf_file_says(tmp_path: Path) -> None:
    machine = a_change(account="PC-17$")
    assert "machine_account is no" in tell_of(an_outpost(tmp_path), machine)
    assert "it waits" in tell_of(an_outpost(tmp_path, machine_account="yes"), machine)


def test_a_password_without_clear_text_is_logged(tmp_path: Path) -> None:
    post = an_outpost(tmp_path)
    never_kept = SambaChange(ADA, f"{GUID}:2", SECOND - 1.0, None, sealed=False)
    assert "Samba has kept no clear text" in tell_of(post, never_kept)
    assert "WARNING" in post.log()


def test_a_password_that_cannot_be_decrypted_comes_again_until_it_is_too_old(tmp_path: Path) -> None:
    post = an_outpost(tmp_path)
    with pytest.raises(ComesAgain, match="is the secret key in GNUPGHOME"):
        tell_of(post, a_change(None))
    assert "made 8 days ago" in tell_of(post, a_change(None, age=8 * 86_400))


def test_what_was_set_long_ago_is_not_told(tmp_path: Path) -> None:
    post = an_outpost(tmp_path)
    assert "not told" in tell_of(post, a_change(age=8 * 86_400))
    assert post.waiting() == []


def test_what_can_neither_be_told_nor_kept_comes_again(tmp_path: Path) -> None:
    with pytest.raises(ComesAgain, match="Connection refused"):
        tell_of(an_outpost(tmp_path, spool_enable="no"), a_change())
    (tmp_path / "spool").mkdir(mode=0o755)
    with pytest.raises(ComesAgain, match="others may use it"):
        tell_of(an_outpost(tmp_path, spool_enable="yes"), a_change())


@pytest_twisted.ensureDeferred
async def test_without_a_spool_a_refusal_is_final(provserver: RunningServer, tmp_path: Path) -> None:
    post = post_of(provserver, tmp_path, spool_enable="no")
    assert "at least" in await told(post, a_change("Short-1"))
    assert "ERROR" in post.log()
    assert "updated successfully" in await told(post, a_change(NEW, version=3))


# -- the commands


def agent(
    post: Outpost, *words: str, stdin: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "provserver.agents.samba", *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "SAMBA_AGENT_CONF": str(post.path), **variables},
    )


@pytest_twisted.ensureDeferred
async def test_the_check_password_script_judges_whom_samba_names(
    provserver: RunningServer, tmp_path: Path
) -> None:
    post = Outpost.of(provserver, tmp_path)

    async def ending(account: str, password: str) -> int:
        done = await beside(agent, post, "test", stdin=password.encode(), SAMBA_CPS_ACCOUNT_NAME=account)
        return done.returncode

    assert await ending(ADA, NEW) == Ending.ACCEPT
    assert await ending(ADA, "Short-1") == Ending.REFUSE
    assert await ending("new-here", NEW) == Ending.ACCEPT, "or nobody could be added"
    post.set(out_of_sync="no")
    assert await ending("new-here", NEW) == Ending.REFUSE


def test_samba_tool_is_told_to_go_on_or_to_come_again(tmp_path: Path) -> None:
    post = an_outpost(tmp_path)
    now = ldif(second=int(time.time()) - 1)
    done = agent(post, "sync", stdin=now)
    assert (done.returncode, done.stdout.startswith(samba.DONE.encode())) == (0, True)
    assert NEW.encode() not in done.stdout + done.stderr
    done = agent(post, "sync", stdin=b"dn: CN=x\n")
    assert (done.returncode, done.stdout.startswith(b"samba-agent: expected ")) == (1, True)
    post.set(host=None)
    done = agent(post, "sync", stdin=now)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("words", [["change", "a"], ["sample"], ["sync", "a"]])
def test_what_samba_has_no_use_for_is_no_command(tmp_path: Path, words: list[str]) -> None:
    done = agent(an_outpost(tmp_path), *words)
    assert (done.returncode, done.stderr.startswith(b"usage: samba-agent")) == (2, True)


def test_a_test_takes_no_longer_than_samba_waits() -> None:
    text = "host=a\nadmin=b\npassword=c\nendpoint_name=d\n"
    conf = parse_conf(text, Path("x"), samba.FLAVOUR.form)
    assert samba.in_time(conf) == conf
    assert (conf.out_of_sync, conf.profile) == (True, True)
    long = parse_conf(text + "search_acct_dn_timeout=30\npwd_quality_check_timeout=10\n", Path("x"))
    cut = samba.in_time(long)
    assert (cut.times.search, cut.times.check) == (6, 2)
    assert "40 s: Samba waits for ten" in cut.remarks[-1]


def test_the_examples_are_what_setup_prints_for_a_usual_installation() -> None:
    bin, conf = Path("/opt/provserver/bin"), Path(samba.CONF)
    assert (EXAMPLES / "smb.conf.provserver").read_text() == smb_conf(conf, bin)
    assert (EXAMPLES / "provserver-samba-sync.service").read_text() == sync_unit(conf, bin)
    assert (EXAMPLES / "provserver-samba-spool.service").read_text() == spool_unit(conf, bin)


def test_setup_prints_everything_for_this_conf_file(tmp_path: Path) -> None:
    post = an_outpost(tmp_path)
    shown = agent(post, "setup").stdout.decode()
    assert shown == instructions(post.path)
    assert f"Environment=SAMBA_AGENT_CONF={post.path}\n" in shown
    assert f"--conf {post.path} test\n" in shown
    assert ",".join(ATTRIBUTES) in shown


def test_the_page_shows_what_there_is() -> None:
    page = (EXAMPLES.parent / "hook-a-samba-dc.md").read_text("utf-8")
    lines = re.findall(r"^ *samba-agent (.*)$", page, re.MULTILINE)
    assert lines == ["check", "setup"]
    for line in lines:
        parser(samba.FLAVOUR, {}).parse_args([line])
    assert {f"examples/{name}" for name in SHIPPED} <= set(re.findall(r"\((examples/[^)]*)\)", page))
    assert {key.name for key in KEYS} >= set(
        re.findall(r"`(out_of_sync|machine_account|spool_[a-z_]+)", page)
    )


def test_the_example_of_a_conf_file_is_one() -> None:
    conf = parse_conf((EXAMPLES / "samba_pwdsync.conf").read_text(), Path(samba.CONF), samba.FLAVOUR.form)
    assert conf.remarks == ()
    assert samba.in_time(conf) == conf


def test_a_test_starts_without_what_takes_long_to_import() -> None:
    code = "import sys, provserver.agents.samba, provserver.agents.asking; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert {"twisted", "ldaptor", "sqlite3", "cryptography", "asyncio"} & set(loaded.split()) == set()

"""The accounts of an endpoint become the accounts here, and only what is different is written."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from voyage import ACCOUNTS, AD, UNIX, Voyage, account, unix

from provserver.connectors.contract import AccessDenied, Account, DroppedConnection
from provserver.ldap.results import Refusal, ResultCode
from provserver.storage.contract import Commit, Committed

ADA = "CN=Okafor\\, Ada,OU=Quayside,OU=Staff,DC=corp,DC=example"


def at_corp(name: str) -> str:
    return f"{name},{AD}"


ADA_THERE = at_corp("eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff")


def test_new_accounts_come_with_their_container_and_attributes() -> None:
    voyage = Voyage()
    done = voyage.explore(account("ada", cn="Ada Okafor", mail="ada@example.org"), account("boris"))
    assert voyage.counts(done) == {"accounts": 2, "added": 2, "containers": 1}
    ada = voyage.entry(unix("ada"))
    assert ada is not None
    assert ada.text("etfullname") == "Ada Okafor"
    assert ada.text("etemailaddress") == "ada@example.org"
    assert list(voyage.below(ACCOUNTS)) == [unix("ada"), unix("boris")]
    assert voyage.port.closed == 1


def test_an_exploration_that_finds_nothing_different_writes_nothing() -> None:
    voyage = Voyage()
    accounts = [account(f"user{n}", cn=f"User {n}", title=["b", "a"]) for n in range(250)]
    voyage.explore(*accounts)
    entries, before = voyage.below(UNIX), voyage.last_change()
    done = voyage.explore(*reversed(accounts))
    assert voyage.counts(done) == {"accounts": 250, "unchanged": 250}
    assert voyage.last_change() == before
    assert voyage.below(UNIX) == entries


def test_what_changed_is_changed_and_what_is_gone_is_removed_with_its_inclusion() -> None:
    voyage = Voyage()
    voyage.user("ada")
    voyage.user("boris")
    voyage.explore(
        account("ada", cn="Ada", sn="Okafor"),
        account("boris"),
        account("oracle"),
        actions="explore correlate",
    )
    ada = voyage.entry(unix("ada"))
    done = voyage.explore(account("ada", cn="Ada O."), account("oracle"))
    assert voyage.counts(done) == {"accounts": 2, "changed": 1, "unchanged": 1, "removed": 1}
    now = voyage.entry(unix("ada"))
    assert ada is not None
    assert now is not None
    assert (now.id, now.text("etfullname"), now.values("etlastname")) == (ada.id, "Ada O.", ())
    assert voyage.owner(unix("ada")) == "ada"
    assert voyage.entry(unix("boris")) is None
    joined = [entry.text("etsuperiorclassentry") for entry in voyage.below(INCLUSIONS).values()]
    assert not [name for name in joined if "=boris," in name]


INCLUSIONS = "eTSubordinateClass=eTETCAccount,eTSuperiorClass=eTGlobalUser,eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects,dc=im"  # noqa: E501 -- a name


def test_an_exploration_that_breaks_off_removes_nothing_and_says_how_far_it_came() -> None:
    voyage = Voyage()
    accounts = [account(f"user{n}") for n in range(300)]
    voyage.explore(*accounts)
    voyage.port.failure = DroppedConnection("the line is lost")
    done = voyage.explore(account("new"), *accounts[:150])
    assert len(voyage.below(ACCOUNTS)) == 301
    assert done.refusal is not None
    assert done.refusal.code is ResultCode.UNAVAILABLE
    assert "DroppedConnection: the line is lost" in done.refusal.result.diagnostic
    assert "accounts: 151, added: 1, unchanged: 99" in done.refusal.result.diagnostic


def test_a_failure_that_stays_is_another_result() -> None:
    voyage = Voyage()
    voyage.port.failure = AccessDenied("may not read")
    done = voyage.explore()
    assert done.refusal is not None
    assert done.refusal.code is ResultCode.UNWILLING_TO_PERFORM


def test_an_endpoint_that_shows_no_account_at_all_loses_none() -> None:
    voyage = Voyage()
    voyage.explore(account("ada"))
    done = voyage.explore()
    assert voyage.entry(unix("ada")) is not None
    assert done.told()["problems"] == ["the endpoint showed no account at all: nothing was removed"]


def test_an_account_that_somebody_adds_meanwhile_stays() -> None:
    voyage = Voyage()
    voyage.explore(account("ada"))
    voyage.port.before = lambda: voyage.load(f"dn: {unix('late')}\nobjectClass: eTETCAccount\n")
    done = voyage.explore(account("ada"))
    assert "removed" not in voyage.counts(done)
    assert voyage.entry(unix("late")) is not None


def test_an_account_in_another_container_stays_there() -> None:
    top = f"eTETCAccountContainerName=People,{UNIX}"
    there = f"eTETCAccountName=ada,{top}"
    voyage = Voyage(
        f"dn: {top}\nobjectClass: eTETCAccountContainer\n\ndn: {there}\nobjectClass: eTETCAccount\n"
    )
    done = voyage.explore(account("ada", cn="Ada"))
    assert voyage.counts(done) == {"accounts": 1, "changed": 1}
    assert list(voyage.below(top)) == [there]


def test_two_accounts_of_one_name_are_told_of() -> None:
    done = (voyage := Voyage()).explore(account("ada", cn="One"), account("ADA", cn="Two"), account(" "))
    assert voyage.counts(done) == {"accounts": 3, "added": 1, "skipped": 2, "containers": 1}
    problems: Any = done.told()["problems"]
    assert "two accounts of this name" in problems[0]


def test_a_value_that_the_schema_refuses_is_left_out_and_told_of() -> None:
    voyage = Voyage()
    done = voyage.explore(account("ada", eTSuspended="perhaps", cn="Ada"))
    entry = voyage.entry(unix("ada"))
    assert entry is not None
    assert (entry.text("etfullname"), entry.values("etsuspended")) == ("Ada", ())
    assert voyage.counts(done) == {"accounts": 1, "added": 1, "containers": 1}
    problems: Any = done.told()["problems"]
    assert "eTSuspended" in problems[0]


def test_no_password_is_ever_taken() -> None:
    voyage = Voyage()
    voyage.explore(account("ada", eTSyncPassword="secret", userPassword="secret", eTPassword="secret"))
    entry = voyage.entry(unix("ada"))
    assert entry is not None
    assert not [a for a in entry.attributes.values() if b"secret" in a.values]


def test_an_endpoint_has_a_map_of_its_own() -> None:
    voyage = Voyage(f"dn: {UNIX}\nchangetype: modify\nadd: provExploreMap\nprovExploreMap: eTUserid=uid\n")
    voyage.explore(account("ada", uid="4711"))
    entry = voyage.entry(unix("ada"))
    assert entry is not None
    assert entry.text("etuserid") == "4711"


def test_a_directory_s_accounts_stand_in_its_containers() -> None:
    voyage = Voyage()
    boris = "CN=Boris Novak,CN=Users,DC=corp,DC=example"
    voyage.explore(
        account("aokafor", ADA, sAMAccountName="aokafor", userAccountControl="514", title="Captain"),
        account("bnovak", boris, sAMAccountName="bnovak", userAccountControl="512"),
        at=AD,
    )
    ada = voyage.entry(ADA_THERE)
    assert ada is not None
    assert ada.text("etadssamaccountname") == "aokafor"
    assert ada.text("etsuspended") == "1"
    assert ada.text("etadstitle") == "Captain"
    assert ada.text("etadsdistinguishedname") == ADA
    boris_here = voyage.entry(at_corp("eTADSAccountName=Boris Novak,eTADSContainerName=Users"))
    assert boris_here is not None
    assert boris_here.text("etsuspended") == "0"


def test_an_account_that_moved_stays_its_users() -> None:
    voyage = Voyage()
    voyage.user("aokafor")
    voyage.explore(account("aokafor", ADA, sAMAccountName="aokafor"), actions="explore correlate", at=AD)
    before = voyage.entry(ADA_THERE)
    moved = "CN=Ada Okafor,OU=Head Office,DC=corp,DC=example"
    done = voyage.explore(account("aokafor", moved, sAMAccountName="aokafor", cn="Ada"), at=AD)
    there = at_corp("eTADSAccountName=Ada Okafor,eTADSOrgUnitName=Head Office")
    after = voyage.entry(there)
    assert voyage.counts(done) == {"accounts": 1, "moved": 1, "containers": 1}
    assert before is not None
    assert after is not None
    assert after.id == before.id
    assert (after.text("etadsaccountname"), after.text("etfullname")) == ("Ada Okafor", "Ada")
    assert voyage.owner(there) == "aokafor"
    done = voyage.explore(account("aokafor", moved, sAMAccountName="aokafor", cn="Ada"), at=AD)
    assert voyage.counts(done) == {"accounts": 1, "unchanged": 1}


def test_a_file_that_stands_in_for_a_directory_moves_nobody() -> None:
    voyage = Voyage()
    voyage.explore(account("aokafor", ADA, sAMAccountName="aokafor"), at=AD)
    done = voyage.explore(account("aokafor", sAMAccountName="aokafor"), at=AD)
    assert voyage.counts(done) == {"accounts": 1, "changed": 1}  # it is called nothing at the endpoint now
    assert voyage.entry(ADA_THERE) is not None


def test_a_dry_run_tells_what_would_be_different_and_writes_nothing() -> None:
    voyage = Voyage()
    voyage.explore(account("ada"), account("gone"))
    before, entries = voyage.last_change(), voyage.below("dc=im")
    wanted = [account("ada", cn="Ada"), account("new"), account("same", cn="New")]
    done = voyage.explore(*wanted, actions="create-users", dry_run=True)
    assert (voyage.last_change(), voyage.below("dc=im")) == (before, entries)
    told: Any = done.told()
    assert f"{unix('ada')}: would be changed: etfullname" in told["differences"]
    assert f"{unix('new')}: would be added" in told["differences"]
    assert f"{unix('gone')}: would be removed" in told["differences"]
    really = voyage.counts(voyage.explore(*wanted, actions="create-users"))
    assert voyage.counts(done) == really


def test_an_endpoint_is_explored_once_at_a_time() -> None:
    voyage = Voyage()
    refused: list[Refusal] = []

    def again() -> None:
        try:
            voyage.explore()
        except Refusal as refusal:
            refused.append(refusal)

    voyage.port.before = again
    voyage.explore(account("ada"))
    assert [refusal.code for refusal in refused] == [ResultCode.BUSY]


def test_a_connector_that_cannot_be_made_says_why() -> None:
    voyage = Voyage()
    voyage.unmade = ValueError("url: must be given")
    done = voyage.explore(account("ada"))
    assert done.refusal is not None
    assert done.refusal.result.diagnostic.startswith("exploring 'host' broke off: url: must be given")
    assert voyage.explore(actions="correlate").refusal is None


def test_a_fault_of_a_connector_is_told_by_its_name_alone() -> None:
    voyage = Voyage()
    voyage.port.failure = RuntimeError("a secret")
    done = voyage.explore(account("ada"))
    assert done.refusal is not None
    assert done.refusal.code is ResultCode.OTHER
    assert "RuntimeError;" in done.refusal.result.diagnostic
    assert "secret" not in done.refusal.result.diagnostic
    assert voyage.port.closed == 1


def test_an_exploration_that_is_told_to_stop_removes_nothing() -> None:
    voyage = Voyage()
    accounts = [account(f"user{n}") for n in range(300)]
    voyage.explore(*accounts)
    voyage.port.before = lambda: Deferred.fromCoroutine(voyage.explorations.stop(0))
    done = voyage.explore(*accounts[:150])
    assert done.refusal is not None
    assert "it was told to stop" in done.refusal.result.diagnostic
    assert len(voyage.below(ACCOUNTS)) == 300


def test_changes_that_others_make_meanwhile_are_not_overwritten() -> None:
    voyage = Voyage()
    voyage.explore(account("ada", cn="Ada"), account("boris"))
    commit, left = voyage.store.commit, [3]

    async def late(change: Commit) -> Committed:
        if change.writes and left[0]:
            left[0] -= 1
            dn = unix("ada")
            voyage.store.commit = commit  # type: ignore[method-assign]  # for a moment
            voyage.load(f"dn: {dn}\nchangetype: modify\nreplace: eTUserid\neTUserid: n{left[0]}\n")
            voyage.store.commit = late  # type: ignore[method-assign]  # again
        return await commit(change)

    voyage.store.commit = late  # type: ignore[method-assign]  # somebody is always faster
    done = voyage.explore(account("ada", cn="Ada Okafor"), account("boris"))
    entry = voyage.entry(unix("ada"))
    assert entry is not None
    assert (entry.text("etfullname"), entry.text("etuserid")) == ("Ada Okafor", "n0")
    assert voyage.counts(done) == {"accounts": 2, "changed": 1, "unchanged": 1}


NAMES = st.text("abcABC ,=é", min_size=1, max_size=4)
VALUES = st.dictionaries(
    st.sampled_from(["cn", "mail", "sn", "description", "eTSuspended"]),
    st.lists(st.text("ab01 \x00é", max_size=3), max_size=2),
    max_size=3,
)
STATES = st.lists(st.tuples(NAMES, VALUES), max_size=8)


def endpoint_state(state: list[tuple[str, dict[str, list[str]]]]) -> list[Account]:
    return [account(name, **values) for name, values in state]


@settings(max_examples=60)
@given(STATES, STATES)
def test_whatever_an_endpoint_has_the_tree_has_and_a_second_time_nothing_is_written(
    first: Any, second: Any
) -> None:
    voyage = Voyage()
    voyage.explore(*endpoint_state(first), actions="create-users update-users")
    accounts = endpoint_state(second)
    done = voyage.explore(*accounts, actions="create-users update-users")
    assert done.refusal is None
    before, entries = voyage.last_change(), voyage.below("dc=im")
    again = voyage.explore(*accounts, actions="create-users update-users")
    assert again.refusal is None
    assert voyage.last_change() == before, again.told()
    assert voyage.below("dc=im") == entries
    fresh = Voyage()
    fresh.explore(*accounts)
    if accounts and any(one.name.strip() for one in accounts):
        assert contents(voyage) == contents(fresh)


def contents(voyage: Voyage) -> dict[str, dict[str, tuple[bytes, ...]]]:
    kept = ("etfullname", "etemailaddress", "etlastname", "etdescription")
    return {
        entry.dn.key: {key: entry.values(key) for key in kept} for entry in voyage.below(ACCOUNTS).values()
    }

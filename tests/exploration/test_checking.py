"""Inclusions that join nothing any more are found, and repaired."""

from __future__ import annotations

from typing import Any

from voyage import WHO, Voyage, account, end, unix

from provserver.directory.names import DN
from provserver.exploration.checking import check
from provserver.imps.users import global_user_dn
from provserver.storage.contract import Commit, Put, Remove


def checked(voyage: Voyage, *, repair: bool = False) -> Any:
    return end(check(voyage.ground, WHO, repair=repair))


def inclusions(voyage: Voyage) -> list[str]:
    return [dn for dn in voyage.below("dc=im") if dn.startswith("eTInclusionID=")]


def populated() -> Voyage:
    voyage = Voyage()
    for name in ("ada", "boris"):
        voyage.user(name)
    voyage.explore(account("ada"), account("boris"), account("root"), actions="explore correlate")
    return voyage


def vanish(voyage: Voyage, dn: str) -> None:
    """Without what a delete takes along, as in a repository that was written behind the server's back."""
    entry = voyage.entry(dn)
    assert entry is not None
    end(voyage.store.commit(Commit(at=0, by="tests", writes=(Remove(entry.id, entry.dn, entry.version),))))


def test_a_tree_that_is_right_is_left_alone() -> None:
    voyage = populated()
    before = voyage.last_change()
    told = checked(voyage, repair=True)
    assert (told["good"], told["inclusions"], told["accounts"], told["faults"]) == (True, 3, 3, 0)
    assert voyage.last_change() == before


def test_the_inclusion_of_a_user_who_was_made_anew_is_stale() -> None:
    voyage = populated()
    user = str(global_user_dn("ada", DN.parse("dc=im")))
    vanish(voyage, user)
    voyage.user("ada")
    told = checked(voyage)
    assert told["found"] == {"user_anew": 1}
    assert not told["good"]
    assert len(inclusions(voyage)) == 3
    repaired = checked(voyage, repair=True)
    assert (repaired["good"], repaired["repaired"]) == (True, 1)
    assert len(inclusions(voyage)) == 2
    voyage.explore(actions="correlate")
    assert voyage.owner(unix("ada")) == "ada"
    assert checked(voyage)["faults"] == 0


def test_inclusions_without_a_user_or_an_account_dangle() -> None:
    voyage = populated()
    vanish(voyage, str(global_user_dn("ada", DN.parse("dc=im"))))
    vanish(voyage, unix("boris"))
    told = checked(voyage, repair=True)
    assert told["found"] == {"no_user": 1, "no_account": 1}
    assert len(inclusions(voyage)) == 1
    assert checked(voyage)["uncorrelated"] == 1


def test_of_two_inclusions_of_an_account_the_one_that_counts_stays() -> None:
    voyage = populated()
    boris, held = voyage.entry(str(global_user_dn("boris", DN.parse("dc=im")))), voyage.entry(unix("ada"))
    assert boris is not None
    assert held is not None
    dn, attributes = voyage.foundation.inclusions.attributes(boris, held)
    lines = [f"{name}: {values[0].decode()}" for name, values in attributes]
    voyage.load("\n".join([f"dn: {dn}", *lines, ""]))
    owner = voyage.owner(unix("ada"))
    assert checked(voyage, repair=True)["found"] == {"second": 1}
    assert voyage.owner(unix("ada")) == owner == "ada"
    assert len(inclusions(voyage)) == 3


def test_a_name_that_is_out_of_date_is_put_right() -> None:
    voyage = populated()
    (name,) = [
        dn
        for dn in inclusions(voyage)
        if "boris" in str(voyage.below("dc=im")[dn].texts("etsuperiorclassentry"))
    ]
    entry = voyage.entry(name)
    assert entry is not None
    old = dict(entry.attributes)
    old["etsuperiorclassentry"] = old["etsuperiorclassentry"]._replace(values=(b"cn=old,dc=im",))
    put = Put(type(entry)(entry.id, entry.dn, old, entry.version), entry.version)
    end(voyage.store.commit(Commit(at=0, by="tests", writes=(put,))))
    assert checked(voyage)["found"] == {"renamed": 1}
    checked(voyage, repair=True)
    after = voyage.entry(name)
    assert after is not None
    assert after.text("etsuperiorclassentry") == str(global_user_dn("boris", DN.parse("dc=im")))


def test_a_repair_is_in_the_journal() -> None:
    voyage = populated()
    vanish(voyage, unix("boris"))
    checked(voyage, repair=True)
    journal = end(voyage.store.journal(0, 100))
    assert [line.text for _, line in journal][-1] == "1 inclusions were repaired"

"""ldapsearch: scopes, filters, and every control and extension that it has an option for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from openldap_tools import add_person, ldif_text, modify, names, read, search
from quay import EAST, ELSEWHERE, FLEET, INTEROP, SHIPS, SIGNS, WEST, Quay, ship_dn, ship_weight

pytestmark = pytest.mark.usefixtures("stock_clients")


def test_scopes_attribute_lists_and_types_only(quay: Quay) -> None:
    assert names(search(quay, INTEROP, "-s", "one", "1.1")) == [EAST, WEST, FLEET, SIGNS]
    assert names(search(quay, FLEET, "(sn=0007 t)", "1.1")) == [ship_dn(1)]
    assert search(quay, FLEET, "-s", "children").returncode == 2, "no scope of RFC 4511"
    assert set(read(quay, ship_dn(3), "+")) >= {"entryUUID", "createTimestamp", "modifyTimestamp", "entryDN"}
    assert read(quay, ship_dn(3), "@person") == {
        "objectClass": [b"inetOrgPerson", b"organizationalPerson", b"person", b"top"],
        "cn": [b"ship 0003"],
        "sn": [ship_weight(3).encode()],
    }
    assert read(quay, ship_dn(3), "1.1") == {}
    [(_, types)] = ldif_text(search(quay, ship_dn(3), "-A", "cn", "sn"))
    assert types == {"cn": [b""], "sn": [b""]}


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        ("(cn=SHIP  0005)", {5}),
        ("(&(cn=ship 00*)(cn=*7)(!(cn=*1*)))", {7, 27, 37, 47, 57, 67, 77, 87, 97}),
        ("(|(cn=ship 0001)(sn=0000 t))", {0, 1}),
        ("(&(cn=ship 0008)(createTimestamp>=20261101000000Z))", {8}),
        ("(&(cn=ship 0008)(createTimestamp<=20261101000000Z))", set()),
        ("(&(cn=ship 0008)(cn>=ship 0000))", set()),  # a type without an ordering rule
        ("(cn~=ship 0009)", {9}),
        ("(cn:caseExactMatch:=ship 0002)", {2}),
        ("(cn:caseExactMatch:=Ship 0002)", set()),
        ("(cn:dn:=ship 0004)", {4}),
        ("(&(ou:dn:=fleet)(cn=*0011))", {11}),
        (r"(cn=\73hip\200003)", {3}),
        ("(&(cn=ship 0006)(noSuchType=x))", set()),
        ("(&(cn=ship 0006)(!(title=x)))", {6}),
    ],
)
def test_filters_of_every_kind_find_what_they_say(quay: Quay, filter: str, numbers: set[int]) -> None:
    assert set(names(search(quay, FLEET, filter, "1.1"))) == {ship_dn(number) for number in numbers}


def test_many_filters_go_over_one_connection(quay: Quay, tmp_path: Path) -> None:
    file = tmp_path / "filters"
    file.write_text("".join(f"ship {number:04}\n" for number in range(100)))
    found = search(quay, FLEET, "-f", str(file), "(cn=%s)", "1.1")
    assert names(found) == [ship_dn(number) for number in range(100)]


def test_a_thousand_entries_come_at_once_and_a_limit_cuts_them_off(quay: Quay) -> None:
    everything = names(search(quay, FLEET, "(objectClass=person)"))
    assert everything == [ship_dn(number) for number in range(SHIPS)]
    limited = search(quay, FLEET, "-z", "10", "(objectClass=person)", "1.1")
    assert limited.returncode == 4
    assert limited.stdout.count("dn: ") == 10
    assert search(quay, FLEET, "-l", "60", "(objectClass=person)", "1.1").returncode == 0


def test_pages_add_up_to_the_whole(quay: Quay) -> None:
    paged = search(quay, FLEET, "-E", "!pr=500/noprompt", "(objectClass=person)", "1.1")
    assert names(paged) == [ship_dn(number) for number in range(SHIPS)]
    assert len(re.findall(r"^# pagedresults: cookie=.+$", paged.stdout, re.MULTILINE)) == 2


def by_weight(*, reverse: bool = False) -> list[str]:
    return [ship_dn(number) for number in sorted(range(SHIPS), key=ship_weight, reverse=reverse)]


def test_the_server_sorts_by_any_attribute_either_way_and_by_pages(quay: Quay) -> None:
    people = "(objectClass=person)"
    assert names(search(quay, FLEET, "-E", "!sss=sn", people, "1.1")) == by_weight()
    assert names(search(quay, FLEET, "-E", "!sss=-sn", people, "1.1")) == by_weight(reverse=True)
    rule = "!sss=objectClass/sn:caseIgnoreOrderingMatch"
    assert names(search(quay, FLEET, "-E", rule, people, "1.1")) == by_weight()
    both = search(quay, FLEET, "-E", "!sss=sn", "-E", "pr=500/noprompt", people, "1.1")
    assert names(both) == by_weight()


def test_an_order_that_cannot_be_is_refused_or_told_of_as_the_client_wants(quay: Quay) -> None:
    first = "(cn=ship 0001)"
    assert search(quay, FLEET, "-E", "!sss=noSuchType", first).returncode == 12
    unsorted = search(quay, FLEET, "-E", "sss=noSuchType", first, "1.1")
    assert names(unsorted) == [ship_dn(1)]
    assert "sortResult: (16) No such attribute" in unsorted.stdout


def test_a_window_on_the_sorted_list_is_scrolled_and_jumps_to_a_value(quay: Quay) -> None:
    listed = by_weight()

    def windows(place: str, then: str) -> list[str]:
        sorted_by = ("-LLL", "-o", "ldif-wrap=no", "-b", FLEET, "-E", "!sss=sn", "-E", f"!vlv={place}")
        words = (*sorted_by, "(objectClass=person)", "1.1")
        return quay.served.client("ldapsearch", *words, stdin=f"{then}enough\n").stdout.split("Press [")

    for shown, part, position in zip(
        windows("3/2/600/0", f"1/0/{SHIPS}/{SHIPS}\n") + windows("0/2:0700", ""),
        (slice(596, 602), slice(SHIPS - 2, SHIPS), None, slice(700, 703), None),
        (600, SHIPS, 0, 701, 0),
        strict=True,
    ):
        if part is not None:
            assert re.findall(r"^dn: (.*)$", shown, re.MULTILINE) == listed[part]
            assert f"# vlvResultpos={position} count={SHIPS} context= (0) Success" in shown


def test_matched_values_leaves_out_the_others(quay: Quay) -> None:
    dn = add_person(quay, "many titles")
    titles = "".join(f"title: {title}\n" for title in ("mate", "master", "cook"))
    assert modify(quay, f"dn: {dn}\nchangetype: modify\nadd: title\n{titles}").returncode == 0
    [(_, values)] = ldif_text(search(quay, dn, "-E", "!mv=((title=ma*))", "title"))
    assert sorted(values["title"]) == [b"master", b"mate"]


def test_refresh_only_synchronisation_tells_every_entry_and_gives_a_cookie(quay: Quay) -> None:
    found = search(quay, SIGNS, "-M", "-E", "!sync=ro", "(objectClass=*)", "1.1")
    assert {SIGNS, f"cn=flagship,{SIGNS}"} <= set(names(found))
    verbose = quay.served.client("ldapsearch", "-o", "ldif-wrap=no", "-b", SIGNS, "-E", "!sync=ro", "1.1")
    assert verbose.stdout.count("SyncState control, UUID ") == verbose.stdout.count("dn: ")
    assert re.search(r"SyncDone control.*cookie=\S|cookie: \S", verbose.stdout), verbose.stdout


def test_an_alias_is_followed_where_the_client_says_so(quay: Quay) -> None:
    alias = f"cn=flagship,{SIGNS}"
    base = ("-s", "base", "(objectClass=*)", "1.1")
    assert names(search(quay, alias, "-a", "never", *base)) == [alias]
    assert names(search(quay, alias, "-a", "find", *base)) == [ship_dn(0)]
    person = "(objectClass=person)"
    assert names(search(quay, SIGNS, "-a", "search", person, "1.1")) == [ship_dn(0)]
    assert names(search(quay, SIGNS, "-a", "always", person, "1.1")) == [ship_dn(0)]
    assert "dn: " not in search(quay, SIGNS, "-a", "find", person, "1.1").stdout


def test_a_referral_leads_elsewhere_unless_it_is_managed(quay: Quay) -> None:
    away = f"ou=abroad,{SIGNS}"
    passed_on = quay.served.client("ldapsearch", "-o", "ldif-wrap=no", "-b", SIGNS, "1.1")
    assert passed_on.returncode == 0
    assert f"ref: {ELSEWHERE}??sub" in passed_on.stdout
    sent_away = search(quay, f"cn=x,{away}")
    assert sent_away.returncode == 10
    assert f"Referral: {ELSEWHERE.replace('/ou=', '/cn=x,ou=')}" in sent_away.stderr
    assert quay.served.client("ldapdelete", away).returncode == 10
    assert names(search(quay, away, "-MM", "1.1")) == [away]
    [(_, values)] = ldif_text(search(quay, away, "-MM", "-s", "base", "(objectClass=*)", "ref"))
    assert values == {"ref": [ELSEWHERE.encode()]}
    managed = modify(
        quay, f"dn: {away}\nchangetype: modify\nadd: description\ndescription: x\n", "-e", "!manageDSAit"
    )
    assert managed.returncode == 0, managed.stderr


@pytest.mark.parametrize("control", ["accountUsability", "domainScope", "dontUseCopy", "deref=seeAlso:cn"])
def test_a_control_that_we_do_not_have_is_refused_only_if_it_is_critical(quay: Quay, control: str) -> None:
    assert search(quay, SIGNS, "-s", "base", "-E", f"!{control}").returncode == 12
    if control != "dontUseCopy":
        assert names(search(quay, SIGNS, "-s", "base", "-E", control, "1.1")) == [SIGNS]

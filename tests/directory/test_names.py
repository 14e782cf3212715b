"""Distinguished names: RFC 4514's examples, the old forms, errors with positions, keys and ranges."""

from __future__ import annotations

import sqlite3
import timeit

import pytest

from provserver.directory import nametext
from provserver.directory.names import DN, ROOT, InvalidName, subtree_range

ACCOUNT = (
    "eTADSAccountName={},eTADSContainerName=Users,eTADSDirectoryName=AD-Test,"
    "eTNamespaceName=ActiveDirectory,dc=im"
)


def leaf(text: str) -> str:
    return DN.parse(text).rdns[0].pairs[0][1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cn=Steve Kille", "Steve Kille"),
        (r"cn=James \"Jim\" Smith\, III", 'James "Jim" Smith, III'),
        (r"cn=Before\0dAfter", "Before\rAfter"),
        (r"cn=Lu\C4\8Di\C4\87", "Lučić"),
        (r"cn=J\c3\b6rg", "Jörg"),
        ("cn=Jörg", "Jörg"),
        (r"cn=User\, Another", "User, Another"),
        (r"cn=User\2C Another", "User, Another"),
        ("cn=[default user]", "[default user]"),
        (r"cn=\ leading and trailing\ ", " leading and trailing "),
        (r"cn=trailing\20", "trailing "),
        (r"cn=\#1", "#1"),
        ("cn=a#b", "a#b"),
        ("cn=a=b", "a=b"),
        ('cn="quoted, with \\"quotes\\" and = + ; "', 'quoted, with "quotes" and = + ; '),
        ('cn=""', ""),
        ("cn=", ""),
        ("cn=#04024869", "Hi"),
        ("cn=#0C03C3A441", "äA"),
        (r"cn=\F0\9F\94\91", "🔑"),
    ],
)
def test_a_value_is_read_as_rfc_4514_means_it(text: str, value: str) -> None:
    assert leaf(text) == value
    assert leaf(text + ",dc=im") == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=A,DC=IM", "cn=a,dc=im"),
        ("cn=a, dc = im", "cn=a,dc=im"),
        ("  cn  =  a  ,  dc=im  ", "cn=a,dc=im"),
        ("cn=a;dc=im", "cn=a,dc=im"),
        ("cn=a   b", "cn=a b"),
        (r"cn=a\20", "cn=a"),
        ("cn=a+sn=b,dc=im", "SN=B + CN=A,dc=im"),
        ("2.5.4.3=a", "cn=a"),
        ("OID.2.5.4.3=a", "cn=a"),
        ("oid.2.5.4.3=a+sn=b", "cn=a+sn=b"),
        ("commonName=a", "cn=a"),
        ("0.9.2342.19200300.100.1.25=im", "dc=im"),
        ("domainComponent=im", "dc=im"),
        (r"cn=\C3\84", "cn=ä"),
        ("cn=STRASSE", "cn=straße"),
        ("cn=\ufb01x", "cn=FIX"),
        ("cn=a\u00a0b", "cn=a b"),
        ("cn=A\u030a", "cn=å"),
        (r"cn=a\2Cb", 'cn="a,b"'),
        ("cn=#040161", "cn=A"),
    ],
)
def test_names_that_mean_the_same_are_equal_and_have_one_hash(one: str, other: str) -> None:
    assert DN.parse(one) == DN.parse(other)
    assert hash(DN.parse(one)) == hash(DN.parse(other))
    assert len({DN.parse(one), DN.parse(other)}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a", "sn=a"),
        ("cn=a,dc=im", "cn=a"),
        ("cn=ab", "cn=a b"),
        (r"cn=a\+sn=b", "cn=a+sn=b"),
        (r"cn=a\,dc=im", "cn=a,dc=im"),
        ("cn=#02010A", r"cn=\#02010A"),
        ("cn=a+sn=b", "cn=b+sn=a"),
    ],
)
def test_names_that_differ_are_not_equal(one: str, other: str) -> None:
    assert DN.parse(one) != DN.parse(other)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("cn", 2, "'='"),
        ("=a", 0, "an attribute type"),
        ("cn=a,", 5, "an attribute type"),
        ("cn=a,,dc=im", 5, "an attribute type"),
        (",cn=a", 0, "an attribute type"),
        ("cn=a\\", 5, "special character"),
        ("cn=a\\2", 5, "special character"),
        ("cn=a\\xy", 5, "special character"),
        (r"cn=\C3,dc=im", 3, "UTF-8"),
        ('cn="a', 5, "closing quote"),
        ('cn="a"b', 6, "','"),
        ("cn=#", 4, "hex digits"),
        ("cn=#123", 6, "','"),
        ("cn=a<b", 4, "backslash"),
        ("cn=a+cn=b", 9, "once"),
        ("1.=a", 1, "'='"),
        ("jack@example.com", 4, "'='"),
        ("cn=\ue000", 3, "private-use"),
        ("cn=\ud800", 3, "surrogates"),
        ("ou=x,cn=\ud800", 8, "surrogates"),
    ],
)
def test_a_text_that_is_no_name_says_where_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(InvalidName) as caught:
        DN.parse(text)
    assert caught.value.position == position
    assert expected in str(caught.value)
    assert str(position) in str(caught.value)


def test_names_have_bounds() -> None:
    with pytest.raises(InvalidName, match="characters"):
        DN.parse("cn=" + "a" * nametext.LENGTH_LIMIT)
    with pytest.raises(InvalidName, match="RDNs"):
        DN.parse(",".join(["dc=a"] * (nametext.DEPTH_LIMIT + 1)))
    with pytest.raises(InvalidName, match="RDNs"):
        DN.parse(r"cn=\2C," + ",".join(["dc=a"] * nametext.DEPTH_LIMIT))
    assert DN.parse(",".join(["dc=a"] * nametext.DEPTH_LIMIT)).depth == nametext.DEPTH_LIMIT


def test_only_ordinary_names_are_remembered_so_that_memory_has_a_bound() -> None:
    ordinary, deep, long = ACCOUNT.format("x"), ",".join(["dc=a"] * 40), f"cn={'a' * 600}"
    assert DN.parse(ordinary) is DN.parse(ordinary)
    assert DN.parse(deep) is not DN.parse(deep)
    assert DN.parse(long) is not DN.parse(long)
    assert DN.parse(deep) == DN.parse(deep)


def test_hostile_names_are_judged_in_linear_time() -> None:
    longest = nametext.LENGTH_LIMIT - 10
    for text in (
        "cn=" + "\\2C" * (longest // 3),
        'cn="' + '\\"' * (longest // 2),
        "cn=" + " " * longest + "\\",
    ):
        try:
            seconds = timeit.timeit(lambda text=text: DN.parse(text), number=1)  # type: ignore[misc]
        except InvalidName:
            continue
        assert seconds < 1


def test_a_name_keeps_its_spelling_with_no_more_escapes_than_needed() -> None:
    assert DN.parse("eTGlobalUserName=Denro01 , DC = im").text == "eTGlobalUserName=Denro01,DC=im"
    assert DN.parse('cn="a, b"').text == r"cn=a\, b"
    assert DN.parse(r"cn=\61\=").text == "cn=a="
    assert DN.parse(r"cn=\23\20\00").text == r"cn=\# \00"
    assert str(DN.parse("sn=b+cn=a,dc=im")) == "sn=b+cn=a,dc=im"


def test_an_imps_account_with_a_comma_in_its_name_is_one_rdn() -> None:
    dn = DN.parse(ACCOUNT.format("User\\, Another"))
    assert dn.depth == 5
    assert dn.rdns[0].pairs == (("eTADSAccountName", "User, Another"),)
    assert dn.text == ACCOUNT.format("User\\, Another")
    assert dn.parent == DN.parse(ACCOUNT.format("x")).parent


def test_the_root_is_the_empty_text_and_holds_everything() -> None:
    assert DN.parse("") == ROOT == DN.parse("  ")
    assert ROOT.parent is None
    assert ROOT.depth == 0
    assert ROOT.text == ""
    assert DN.parse("dc=im").is_within(ROOT)


def test_parents_children_and_ancestors() -> None:
    dn = DN.parse("cn=a,ou=b,dc=im")
    assert dn.parent == DN.parse("ou=b,dc=im")
    assert DN.parse("dc=im").parent is ROOT
    assert dn.parent is not None
    assert dn.parent.child("CN", "A") == dn
    assert DN.parse("dc=im").child("cn", "a, b+c").text == r"cn=a\, b\+c,dc=im"
    assert dn.ancestor(1) == DN.parse("dc=im")
    assert dn.ancestor(3) is dn
    assert dn.ancestor(0) == ROOT
    with pytest.raises(ValueError, match="depth 4"):
        dn.ancestor(4)
    with pytest.raises(InvalidName):
        dn.child("not a type", "x")


def test_a_sibling_whose_name_only_begins_the_same_is_not_within() -> None:
    top = DN.parse("ou=a,dc=im")
    assert DN.parse("cn=x,OU=A,dc=im").is_within(top)
    assert top.is_within(top)
    assert not DN.parse("cn=x,ou=ab,dc=im").is_within(top)
    assert not DN.parse("ou=a b,dc=im").is_within(top)
    assert not DN.parse("dc=im").is_within(top)
    assert not DN.parse(r"ou=a\1fcn=x,dc=im").is_within(top)


def test_a_name_moves_with_its_ancestor() -> None:
    dn = DN.parse("cn=X,ou=a,dc=im")
    assert dn.relocate(DN.parse("ou=A,dc=im"), DN.parse("ou=b,ou=c,dc=im")).text == "cn=X,ou=b,ou=c,dc=im"
    assert dn.relocate(dn, ROOT) == ROOT
    assert dn.relocate(ROOT, DN.parse("dc=eta")).text == "cn=X,ou=a,dc=im,dc=eta"
    with pytest.raises(ValueError, match="not within"):
        dn.relocate(DN.parse("ou=b,dc=im"), ROOT)


def test_a_subtree_is_one_range_in_sqlites_binary_order() -> None:
    texts = [
        "ou=a",
        "ou=a b",
        "ou=a!",
        "ou=a\\1f",
        "ou=ab",
        "ou=ä",
        "ou=a+cn=b",
        "cn=x,ou=a",
        "cn=y,cn=x,ou=a",
        "cn=z,ou=a b",
    ]
    names = [DN.parse(f"{text},dc=im") for text in texts]
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE t (key TEXT PRIMARY KEY)")
    database.executemany("INSERT OR IGNORE INTO t VALUES (?)", [(name.key,) for name in names])
    for top in [*names, DN.parse("dc=im"), ROOT]:
        found = database.execute(
            "SELECT key FROM t WHERE key >= ? AND key < ?", subtree_range(top)
        ).fetchall()
        assert {key for (key,) in found} == {name.key for name in names if name.is_within(top)}
    database.close()


def test_parents_sort_before_their_children() -> None:
    dn = DN.parse(ACCOUNT.format("x"))
    keys = []
    while dn is not None and dn.depth:
        keys.append(dn.key)
        dn = dn.parent  # type: ignore[assignment]
    assert sorted(keys) == list(reversed(keys))


def test_a_hexstring_that_is_no_string_stays_opaque_and_is_its_own_name() -> None:
    dn = DN.parse("cn=#02010A")
    assert dn.rdns[0].opaque
    assert dn.text == "cn=#02010a"
    assert DN.parse(dn.text) == dn
    assert not DN.parse("cn=#0C0161").rdns[0].opaque


def test_names_compare_with_names_only() -> None:
    assert DN.parse("cn=a") != "cn=a"
    assert DN.parse("cn=a").rdns[0] != "cn=a"
    assert DN.parse("cn=A").rdns[0] == DN.parse("cn=a,dc=im").rdns[0]
    assert repr(DN.parse("cn=a")) == "DN('cn=a')"


@pytest.mark.parametrize("depth", range(6))
def test_an_ancestors_key_is_known_without_making_the_ancestor(depth: int) -> None:
    dn = DN.parse(r"cn=a\, b+uid=x,ou=one two,dc=im")
    expected = dn.ancestor(depth).key if depth <= dn.depth else None
    assert dn.ancestor_key(depth) == expected

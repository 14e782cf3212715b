"""The RFC 4515 text form: what it means, and where it is wrong."""

from __future__ import annotations

import pytest

from provserver.ldap.filters import (
    And,
    Approximate,
    Equality,
    Extensible,
    FilterSyntaxError,
    GreaterOrEqual,
    LessOrEqual,
    Not,
    Or,
    Present,
    Substrings,
    escape_value,
    format_filter,
    parse_filter,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        # RFC 4515 4
        ("(cn=Babs Jensen)", Equality("cn", b"Babs Jensen")),
        ("(!(cn=Tim Howes))", Not(Equality("cn", b"Tim Howes"))),
        (
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
            And(
                (
                    Equality("objectClass", b"Person"),
                    Or((Equality("sn", b"Jensen"), Substrings("cn", b"Babs J", (), None))),
                )
            ),
        ),
        ("(o=univ*of*mich*)", Substrings("o", b"univ", (b"of", b"mich"), None)),
        ("(seeAlso=)", Equality("seeAlso", b"")),
        ("(cn:caseExactMatch:=Fred Flintstone)", Extensible("caseExactMatch", "cn", b"Fred Flintstone")),
        ("(cn:=Betty Rubble)", Extensible(None, "cn", b"Betty Rubble")),
        ("(sn:dn:2.4.6.8.10:=Barney Rubble)", Extensible("2.4.6.8.10", "sn", b"Barney Rubble", True)),
        ("(o:dn:=Ace Industry)", Extensible(None, "o", b"Ace Industry", True)),
        ("(:1.2.3:=Wilma Flintstone)", Extensible("1.2.3", None, b"Wilma Flintstone")),
        ("(:DN:2.4.6.8.10:=Dino)", Extensible("2.4.6.8.10", None, b"Dino", True)),
        (
            r"(o=Parens R Us \28for all your parenthetical needs\29)",
            Equality("o", b"Parens R Us (for all your parenthetical needs)"),
        ),
        (r"(cn=*\2A*)", Substrings("cn", None, (b"*",), None)),
        (r"(filename=C:\5cMyFile)", Equality("filename", b"C:\\MyFile")),
        (r"(bin=\00\00\00\04)", Equality("bin", b"\0\0\0\4")),
        (r"(sn=Lu\c4\8di\c4\87)", Equality("sn", "Lučić".encode())),
        (r"(1.3.6.1.4.1.1466.0=\04\02\48\69)", Equality("1.3.6.1.4.1.1466.0", b"\x04\x02Hi")),
        # RFC 4526
        ("(&)", And(())),
        ("(|)", Or(())),
        # and the rest
        ("(cn=Lučić)", Equality("cn", "Lučić".encode())),
        ("(cn;lang-de=x)", Equality("cn;lang-de", b"x")),
        ("(cn=*)", Present("cn")),
        ("(cn=**)", Present("cn")),
        ("(cn=*a*a*)", Substrings("cn", None, (b"a", b"a"), None)),
        ("(cn=a*b)", Substrings("cn", b"a", (), b"b")),
        ("(uid>=10)", GreaterOrEqual("uid", b"10")),
        ("(uid<=10)", LessOrEqual("uid", b"10")),
        ("(cn~=x)", Approximate("cn", b"x")),
        ("(cn=a=b>=c)", Equality("cn", b"a=b>=c")),
        (" (& (a=b) (! (c=d) ) ) ", And((Equality("a", b"b"), Not(Equality("c", b"d"))))),
    ],
)
def test_a_text_means_its_filter(text: str, meaning: object) -> None:
    assert parse_filter(text) == meaning
    assert parse_filter(format_filter(meaning)) == meaning


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "'('"),
        ("cn=x", 0, "'('"),
        ("(cn=x", 5, "')'"),
        ("(cn=x))", 6, "the end of the filter"),
        ("(cn)", 3, "=, ~=, >=, <= or :="),
        ("(=x)", 1, "an attribute description"),
        ("( cn=x)", 1, "an attribute description"),
        (r"(cn=\4)", 4, "two hexadecimal digits after the backslash"),
        (r"(cn=ab\zz)", 6, "two hexadecimal digits after the backslash"),
        ("(cn>=a*b)", 6, "')'"),
        ("(cn=a(b)", 5, "')'"),
        ("(cn=a\0)", 5, "')'"),
        ("(&(a=b)c)", 7, "')'"),
        ("(!)", 2, "'('"),
        ("(!(a=b)(c=d))", 7, "')'"),
        ("(:dn:=x)", 1, "an attribute or a matching rule"),
        ("(cn=x\ud800)", 5, "a character that UTF-8 has"),
        ("(!" * 200, 202, "not more than 100 levels"),
    ],
)
def test_an_error_says_where_and_what_was_expected(text: str, position: int, expected: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse_filter(text)
    assert (caught.value.position, caught.value.expected) == (position, expected)
    assert str(caught.value) == f"position {position}: expected {expected}"


def test_what_has_a_meaning_in_a_filter_is_escaped() -> None:
    assert escape_value(b"a(b)*\\\x00\xff\xc3\xa4\x7f\n") == r"a\28b\29\2a\5c\00\ffä\7f\0a"


def test_empty_substrings_restrict_nothing_and_are_left_out() -> None:
    assert format_filter(Substrings("cn", b"", (b"", b"x", b""), b"")) == "(cn=*x*)"

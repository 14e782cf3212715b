"""Layouts: which texts are of the shape that the settings say, and where a password stands in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.connectors.contract import ConnectorFailure, PasswordIllFormed, SettingsError
from provserver.connectors.files.avp import AvpConnector, AvpLayout
from provserver.connectors.files.delimited import DelimitedConnector, DelimitedLayout
from provserver.connectors.files.dsml import DsmlConnector, DsmlLayout
from provserver.connectors.files.fixedwidth import FixedWidthConnector, FixedWidthLayout
from provserver.connectors.files.layout import UNWRITABLE, Layout, ShapeChanged, lines, replaced
from provserver.connectors.files.ldif import LdifConnector, LdifLayout
from provserver.connectors.registry import Settings
from provserver.directory.ldif import read_ldif

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)
PASSWORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def delimited(**settings: str) -> DelimitedLayout:
    known = DelimitedConnector.setting_names
    return DelimitedLayout(Settings({"account": "login", "password": "pw", **settings}, known))


def shadow() -> DelimitedLayout:
    return delimited(delimiter=":", quote="none", header="no", columns="login,pw,a,b")


def fixed(**settings: str) -> FixedWidthLayout:
    given = {"width": "20", "columns": "login:1-8,pw:9-16", "account": "login", "password": "pw", **settings}
    return FixedWidthLayout(Settings(given, FixedWidthConnector.setting_names))


def avp(**settings: str) -> AvpLayout:
    return AvpLayout(Settings({"account": "login", "password": "pw", **settings}, AvpConnector.setting_names))


def ldif(**settings: str) -> LdifLayout:
    return LdifLayout(Settings(settings, LdifConnector.setting_names))


def dsml(**settings: str) -> DsmlLayout:
    return DsmlLayout(Settings(settings, DsmlConnector.setting_names))


def put(layout: Layout, text: str, password: str, name: str = "ada") -> str:
    return replaced(text, layout, name, lambda _: password)


# -- delimited text


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=5), PASSWORD)
def test_whatever_a_csv_writer_writes_one_cell_of_it_can_be_changed(
    cells: list[list[str]], password: str
) -> None:
    """The oracle is Python's csv."""
    others = [[f"x{cell}", *rest] for cell, *rest in cells]
    rows = [["login", "pw", "n,ame"], *others, ["ada", "old", 'a "b", c']]
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    try:
        made = put(delimited(), file.getvalue(), password)
    except PasswordIllFormed:
        assert UNWRITABLE.search(password)
        return
    rows[-1][1] = password
    assert list(csv.reader(io.StringIO(made, newline=""))) == rows


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("login,pw\nada,old\n", 'login,pw\nada,"a,""b"\n'),
        ('login,pw\nada,""\n', 'login,pw\nada,"a,""b"\n'),
        ("login,pw\r\nada,\r\n", 'login,pw\r\nada,"a,""b"\r\n'),
        ('"pw","login"\n"o\nld","ada"', '"pw","login"\n"a,""b","ada"'),
        ('login,pw,x\nada,old,5" disk\nb,c,"q"\n', 'login,pw,x\nada,"a,""b",5" disk\nb,c,"q"\n'),
        ("\nlogin,pw\n\nada,old\n\n", '\nlogin,pw\n\nada,"a,""b"\n\n'),
    ],
)
def test_one_cell_changes_and_nothing_else(before: str, after: str) -> None:
    assert put(delimited(), before, 'a,"b') == after


def test_quotes_that_were_there_stay() -> None:
    assert put(delimited(), 'login,pw\nada,"old"\n', "new") == 'login,pw\nada,"new"\n'


def test_a_file_like_shadow_has_neither_header_nor_quotes() -> None:
    before = 'root:*:1:2\nada:$6$x:19:"\n'
    assert put(shadow(), before, "$y$z") == 'root:*:1:2\nada:$y$z:19:"\n'
    with pytest.raises(PasswordIllFormed, match="no delimiter"):
        put(shadow(), before, "a:b")


def test_lines_that_begin_with_the_comment_are_passed_over() -> None:
    before = "# login,pw,x\nlogin,pw\n#ada,old\nada,old\n"
    assert put(delimited(comment="#"), before, "new") == before[:-4] + "new\n"


@pytest.mark.parametrize("word", ["tab", "\t"])
def test_a_tab_is_a_delimiter_by_its_name_too(word: str) -> None:
    assert put(delimited(delimiter=word), "login\tpw\nada\told\n", "new") == "login\tpw\nada\tnew\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected a header"),
        ("login,password\nada,x\n", "line 1: expected one column 'pw' in the header"),
        ("login,pw,pw\nada,x,y\n", "line 1: expected one column 'pw'"),
        ("login,pw\nada,old\nkit\n", "line 3: expected 2 fields, found 1"),
        ('login,pw\n"a\nb",old\nkit,a,b\n', "line 4: expected 2 fields, found 3"),
        ('login,pw\nada,"old\nkit,x\n', "line 2: a quote is opened and never closed"),
        ('login,pw\nada,"old"x\n', "line 2: expected a delimiter after the closing quote"),
        ("<html>\n", "line 1: expected one column 'login'"),
    ],
)
def test_delimited_text_of_another_shape_is_told_by_its_line(text: str, problem: str) -> None:
    with pytest.raises(ShapeChanged) as changed:
        put(delimited(), text, "new")
    assert str(changed.value).startswith(problem)


def test_a_header_must_be_what_the_columns_say() -> None:
    layout = delimited(columns="login,pw,name")
    assert put(layout, "login,pw,name\nada,old,Ada\n", "new") == "login,pw,name\nada,new,Ada\n"
    with pytest.raises(ShapeChanged, match="other columns"):
        put(layout, "login,name,pw\nada,Ada,old\n", "new")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"delimiter": ",,"}, "delimiter"),
        ({"delimiter": '"'}, "quote"),
        ({"quote": "both"}, "quote"),
        ({"header": "no"}, "columns"),
        ({"columns": "login,pw,pw"}, "columns"),
        ({"columns": "login,,pw"}, "columns"),
        ({"columns": "login,secret"}, "password"),
        ({"columns": "name,pw"}, "account"),
        ({"password": "login"}, "password"),
        ({"account": ""}, "account"),
    ],
)
def test_settings_of_delimited_text_that_make_no_sense_are_named(
    settings: Mapping[str, str], key: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        delimited(**settings)
    assert refused.value.key == key


# -- fixed width


def test_a_column_is_filled_with_spaces_and_the_line_keeps_its_width() -> None:
    before = "kit     tide    1234\nada     harbour 5678\n"
    assert put(fixed(), before, "gull") == "kit     tide    1234\nada     gull    5678\n"
    with pytest.raises(PasswordIllFormed, match="has 9 characters, and room for 8"):
        put(fixed(), before, "123456789")
    with pytest.raises(PasswordIllFormed, match="would not read back"):
        put(fixed(), before, "gull ")


@given(PASSWORD.filter(lambda text: not UNWRITABLE.search(text)))
def test_a_password_that_fits_is_read_back_and_any_other_is_refused(password: str) -> None:
    before = "kit     tide    1234\nada     harbour 5678\n"
    fits = len(password) <= 8 and not password.endswith(" ")
    try:
        made = put(fixed(), before, password)
    except PasswordIllFormed:
        assert not fits
    else:
        assert fits
        assert [len(line) for line in made.split("\n")] == [20, 20, 0]
        assert [row.stored for row in fixed().rows(made)] == ["tide", password]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ada     harbour 5678\nkit     tide\n", "line 2: expected 20 characters, found 12"),
        ("\nada,harbour\n", "line 2: expected 20 characters, found 11"),
    ],
)
def test_a_line_of_another_width_is_told(text: str, problem: str) -> None:
    with pytest.raises(ShapeChanged) as changed:
        put(fixed(), text, "new")
    assert str(changed.value) == problem


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"width": "0"}, "width"),
        ({"columns": "login:1-8"}, "password"),
        ({"columns": "pw:9-16"}, "account"),
        ({"columns": "login:1-8,pw:8-16"}, "columns"),
        ({"columns": "login:9-8,pw:9-16"}, "columns"),
        ({"columns": "login:0-8,pw:9-16"}, "columns"),
        ({"columns": "login:1-8,pw:9-21"}, "columns"),
        ({"columns": "login:1-8,login:9-16"}, "columns"),
        ({"columns": "login=1-8"}, "columns"),
        ({"password": "login"}, "password"),
    ],
)
def test_settings_of_fixed_width_that_make_no_sense_are_named(settings: Mapping[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        fixed(**settings)
    assert refused.value.key == key


# -- attribute-value pairs


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("login: ada\npw: old\n", "login: ada\npw: new\n"),
        ("PW:   old  \nLogin:ada\n", "PW:   new  \nLogin:ada\n"),
        ("login: ada\npw:\nx: y", "login: ada\npw:new\nx: y"),
        ("login: ada\nx: y\n\nlogin: kit\n", "login: ada\nx: y\npw: new\n\nlogin: kit\n"),
        ("login: ada\r\n\r\n\r\n", "login: ada\r\npw: new\r\n\r\n\r\n"),
        ("login: ada", "login: ada\npw: new"),
        (
            "# login: b\n\n#\nlogin: ada\n# pw: x\npw: a:b\n",
            "# login: b\n\n#\nlogin: ada\n# pw: x\npw: new\n",
        ),
    ],
)
def test_one_value_changes_or_gets_a_line_of_its_own(before: str, after: str) -> None:
    assert put(avp(), before, "new") == after


def test_the_separator_can_be_another() -> None:
    assert put(avp(separator="="), "login=ada\npw=old\n", "a=b:c") == "login=ada\npw=a=b:c\n"


@pytest.mark.parametrize("password", [" ", " a", "a ", "\ta", "\u3000a"])
def test_spaces_at_the_ends_do_not_count_in_pairs_and_are_refused(password: str) -> None:
    with pytest.raises(PasswordIllFormed):
        put(avp(), "login: ada\npw: old\n", password)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("login: ada\nno pair\n", "line 2: expected attribute:value"),
        ("login: ada\n: x\n", "line 2: expected attribute:value"),
        ("login: ada\npw: 1\npw: 2\n", "line 3: a second password"),
        ("login: ada\nlogin: kit\n", "line 2: a second account"),
        ("login: ada\n\n\nname: kit\n", "line 4: a record without 'login'"),
    ],
)
def test_pairs_of_another_shape_are_told_by_their_line(text: str, problem: str) -> None:
    with pytest.raises(ShapeChanged) as changed:
        put(avp(), text, "new")
    assert str(changed.value).startswith(problem)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"separator": " "}, "separator"),
        ({"password": "LOGIN"}, "password"),
        ({"password": "p:w"}, "password"),
    ],
)
def test_settings_of_pairs_that_make_no_sense_are_named(settings: Mapping[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        avp(**settings)
    assert refused.value.key == key


# -- LDIF

ADA = "dn: uid=ada,dc=x\nobjectClass: person\nuid: ada\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{ADA}userPassword: old\ncn: Ada\n", f"{ADA}userPassword: new\ncn: Ada\n"),
        (f"{ADA}USERPASSWORD:: b2x\n k\ncn: Ada\n", f"{ADA}USERPASSWORD: new\ncn: Ada\n"),
        (f"{ADA}userPassword: a\ncn: Ada\nuserPassword:: Yg==\n", f"{ADA}userPassword: new\ncn: Ada\n"),
        (f"{ADA}cn: Ada\n\n# end\n", f"{ADA}cn: Ada\nuserPassword: new\n\n# end\n"),
        (ADA.rstrip(), f"{ADA}userPassword: new"),
        (
            f"version: 1\n\n\n{ADA}# uid: b\nuserPassword:\n",
            f"version: 1\n\n\n{ADA}# uid: b\nuserPassword: new\n",
        ),
        (f"version: 1\n{ADA}", f"version: 1\n{ADA}userPassword: new\n"),
        ("dn: x\r\nuid: a\r\n da\r\n", "dn: x\r\nuid: a\r\n da\r\nuserPassword: new\r\n"),
        (
            "dn: ou=x\nou: x\n\ndn:: eA==\nuid:: YWRh\n",
            "dn: ou=x\nou: x\n\ndn:: eA==\nuid:: YWRh\nuserPassword: new\n",
        ),
    ],
)
def test_all_passwords_of_an_entry_become_one(before: str, after: str) -> None:
    assert put(ldif(), before, "new") == after


@given(PASSWORD)
def test_whatever_the_password_an_ldif_reader_reads_it(password: str) -> None:
    """The oracle is the reader of `provserver load`."""
    try:
        made = put(ldif(), f"{ADA}userPassword: old\n", password)
    except PasswordIllFormed:
        assert UNWRITABLE.search(password)
        return
    [record] = read_ldif(made.encode().splitlines(keepends=True))
    assert dict(record.attributes)["userPassword"] == [password.encode()]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("uid: ada\n", "line 1: expected a record to begin with dn:"),
        (f"{ADA}\nuid: kit\n", "line 5: expected a record to begin with dn:"),
        ("version: 2\n\n" + ADA, "line 1: expected version: 1"),
        ("dn: x\nchangetype: add\nuid: ada\n", "line 2: expected entries, found a change"),
        ("dn: x\nuid:< file:///etc/x\n", "line 2: expected a value, found the address"),
        (f"{ADA}userPassword:: %%%\n", "line 4: expected base64"),
        (f"{ADA}no field\n", "line 4: expected attribute: value"),
        (" dn: x\n", "line 1: a continuation of nothing"),
        (f"{ADA}\n x\n", "line 5: a continuation of nothing"),
    ],
)
def test_ldif_of_another_shape_is_told_by_its_line(text: str, problem: str) -> None:
    with pytest.raises(ShapeChanged) as changed:
        put(ldif(), text, "new")
    assert str(changed.value).startswith(problem)


@pytest.mark.parametrize(
    ("settings", "key"), [({"account": "a b"}, "account"), ({"password": "UID"}, "password")]
)
def test_settings_of_ldif_that_make_no_sense_are_named(settings: Mapping[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ldif(**settings)
    assert refused.value.key == key


# -- DSML

V2 = (
    '<batchResponse xmlns="urn:oasis:names:tc:DSML:2:0:core"><searchResponse>\n'
    "<searchResultEntry dn='uid=ada'>\n{}</searchResultEntry></searchResponse></batchResponse>"
)
UID = "<attr name='uid'><value>ada</value></attr>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            f"{UID}<attr name='userPassword'><value>old</value></attr>",
            f"{UID}<attr name='userPassword'><value>n&lt;w</value></attr>",
        ),
        (
            f"<attr name='USERPASSWORD'><value xsi:type='xsd:base64Binary' xmlns:xsi='x'>b2xk</value >"
            f"<value>two</value></attr>{UID}",
            f"<attr name='USERPASSWORD'><value>n&lt;w</value></attr>{UID}",
        ),
        (f"{UID}", f'{UID}<attr name="userPassword"><value>n&lt;w</value></attr>'),
        (
            f"{UID}<attr name='userPassword'><value a='>'/></attr>",
            f"{UID}<attr name='userPassword'><value>n&lt;w</value></attr>",
        ),
        (
            f"<!-- ü 漢 --><attr name='cn'><value>漢</value></attr>{UID}"
            "<attr name='userPassword'><value><![CDATA[<ü>]]></value></attr>",
            f"<!-- ü 漢 --><attr name='cn'><value>漢</value></attr>{UID}"
            "<attr name='userPassword'><value>n&lt;w</value></attr>",
        ),
    ],
)
def test_only_the_elements_of_the_password_change(before: str, after: str) -> None:
    assert put(dsml(), V2.format(before), "n<w") == V2.format(after)


def test_a_new_element_has_the_prefix_of_its_entry() -> None:
    entry = '<d:entry dn="x"><d:attr name="uid"><d:value>ada</d:value></d:attr>'
    made = put(dsml(), f"<d:x xmlns:d='d'>{entry}</d:entry></d:x>", "new")
    assert made == (
        f"<d:x xmlns:d='d'>{entry}"
        '<d:attr name="userPassword"><d:value>new</d:value></d:attr></d:entry></d:x>'
    )


@given(PASSWORD)
def test_whatever_the_password_an_xml_reader_reads_it(password: str) -> None:
    """The oracle is ElementTree."""
    before = V2.format(f"{UID}<attr name='userPassword'><value>old</value></attr>")
    try:
        made = put(dsml(), before, password)
    except PasswordIllFormed:
        assert UNWRITABLE.search(password) or "\ufffe" in password or "\uffff" in password
        return
    values = [value.text for value in ElementTree.fromstring(made).iter() if value.tag.endswith("}value")]
    assert values == ["ada", password]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: no XML"),
        ("<a>\n<b></a>", "line 2: no XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "line 1: expected no DOCTYPE"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><a/>", "line 1: it says that it is iso-8859-1"),
        ("<a>\n<entry dn='x'><entry dn='y'/></entry></a>", "line 2: an entry inside an entry"),
        ("<a><entry dn='x'/></a>", "line 1: an entry without attributes"),
        ("<a><entry dn='x'><attr/></entry></a>", "line 1: an attr without a name"),
        (
            "<a><entry dn='x'><attr name='uid'><value encoding='base64'>%</value></attr></entry></a>",
            "line 1: expected base64",
        ),
    ],
)
def test_xml_of_another_shape_is_told_by_its_line(text: str, problem: str) -> None:
    with pytest.raises(ShapeChanged) as changed:
        put(dsml(), text, "new")
    assert str(changed.value).startswith(problem)


# -- all of them


@given(
    st.sampled_from([delimited(), shadow(), fixed(), avp(), ldif(), dsml()]),
    TEXT | st.sampled_from([ADA, V2.format(UID), "login,pw\nada,old\n", "ada:b:c:d\n"]),
    TEXT,
)
def test_any_text_is_read_or_refused_and_nothing_else(layout: Layout, text: str, password: str) -> None:
    try:
        made = put(layout, text, password)
    except (ShapeChanged, ConnectorFailure):
        return
    rows = {row.names: row.stored for row in layout.rows(made)}
    assert rows[("ada",)] == password


@given(st.text(st.sampled_from("ab\r\n\x0b\u2028"), max_size=20))
def test_lines_end_at_a_line_feed_with_or_without_its_carriage_return(text: str) -> None:
    found = list(lines(text))
    assert [text[start:end] for _, start, end in found] == [
        line.removesuffix("\r") if number < text.count("\n") else line
        for number, line in enumerate(text.split("\n"))
        if line or number < text.count("\n")
    ]

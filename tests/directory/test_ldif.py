"""The LDIF reader's records, its errors with their lines, its bounds; the writer's lines."""

from __future__ import annotations

import base64
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from provserver.directory.ldif import LdifError, LdifRecord, read_ldif, write_entry, write_modify

INSIDE = "a blank line ends a record; are there blank lines inside one?"


def read(text: str | bytes) -> list[LdifRecord]:
    octets = text.encode() if isinstance(text, str) else text
    return list(read_ldif(io.BytesIO(octets)))


def one(text: str | bytes) -> LdifRecord:
    (record,) = read(text)
    return record


# ---------------------------------------------------------------- records


def test_an_entry_is_an_add_with_its_values_grouped_by_description_whatever_its_case() -> None:
    record = one("dn: cn=a\nobjectClass: top\ncn: a\nOBJECTCLASS: person\ncn;lang-en: b\n")
    assert (record.line, record.dn, record.kind) == (1, "cn=a", "add")
    assert record.attributes == (("objectClass", [b"top", b"person"]), ("cn", [b"a"]), ("cn;lang-en", [b"b"]))


def test_every_record_knows_the_line_of_its_dn() -> None:
    text = "version: 1\n\n# a\n#b\n\ndn: cn=a\ncn: a\n\n\n\n# c\n d\ndn: cn=b\ncn: b\n"
    assert [(r.dn, r.line) for r in read(text)] == [("cn=a", 6), ("cn=b", 13)]


def test_a_version_may_stand_right_above_the_first_dn() -> None:
    record = one("# it\nversion:   1 \n# is\ndn: cn=a\ncn: a")
    assert (record.dn, record.line) == ("cn=a", 4)


def test_a_version_after_the_dn_is_an_attribute() -> None:
    assert one("dn: cn=a\nversion: 7\n").attributes == (("version", [b"7"]),)


@pytest.mark.parametrize(
    "text", [b"", b"\n\n", b"# nothing\n", b"version: 1\n", b"\xef\xbb\xbf", b"version: 1"]
)
def test_a_file_without_records_has_none(text: bytes) -> None:
    assert read(text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", "\n\n\n"])
def test_both_line_ends_and_a_missing_last_one_are_read(end: str, last: str) -> None:
    text = (
        "version: 1\n\ndn: cn=a,\n  b\n# comment\n  of two lines\ncn: one\n  two\n\ndn:: Y249Yg==\ncn: b"
        + last
    )
    first, second = read(text.replace("\n", end))
    assert (first.dn, first.attributes) == ("cn=a, b", (("cn", [b"one two"]),))
    assert (second.dn, second.attributes) == ("cn=b", (("cn", [b"b"]),))


def test_lines_may_be_a_list() -> None:
    assert len(list(read_ldif(b"dn: cn=a\r\ncn: a\r\n\r\ndn: cn=b\r\ncn: b".splitlines(keepends=True)))) == 2


def test_folds_may_fall_anywhere_even_within_the_name_and_before_the_colon() -> None:
    record = one("d\n n: c\n n=a\nc\n n\n :\n  x\n \n y\nsn:\n : e\n Q=\n =\n")
    assert (record.dn, record.attributes) == ("cn=a", (("cn", [b"xy"]), ("sn", [b"y"])))


def test_a_fold_takes_away_one_space_only() -> None:
    assert one("dn: cn=a\ncn: a\n   b\n").attributes == (("cn", [b"a  b"]),)


def test_a_comment_between_folded_lines_takes_the_fold_that_follows_it() -> None:
    # RFC 2849, notes 2 and 3: comments are folded too.
    record = one("dn: cn=a\ncn: one\n  two\n# comment\n  still comment\n# more\nsn: three\n  four\n")
    assert record.attributes == (("cn", [b"one two"]), ("sn", [b"three four"]))


def test_a_number_sign_within_a_value_or_after_a_fold_is_no_comment() -> None:
    assert one("dn: cn=a\ncn: #a\n #b\n").attributes == (("cn", [b"#a#b"]),)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("cn:a", b"a"),
        ("cn:    a", b"a"),
        ("cn: a ", b"a "),
        ("cn:", b""),
        ("cn: ", b""),
        ("cn: a: b", b"a: b"),
        ("cn: :a", b":a"),
        ("cn::YQ==", b"a"),
        ("cn::   AP8=", b"\x00\xff"),
        ("cn::", b""),
        ("cn: ü", "ü".encode()),
    ],
)
def test_what_follows_the_colon_and_its_spaces_is_the_value(line: str, value: bytes) -> None:
    assert one(f"dn: cn=a\n{line}\n").attributes == (("cn", [value]),)


def test_names_may_be_in_base64_or_empty() -> None:
    assert one("dn:: Y249w7w=\ncn: a\n").dn == "cn=ü"
    assert one("DN:\nobjectClass: top\n").dn == ""


def test_a_byte_order_mark_is_skipped() -> None:
    assert one(b"\xef\xbb\xbfdn: cn=a\ncn: a\n").dn == "cn=a"


# ---------------------------------------------------------------- changes


def test_a_modify_has_its_changes_in_order() -> None:
    record = one(
        "dn: cn=a\nchangetype: modify\nadd: mail\nmail: 1\nMAIL:: Mg==\n-\ndelete: sn\n-\n"
        "replace: cn;lang-en\ncn;lang-en: x\n-\ndelete: a\na: b\n-\nincrement: uidNumber\nuidNumber: 5\n-\n"
    )
    assert record.kind == "modify"
    assert record.changes == (
        (0, "mail", [b"1", b"2"]),
        (1, "sn", []),
        (2, "cn;lang-en", [b"x"]),
        (1, "a", [b"b"]),
        (3, "uidNumber", [b"5"]),
    )


def test_the_last_dash_may_be_missing_and_words_may_have_any_case_and_spaces_behind() -> None:
    record = one("dn: cn=a\nChangeType: Modify \nReplace: eTPropagatePassword \neTPropagatePassword: 1\n")
    assert record.changes == ((2, "eTPropagatePassword", [b"1"]),)


def test_adds_and_changes_may_be_mixed() -> None:
    text = (
        "dn: cn=a\ncn: a\n\ndn: cn=b\nchangetype: delete\n\ndn: cn=c\nchangetype: add\ncn: c\n\n"
        "dn: cn=d\nchangetype: modify\ndelete: cn\n\ndn: cn=e\ncn: e\n"
    )
    assert [r.kind for r in read(text)] == ["add", "delete", "add", "modify", "add"]


@pytest.mark.parametrize("word", ["modrdn", "moddn", "MODRDN"])
def test_a_rename_has_its_new_name_and_where_it_goes(word: str) -> None:
    record = one(f"dn: cn=a\nchangetype: {word}\nnewrdn:: Y249w7w=\ndeleteoldrdn: 1\nnewsuperior: dc=x\n")
    assert (record.kind, record.new_rdn, record.delete_old_rdn, record.new_superior) == (
        "modrdn",
        "cn=ü",
        True,
        "dc=x",
    )


def test_a_rename_may_stay_where_it_is_and_keep_its_old_name() -> None:
    record = one("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 0\n")
    assert (record.new_rdn, record.delete_old_rdn, record.new_superior) == ("cn=b", False, None)


@pytest.mark.parametrize(
    "control", ["1.2.3", "1.2.3 false", "1.2.3 false: x", "1.2.3: x", "1.2.3 FALSE:: eA=="]
)
def test_controls_that_are_not_critical_are_left_out(control: str) -> None:
    assert one(f"dn: cn=a\ncontrol: {control}\ncontrol: 1.2\nchangetype: delete\n").kind == "delete"


# ---------------------------------------------------------------- errors


MODIFY = "dn: cn=a\nchangetype: modify\n"
RENAME = "dn: cn=a\nchangetype: modrdn\n"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        # what a blank line tears apart
        ("dn: cn=a\n\n\nchangetype: modify\n\n\nreplace: x\n", 1, f"found the end of the record — {INSIDE}"),
        ("changetype: modify\nreplace: x\n", 1, f"expected 'dn:', found 'changetype' — {INSIDE}"),
        (MODIFY + "replace: x\n\nx: 1\n", 5, f"expected 'dn:', found another line — {INSIDE}"),
        (MODIFY + "replace: x\nx: 1\n\n-\n", 6, f"expected 'dn:', found '-' — {INSIDE}"),
        (MODIFY + "\nreplace: x\n", 2, f"found the end of the record — {INSIDE}"),
        (MODIFY + "add: x\n\nx: 1\n", 3, f"at least one value of 'x', found 0 — {INSIDE}"),
        (
            "dn: cn=a\nchangetype: add\n\ncn: a\n",
            2,
            f"expected attributes, found the end of the record — {INSIDE}",
        ),
        (RENAME + "\nnewrdn: cn=b\n", 2, f"expected 'newrdn:', found the end of the record — {INSIDE}"),
        (
            RENAME + "newrdn: cn=b\n\n",
            3,
            f"'deleteoldrdn:' and 0 or 1, found the end of the record — {INSIDE}",
        ),
        ("dn: cn=a\ncn: a\n\n  b\n", 4, "no line before it to continue"),
        (" dn: cn=a\n", 1, "no line before it to continue"),
        ("# a\n\n b\n", 3, "no line before it to continue"),
        ("# a\ndn: cn=a\ncn: a\n\n b\n", 5, "no line before it to continue"),
        # what is no record
        ("dn: cn=a\ncn: a\n\nversion: 1\ndn: cn=b\n", 4, "'version:', which stands only at the top"),
        ("version: 2\n\ndn: cn=a\n", 1, "expected 'version: 1', found another version"),
        ("version:: MQ==\n", 1, "expected 'version: 1'"),
        (
            "dn: cn=a\ncn: a\ndn: cn=b\ncn: b\n",
            3,
            "expected a blank line before the next record, found 'dn:'",
        ),
        ("dn: cn=a\ncn: a\nchangetype: delete\n", 3, "found 'changetype:', which stands next to 'dn:'"),
        ("dn: cn=a\ncn: a\ncontrol: 1.2\n", 3, "found 'control:', which stands next to 'dn:'"),
        ("dn: cn=a\n# x\n y\ncn: a\n b\nhunter2\n", 6, "found a line without a colon"),
        ("dn: cn=a\ncn: a\n-\n", 3, "found '-', which belongs between a modify's changes"),
        ("dn: cn=a\nc n: a\n", 2, "expected an attribute's name"),
        ("dn: cn=a\nc_n: a\n", 2, "expected an attribute's name"),
        ("dn: cn=a\ncn;: a\n", 2, "expected an attribute's name"),
        ("dn: cn=a\n: a\n", 2, "expected an attribute's name"),
        ("dn: cn=a\n\tcn: a\n", 2, "expected an attribute's name"),
        ("dn: cn=a\n" + "a" * 1_025 + ": a\n", 2, "expected an attribute's name"),
        # values
        ("dn: cn=a\ncn:: YQ\n", 2, "expected base64"),
        ("dn: cn=a\ncn:: YQ==YQ==\n", 2, "expected base64"),
        ("dn: cn=a\ncn:: Y Q==\n", 2, "expected base64"),
        ("dn: cn=a\ncn:: YQ== \n", 2, "expected base64"),
        ("dn: cn=a\ncn:: Y-_=\n", 2, "expected base64"),
        ("dn: cn=a\ncn:: hunter2!\n", 2, "expected base64"),
        ("dn:: Y249Y\ncn: a\n", 1, "expected base64"),
        ("dn:: /w==\ncn: a\n", 1, "expected a name in UTF-8"),
        (b"dn: cn=\xff\ncn: a\n", 1, "expected a name in UTF-8"),
        ("dn: cn=a\ncn:< file:///hunter2\n", 2, "found a URL (':<')"),
        (b"dn: cn=a\ncn: hunter2\0\n", 2, "found a NUL octet; is this UTF-16?"),
        ("\ufeffdn: cn=a\ncn: a\n".encode("utf-16-le"), 1, "found a NUL octet"),
        (b"dn: cn=a\n# a\rb\ncn: hunter2\rb\n", 3, "found a CR inside a line"),
        (b"dn: cn=a\r\ncn: a\r\r\n", 2, "found a CR inside a line"),
        # changes
        (
            "dn: cn=a\nchangetype: hunter2\n",
            2,
            "one of add, delete, modify, modrdn, moddn, found another word",
        ),
        ("dn: cn=a\nchangetype:: YWRk\n", 2, "one of add, delete, modify, modrdn, moddn"),
        ("dn: cn=a\nchangetype: delete\ncn: a\n", 3, "expected a blank line after 'changetype: delete'"),
        ("dn: cn=a\ncontrol: 1.2.3 true\nchangetype: delete\n", 2, "found a critical one"),
        ("dn: cn=a\ncontrol: 1.2.3 TRUE: x\nchangetype: delete\n", 2, "found a critical one"),
        ("dn: cn=a\ncontrol: manage\nchangetype: delete\n", 2, "expected an OID"),
        ("dn: cn=a\ncontrol: 1.2 no\nchangetype: delete\n", 2, "expected an OID"),
        (MODIFY + "-\n", 3, "expected 'add:', 'delete:', 'replace:' or 'increment:'"),
        (MODIFY + "cn: hunter2\n", 3, "expected 'add:', 'delete:', 'replace:' or 'increment:'"),
        (MODIFY + "replace:: Y24=\n", 3, "expected 'add:', 'delete:', 'replace:' or 'increment:'"),
        (MODIFY + "replace: c n\n", 3, "found no such name"),
        (MODIFY + "replace: cn\nsn: hunter2\n", 4, "expected 'cn:' or '-'"),
        (MODIFY + "replace: cn;lang-en\ncn: hunter2\n", 4, "expected 'cn;lang-en:' or '-'"),
        (MODIFY + "replace: cn\ncn: a\n- \n", 5, "expected 'cn:' or '-'"),
        (MODIFY + "replace: cn\ncn: a\nreplace: sn\nsn: b\n", 5, "expected 'cn:' or '-'"),
        (MODIFY + "add: cn\n-\ndelete: sn\n-\n", 3, "expected at least one value of 'cn', found 0"),
        (MODIFY + "increment: n\nn: 1\nn: 2\n-\n", 5, "expected one value of 'n', found 2"),
        (MODIFY + "replace: cn\ncn:< file:///hunter2\n", 4, "found a URL"),
        (RENAME + "deleteoldrdn: 1\n", 3, "expected 'newrdn:', found something else"),
        (RENAME + "newrdn: cn=b\nnewsuperior: dc=x\n", 4, "expected 'deleteoldrdn:' and 0 or 1"),
        (RENAME + "newrdn: cn=b\ndeleteoldrdn: yes\n", 4, "expected 0 or 1"),
        (RENAME + "newrdn: cn=b\ndeleteoldrdn: 1\ncn: b\n", 5, "expected a blank line after the new name"),
    ],
)
def test_an_error_says_its_line_and_what_was_expected_and_never_a_value(
    text: str | bytes, line: int, part: str
) -> None:
    with pytest.raises(LdifError) as caught:
        read(text)
    assert caught.value.line == line
    assert part in caught.value.reason
    assert "expected" in caught.value.reason
    assert "hunter2" not in caught.value.reason
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


def test_lines_are_counted_the_same_with_cr_lf() -> None:
    with pytest.raises(LdifError) as caught:
        read("# a\r\n\r\ndn: cn=a\r\n# b\r\n c\r\ncn: a\r\n b\r\nsn:: !\r\n")
    assert caught.value.line == 8


@pytest.mark.parametrize(
    "lines", [[b"dn: cn=a\r", b"cn: a\r"], [b"dn: cn=a", b"cn: a"], [b"dn: cn=a\ncn: a\n"]]
)
def test_lines_without_their_line_ends_are_an_error_not_one_long_line(lines: list[bytes]) -> None:
    with pytest.raises(LdifError, match="line 1: expected a line that ends in LF or CR LF"):
        list(read_ldif(lines))


def test_files_are_refused_even_when_they_are_allowed() -> None:
    with pytest.raises(LdifError, match=r"line 2: .*expected the value itself"):
        list(read_ldif([b"dn: cn=a\n", b"cn:< file:///x\n"], allow_files=True))


def test_records_before_an_error_are_given_out() -> None:
    records = read_ldif([b"dn: cn=a\n", b"cn: a\n", b"\n", b"cn: b\n"])
    assert next(records).dn == "cn=a"
    with pytest.raises(LdifError, match="line 4"):
        next(records)


def test_the_knowledge_bases_example_is_read_when_its_blank_lines_are_gone() -> None:
    example = (
        "dn: eTGlobalUserName=my_user,eTGlobalUserContainerName=Global Users,"
        "eTNamespaceName=CommonObjects,dc=im,dc=eta\n\n\nchangetype: modify\n\n\n"
        "replace: eTPropagatePassword\n\n\neTPropagatePassword: 1\n"
    )
    with pytest.raises(LdifError, match=r"line 1: .*are there blank lines inside one"):
        read(example)
    assert one(example.replace("\n\n\n", "\n")).changes == ((2, "eTPropagatePassword", [b"1"]),)


def test_no_value_is_in_a_records_repr() -> None:
    shown = repr(read("dn: cn=a\nuserPassword: hunter2\n\n" + MODIFY + "replace: x\nx: hunter2\n"))
    assert "hunter2" not in shown
    assert "cn=a" in shown


# ---------------------------------------------------------------- bounds


def test_a_line_has_a_limit_whether_it_is_folded_or_not() -> None:
    plain = [b"dn: cn=a\n", b"cn: " + b"a" * 96 + b"\n"]
    assert len(list(read_ldif(plain, longest_line=100))) == 1
    with pytest.raises(LdifError, match=r"^line 2: expected at most 99 octets when unfolded"):
        list(read_ldif(plain, longest_line=99))
    folded = [b"dn: cn=a\n", b"cn: a\n", *[b" " + b"a" * 49 + b"\n"] * 2, b"sn: a\n"]
    with pytest.raises(LdifError, match=r"^line 2: expected at most 99 octets"):
        list(read_ldif(folded, longest_line=99))


def test_a_line_that_never_ends_is_refused_as_soon_as_it_is_too_long() -> None:
    file = io.BytesIO(b"dn: cn=a\ncn: a\n\n#" + b"x" * 10_000)
    with pytest.raises(LdifError, match=r"^line 4: expected a line of at most 100 octets"):
        list(read_ldif(iter(lambda: file.readline(103), b""), longest_line=100))


@pytest.mark.parametrize("line", [b"cn: a\n", b"# a\n", b" \n"])
def test_a_record_has_a_limit_that_counts_lines_and_comments(line: bytes) -> None:
    def endless() -> Iterator[bytes]:
        yield b"dn: cn=a\n"
        while True:
            yield line

    with pytest.raises(LdifError, match=r"expected a record of at most 10000 octets"):
        list(read_ldif(endless(), largest_record=10_000))


def test_comments_and_blank_lines_between_records_are_as_many_as_they_like() -> None:
    lines = [b"# a\n", b" b\n", b"\n"] * 1_000 + [b"dn: cn=a\n", b"cn: a\n"]
    (record,) = read_ldif(lines, largest_record=1_000)
    assert record.line == 3_001


def test_a_long_file_is_read_in_the_memory_of_one_record() -> None:
    def lines() -> Iterator[bytes]:
        for number in range(5_000):
            yield from (
                b"dn: cn=%d\n" % number,
                b"cn: %d\n" % number,
                b"description: " + b"x" * 1_000 + b"\n",
                b"\n",
            )

    assert next(read_ldif(lines())).dn == "cn=0"
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_ldif(lines()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 5_000
    assert peak < 100_000  # the file has 5 MB


def test_a_record_is_given_out_at_the_blank_line_that_ends_it() -> None:
    taken: list[bytes] = []

    def lines() -> Iterator[bytes]:
        for line in (b"dn: cn=a\n", b"cn: a\n", b"\n", b"dn: cn=b\n", b"cn: b\n"):
            taken.append(line)
            yield line

    next(read_ldif(lines()))
    assert len(taken) == 3


# ---------------------------------------------------------------- writing


def test_an_entry_is_written_without_a_blank_line() -> None:
    written = write_entry("cn=a", [("objectClass", [b"top", b"person"]), ("cn", (b"a",)), ("sn", [])])
    assert written == b"dn: cn=a\nobjectClass: top\nobjectClass: person\ncn: a\n"


@pytest.mark.parametrize(
    "value",
    [b" a", b"a ", b":a", b"<a", b"\xc3\xbc", b"a\nb", b"a\rb", b"a\0b", b" ", b"a\x1b[2Jb", b"a\x7f"],
)
def test_a_value_is_in_base64_where_it_must_be_or_a_terminal_would_obey_it(value: bytes) -> None:
    assert write_entry("cn=a", [("cn", [value])]) == b"dn: cn=a\ncn:: " + base64.b64encode(value) + b"\n"


@pytest.mark.parametrize("value", [b"a", b"a b", b"a:b", b"#a", b"-", b"=", b";a", b"a<", b"~"])
def test_any_other_value_is_written_as_it_is(value: bytes) -> None:
    assert write_entry("cn=a", [("cn", [value])]) == b"dn: cn=a\ncn: " + value + b"\n"


def test_an_empty_value_has_nothing_behind_its_colon() -> None:
    assert write_entry("", [("cn", [b""])]) == b"dn:\ncn:\n"


def test_a_name_beyond_ascii_is_in_base64() -> None:
    assert write_entry("cn=ü", []) == b"dn:: Y249w7w=\n"


@pytest.mark.parametrize(("length", "lines"), [(72, 1), (73, 2), (147, 2), (148, 3)])
def test_lines_are_folded_at_76_columns(length: int, lines: int) -> None:
    written = write_entry("cn=a", [("cn", [b"x" * length])]).splitlines()[1:]
    assert len(written) == lines
    assert max(map(len, written)) <= 76
    assert all(line.startswith(b" ") for line in written[1:])


@pytest.mark.parametrize("description", ["a: b\nsn", "", "c n", "ü", "dn", "changeType", "control"])
def test_a_description_that_ldif_cannot_carry_is_refused(description: str) -> None:
    with pytest.raises(ValueError, match=r"LDIF|description"):
        write_entry("cn=a", [(description, [b"x"])])
    with pytest.raises(ValueError, match=r"LDIF|description"):
        write_modify("cn=a", [(2, description, [b"x"])])


def test_changes_are_written_each_with_its_dash() -> None:
    written = write_modify("cn=a", [(0, "mail", [b"x", b" y"]), (1, "sn", [])])
    assert written == b"dn: cn=a\nchangetype: modify\nadd: mail\nmail: x\nmail:: IHk=\n-\ndelete: sn\n-\n"

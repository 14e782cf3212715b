"""What a password is made of: every refusal at once, in words for a person, never with the password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.passwords.lists import Lists
from provserver.passwords.profile import ProfileRules
from provserver.passwords.quality import refusals
from provserver.passwords.reasons import PolicyRule, in_history
from provserver.passwords.rules.folding import LOOKED_AT
from provserver.passwords.rules.listing import ListError
from provserver.vault.secret import Secret

STRICT = ProfileRules(
    enabled=True, min_length=10, max_length=20, min_upper=1, min_lower=2, min_digits=1, min_special=1
)


def texts(rules: ProfileRules, password: str) -> list[str]:
    return [refusal.text for refusal in refusals(rules, Secret.of_text(password))]


def test_a_good_password_passes() -> None:
    assert refusals(STRICT, Secret(b"Correct-Horse-9")) == ()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert texts(STRICT, "x") == [
        "at least 10 characters are needed, 1 was given",
        "at least 1 upper-case letter is needed, none were given",
        "at least 2 lower-case letters are needed, 1 was given",
        "at least 1 digit is needed, none were given",
        "at least 1 special character is needed, none were given",
    ]


def test_a_long_one_is_told_how_long_it_may_be() -> None:
    assert texts(STRICT, "Correct-Horse-9" * 2) == ["at most 20 characters are allowed, 30 were given"]
    assert texts(ProfileRules(enabled=True, max_length=1), "ab") == [
        "at most 1 character is allowed, 2 were given"
    ]


def test_a_disabled_profile_refuses_nothing() -> None:
    assert refusals(ProfileRules(enabled=False, min_length=10), Secret(b"")) == ()


def test_an_empty_password_is_too_short_when_there_is_a_length() -> None:
    assert texts(ProfileRules(enabled=True, min_length=7), "") == [
        "at least 7 characters are needed, none were given"
    ]


def test_lengths_count_characters_not_bytes() -> None:
    assert texts(ProfileRules(enabled=True, min_length=4), "äöü") == [
        "at least 4 characters are needed, 3 were given"
    ]
    assert texts(ProfileRules(enabled=True, min_length=4, max_length=4), "äöüß") == []


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("ÄÖ", {PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_DIGITS, PolicyRule.TOO_FEW_SPECIAL}),
        ("äß", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_DIGITS, PolicyRule.TOO_FEW_SPECIAL}),
        ("٣", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_SPECIAL}),
        ("€ ", {PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_DIGITS}),
        ("漢字", {
            PolicyRule.TOO_FEW_UPPER, PolicyRule.TOO_FEW_LOWER, PolicyRule.TOO_FEW_DIGITS,
            PolicyRule.TOO_FEW_SPECIAL,
        }),
    ],
)  # fmt: skip
def test_classes_are_those_of_unicode(password: str, missing: set[PolicyRule]) -> None:
    rules = ProfileRules(enabled=True, min_upper=1, min_lower=1, min_digits=1, min_special=1)
    assert {refusal.rule for refusal in refusals(rules, Secret.of_text(password))} == missing


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_the_short_way_for_ascii_agrees_with_the_long_way(password: str) -> None:
    """A letter without case, appended, changes no class: it only leads the same characters the other way."""
    rules = ProfileRules(enabled=True, min_upper=3, min_lower=3, min_digits=3, min_special=3)
    assert texts(rules, password) == texts(rules, password + "漢")


def test_a_password_that_is_not_utf_8_is_refused_as_such() -> None:
    (refusal,) = refusals(STRICT, Secret(b"\xff\xfe"))
    assert refusal.rule is PolicyRule.NOT_TEXT


@given(st.text(min_size=4, max_size=30))
def test_no_sentence_holds_the_password(password: str) -> None:
    rules = ProfileRules(enabled=True, min_length=100, min_upper=99, min_digits=99, min_special=99)
    sentences = " ".join(texts(rules, password))
    expected = " ".join(texts(rules, "?" * len(password)))
    assert password not in sentences or password in expected


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (PolicyRule.TOO_SHORT, 6),
        (PolicyRule.TOO_LONG, 9),
        (PolicyRule.TOO_FEW_DIGITS, 5),
        (PolicyRule.TOO_FEW_CLASSES, 5),
        (PolicyRule.NOT_TEXT, 5),
        (PolicyRule.REPEATED, 5),
        (PolicyRule.TOO_OFTEN, 5),
        (PolicyRule.SEQUENCE, 5),
        (PolicyRule.OWN_NAME, 5),
        (PolicyRule.DICTIONARY_WORD, 5),
        (PolicyRule.BREACHED, 5),
        (PolicyRule.IN_HISTORY, 8),
        (PolicyRule.TOO_YOUNG, 7),
    ],
)
def test_each_rule_has_its_error_in_the_policy_control(rule: PolicyRule, error: int) -> None:
    assert rule.behera_error == error


def test_a_used_password_is_refused_with_the_span_of_the_memory() -> None:
    assert in_history(5, 1).text == (
        "the password was used before (among the last 5 passwords or in the last 1 day)"
    )
    assert in_history(1, 0).text == "the password was used before (among the last 1 password)"
    assert in_history(5, 0).rule is PolicyRule.IN_HISTORY


# ---------------------------------------------------------------- what is in it


def broken(rules: ProfileRules, password: str, *about: Entry, lists: Lists | None = None) -> list[PolicyRule]:
    found = refusals(rules, Secret.of_text(password), about, lists or Lists())
    return [refusal.rule for refusal in found]


@pytest.mark.parametrize(
    ("password", "classes"),
    [("", 0), ("漢字", 0), ("abc", 1), ("abC", 2), ("aB3", 3), ("aB3 ", 4), ("ÄÖü٣", 3)],
)
def test_so_many_classes_are_needed_whichever_they_are(password: str, classes: int) -> None:
    for needed in range(1, 5):
        wanted = [] if classes >= needed else [PolicyRule.TOO_FEW_CLASSES]
        assert broken(ProfileRules(enabled=True, min_classes=needed), password) == wanted


def test_classes_are_counted_in_words() -> None:
    assert texts(ProfileRules(enabled=True, min_classes=3), "abc") == [
        "at least 3 kinds of characters are needed (upper-case letters, lower-case letters, digits, special "
        "characters), 1 was given"
    ]


@pytest.mark.parametrize(
    ("rules", "password", "text"),
    [
        (
            ProfileRules(enabled=True, max_repeated=2),
            "xaaax",
            "the same character may come at most twice in a row",
        ),
        (
            ProfileRules(enabled=True, max_occurrences=3),
            "xaxaxax",
            "the same character may come at most 3 times",
        ),
        (
            ProfileRules(enabled=True, max_sequence=3),
            "XX-aBcD",
            "at most 3 characters may follow each other as in the alphabet, as numbers, or as on a keyboard, "
            "forwards or backwards",
        ),
    ],
)
def test_repeats_and_sequences_are_refused_with_what_is_allowed(
    rules: ProfileRules, password: str, text: str
) -> None:
    assert texts(rules, password) == [text]
    assert texts(rules, password[:-2]) == []


ADA = Entry(EntryId("ada"), DN.parse("cn=ada"), {"etfullname": Attribute("eTFullName", (b"Ada Okafor",))})
NAMES = ProfileRules(enabled=True, name_length=3)


def test_the_names_of_whoever_it_is_for_are_refused() -> None:
    assert broken(NAMES, "My-OKAFOR-1", ADA) == [PolicyRule.OWN_NAME]
    assert broken(NAMES, "My-OKAFOR-1") == []
    assert broken(NAMES, "Kelp-Compass-88", ADA) == []


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Lists]:
    words, hashes = tmp_path / "words.txt", tmp_path / "hashes.txt"
    words.write_text("compass\n")
    digest = sha1(b"Kelp-Anchor-88").hexdigest().upper()
    hashes.write_text(f"{digest}:12\n")
    with closing(Lists(words, hashes)) as found:
        found.take(found.read())
        yield found


def test_words_of_the_dictionary_are_refused(lists: Lists) -> None:
    rules = ProfileRules(enabled=True, word_length=5)
    assert broken(rules, "Kelp-C0mp4ss-88", lists=lists) == [PolicyRule.DICTIONARY_WORD]
    assert broken(rules, "Kelp-Anchor-88", lists=lists) == []


def test_what_was_met_in_breaches_so_often_is_refused(lists: Lists) -> None:
    for count, wanted in ((1, [PolicyRule.BREACHED]), (12, [PolicyRule.BREACHED]), (13, [])):
        rules = ProfileRules(enabled=True, breach_count=count)
        assert broken(rules, "Kelp-Anchor-88", lists=lists) == wanted
        assert broken(rules, "Kelp-Compass-88", lists=lists) == []


ALL = ProfileRules(
    enabled=True,
    min_length=9,
    min_classes=3,
    max_repeated=2,
    max_occurrences=3,
    max_sequence=3,
    name_length=3,
    word_length=4,
    breach_count=1,
)


def test_all_rules_that_a_password_breaks_are_told_together_in_one_order(tmp_path: Path) -> None:
    words, hashes = tmp_path / "words.txt", tmp_path / "hashes.txt"
    words.write_text("ada1\n")
    hashes.write_text(sha1(b"ada11111").hexdigest().upper())
    with closing(Lists(words, hashes)) as lists:
        lists.take(lists.read())
        assert broken(ALL, "ada11111", ADA, lists=lists) == [
            PolicyRule.TOO_SHORT,
            PolicyRule.TOO_FEW_CLASSES,
            PolicyRule.REPEATED,
            PolicyRule.TOO_OFTEN,
            PolicyRule.OWN_NAME,
            PolicyRule.DICTIONARY_WORD,
            PolicyRule.BREACHED,
        ]
        assert broken(ALL, "Kelp-Compass-88", ADA, lists=lists) == []


def test_no_sentence_tells_which_word_or_name_it_was(lists: Lists) -> None:
    rules = ProfileRules(enabled=True, name_length=3, word_length=5, breach_count=1)
    found = refusals(rules, Secret(b"okafor-compass"), [ADA], lists)
    assert len(found) == 2
    assert not any(word in refusal.text for refusal in found for word in ("okafor", "compass"))


def test_only_the_beginning_of_an_endless_password_is_looked_into() -> None:
    rules = ProfileRules(enabled=True, max_repeated=2, max_sequence=3)
    start = "ax" * (LOOKED_AT // 2)
    assert broken(rules, start + "aaaa1234") == []
    assert broken(rules, "aaaa" + start) == [PolicyRule.REPEATED]


# ---------------------------------------------------------------- the lists


def test_a_list_that_was_not_read_cannot_be_asked(tmp_path: Path) -> None:
    named = Lists(tmp_path / "words.txt", tmp_path / "hashes.txt")
    assert named.has_dictionary
    assert named.has_breached
    with pytest.raises(ListError, match="the dictionary has not been read"):
        named.has_word_in("compass", 4)
    with pytest.raises(ListError, match="list of breached passwords has not been read"):
        named.times_breached(b"x")


def test_lists_are_taken_anew_and_the_version_tells(lists: Lists, tmp_path: Path) -> None:
    version = lists.version
    (tmp_path / "words.txt").write_text("anchor\n")
    assert not lists.has_word_in("anchor", 4)
    lists.take(lists.read())
    assert lists.version == version + 1
    assert lists.has_word_in("anchor", 4)
    assert not lists.has_word_in("compass", 4)


def test_a_list_that_is_broken_leaves_the_old_one_in_force(lists: Lists, tmp_path: Path) -> None:
    version = lists.version
    (tmp_path / "words.txt").write_text("")
    with pytest.raises(ListError):
        lists.read()
    assert lists.version == version
    assert lists.has_word_in("compass", 4)


def test_lists_that_are_read_after_the_end_are_closed(lists: Lists) -> None:
    late = lists.read()
    lists.close()
    lists.take(late)
    with pytest.raises(OSError, match="Bad file descriptor"):
        late.close()

"""Lists of breached passwords: every form of them, looked up as if all of it were in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.rules import breached
from provserver.passwords.rules.breached import Breached, HashFile
from provserver.passwords.rules.listing import ListError
from provserver.passwords.rules.md4 import md4

KNOWN = {f"Known-{number}": number % 9 + 1 for number in range(3_000)}
UNKNOWN = [f"Unknown-{number}" for number in range(300)]


def sha1_of(password: str) -> str:
    return sha1(password.encode()).hexdigest().upper()


def ntlm_of(password: str) -> str:
    return md4(password.encode("utf-16-le")).hex().upper()


def lines(counts: Mapping[str, int], digest: Callable[[str], str], end: str = "\n") -> str:
    return "".join(sorted(f"{digest(password)}:{count}{end}" for password, count in counts.items()))


def one_file(folder: Path, text: str) -> Path:
    path = folder / "breached.txt"
    path.write_text(text, "ascii", newline="")
    return path


def ranges(folder: Path, counts: Mapping[str, int], digest: Callable[[str], str], ending: str) -> Path:
    found: dict[str, list[str]] = {}
    for line in sorted(f"{digest(password)}:{count}" for password, count in counts.items()):
        found.setdefault(line[:5], []).append(line[5:])
    for prefix, rest in found.items():
        (folder / f"{prefix}{ending}").write_text("\r\n".join(rest), "ascii", newline="")
    return folder


FORMS: dict[str, Callable[[Path], Path]] = {
    "SHA-1": lambda folder: one_file(folder, lines(KNOWN, sha1_of)),
    "SHA-1, as downloaded": lambda folder: one_file(folder, lines(KNOWN, sha1_of, "\r\n").rstrip()),
    "SHA-1, lower case": lambda folder: one_file(folder, lines(KNOWN, sha1_of).lower()),
    "the first digits of SHA-1": lambda folder: one_file(
        folder, lines(KNOWN, lambda password: sha1_of(password)[:12])
    ),
    "NTLM": lambda folder: one_file(folder, lines(KNOWN, ntlm_of)),
    "ranges of SHA-1": lambda folder: ranges(folder, KNOWN, sha1_of, ".txt"),
    "ranges of SHA-1 without an ending": lambda folder: ranges(folder, KNOWN, sha1_of, ""),
    "ranges of NTLM": lambda folder: ranges(folder, KNOWN, ntlm_of, ".txt"),
}


@pytest.fixture(params=FORMS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Breached]:
    with closing(Breached.open(FORMS[request.param](tmp_path))) as found:
        yield found


def test_every_form_knows_what_is_in_it_and_how_often(opened: Breached) -> None:
    assert {password: opened.times(password.encode()) for password in KNOWN} == KNOWN


def test_no_form_knows_what_is_not_in_it(opened: Breached) -> None:
    assert not any(opened.times(password.encode()) for password in UNKNOWN)


def test_a_line_without_a_count_counts_for_one(tmp_path: Path) -> None:
    path = one_file(tmp_path, f"{sha1_of('Known-1')}\n")
    with closing(Breached.open(path)) as found:
        assert found.times(b"Known-1") == 1
        assert found.times(b"Known-2") == 0


def test_a_password_beyond_ascii_has_its_hash_too(tmp_path: Path) -> None:
    for digest in (sha1_of, ntlm_of):
        with closing(Breached.open(one_file(tmp_path, lines({"Größe-漢": 3}, digest)))) as found:
            assert found.times("Größe-漢".encode()) == 3


def test_it_is_found_with_few_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    pread = breached.os.pread

    def counted(descriptor: int, size: int, start: int) -> bytes:
        nonlocal reads
        reads += 1
        return pread(descriptor, size, start)

    with closing(Breached.open(one_file(tmp_path, lines(KNOWN, sha1_of)))) as found:
        monkeypatch.setattr(breached.os, "pread", counted)
        for password in UNKNOWN:
            found.times(password.encode())
    assert reads <= 2 * len(UNKNOWN)


HASHES = st.sets(
    st.one_of(
        st.text("0123456789ABCDEF", min_size=10, max_size=10),
        st.text("0F", min_size=10, max_size=10),
        st.integers(0, 400).map(lambda number: f"{number:010X}"),
    ),
    min_size=1,
    max_size=60,
)


@given(HASHES, HASHES, st.integers(24, 120), st.booleans())
def test_however_the_hashes_are_spread_it_answers_as_a_set_would(
    known: set[str], others: set[str], block: int, ends: bool
) -> None:
    """In blocks of two lines or a few, so that there is much to be looked for."""
    text = "\n".join(sorted(known)) + ("\n" if ends else "")
    with TemporaryDirectory() as folder, closing(HashFile(one_file(Path(folder), text), block)) as found:
        for digest in known | others:
            assert found.count(digest + "0" * 30) == (digest in known)


GOOD = lines({f"Known-{number}": 1 for number in range(300)}, sha1_of)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "breached.txt:1: expected lines of a hash"),
        ("password\n", "breached.txt:1: expected lines of a hash"),
        ("ABCDEF012:1\n", "breached.txt:1: expected hashes of 10 to 40 digits"),
        ("FF" + GOOD.splitlines()[0] + "\n", "expected hashes of 10 to 40 digits"),
        (GOOD + "more\n", "expected lines of a hash in hexadecimal, a colon and a count, of 40 digits"),
        (GOOD.replace("\n", "\r\n", 50)[:-20] + "\n", "of 40 digits"),
        ("".join(reversed(GOOD.splitlines(keepends=True))), "in the order of their hashes"),
        (GOOD + GOOD.lower(), "in the order of their hashes"),
    ],
    ids=["empty", "words", "short", "long", "junk", "cut", "another order", "two cases"],
)
def test_a_file_that_is_no_such_list_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ListError) as caught:
        Breached.open(one_file(tmp_path, text))
    assert problem in str(caught.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="none: cannot be read: No such file"):
        Breached.open(tmp_path / "none")


def test_a_folder_that_has_no_ranges_is_told_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("x")
    with pytest.raises(ListError, match=r"as 21BD1\.txt"):
        Breached.open(tmp_path)
    (tmp_path / "21BD1.txt").write_text("x")
    with pytest.raises(ListError, match=r"21BD1\.txt:1: .* of 35 or 27 digits"):
        Breached.open(tmp_path)


def test_a_file_that_is_cut_while_it_is_open_is_an_error_and_no_answer(tmp_path: Path) -> None:
    path = one_file(tmp_path, lines(KNOWN, sha1_of))
    with closing(Breached.open(path)) as found:
        path.write_text("")
        with pytest.raises(ListError, match="changed while it was in use"):
            found.times(b"Known-1")


def test_a_file_that_is_replaced_is_in_use_until_the_next_one_is_opened(tmp_path: Path) -> None:
    path = one_file(tmp_path, lines(KNOWN, sha1_of))
    with closing(Breached.open(path)) as found:
        new = tmp_path / "new"
        new.write_text(lines({"Other": 1}, sha1_of))
        new.rename(path)
        assert found.times(b"Known-1")
    with closing(Breached.open(path)) as found:
        assert not found.times(b"Known-1")
        assert found.times(b"Other")

"""What still needs which key."""

from __future__ import annotations

import base64

from provserver.directory.entries import Attribute
from provserver.passwords.key_needs import KeyNeeds
from provserver.vault.keyring import KeyId, KeyRing
from provserver.vault.marking import Marker
from provserver.vault.sealing import Seal
from provserver.vault.secret import Secret

OLD = KeyRing.generate()
NEW = OLD.rotated()


def secret(ring: KeyRing, name: str = "bind_password") -> bytes:
    return name.encode() + b"=" + base64.b64encode(Seal(ring).seal(Secret(b"x"), b"endpoint"))


def remembered(ring: KeyRing) -> bytes:
    return f"1$1700000000${ring.current}$nonce$mac$ssha512$salt".encode()


def needs(*entries: dict[str, tuple[bytes, ...]]) -> KeyNeeds:
    sealed, mark = Seal(OLD).seal(Secret(b"x"), b"row"), Marker(OLD).mark("a", b"x")
    attributes = [{key: Attribute(key, values) for key, values in one.items()} for one in entries]
    return KeyNeeds.of([(sealed, mark)], [Marker(NEW).mark("a", b"x"), mark, b"\0" * 32], attributes)


def test_each_kind_is_counted_under_its_key() -> None:
    found = needs(
        {"provsecret": (secret(OLD), secret(OLD, "other"), secret(NEW))},
        {"provpasswordhistory": (remembered(OLD), remembered(OLD), remembered(NEW))},
        {"provpasswordhistory": (remembered(NEW), b"nothing of ours")},
        {"provsecret": (b"damaged=%%%", b"no value"), "cn": (b"x",)},
    )
    assert found.ids == {OLD.current, NEW.current}
    assert found.counts(OLD.current) == {"deliveries": 1, "endpoints": 1, "marks": 2, "users": 1}
    assert found.counts(NEW.current) == {"deliveries": 0, "endpoints": 1, "marks": 1, "users": 2}
    assert found.sentence(OLD.current) == (
        "1 passwords in the outbox, secrets of 1 endpoints, 2 echo marks, remembered passwords of 1 users"
    )


def test_a_key_that_nothing_needs_says_nothing() -> None:
    key = KeyId("00000000")
    assert needs().sentence(key) == ""
    assert list(needs().advice(key, served=False)) == []


def test_the_advice_is_about_what_there_is() -> None:
    assert len(list(needs().advice(OLD.current, served=True))) == 2
    unserved = list(needs().advice(OLD.current, served=False))
    assert "Nobody serves" in unserved[0]
    assert "Nobody serves" not in " ".join(needs().advice(NEW.current, served=False))

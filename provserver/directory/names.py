"""Distinguished names (RFC 4514): parsed once, compared by a normalised key.

A name's key is its RDNs, root first, each ended by U+001F. No prepared value contains a control character,
so a subtree is exactly the keys that start with its top's key, and these are one range in binary order
(`subtree_range`), in which every entry comes before what is below it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from provserver.directory import nametext
from provserver.directory.nametext import RDN, InvalidName

__all__ = ["DN", "RDN", "ROOT", "InvalidName", "subtree_range"]

_REMEMBERED: Final = 16_384
"""Names kept parsed: an agent asks for the same one four times. About 1 kB each; a client who chooses the
worst names fills some 130 MB and no more, because what is longer or has more parts is parsed each time."""
_MOST_PARTS: Final = 16


class DN:
    """A distinguished name. Equal names have equal keys, whatever their case, spaces and escapes.

    Values compare without regard to case and outer or repeated spaces, whatever their type (ours: the names
    of this tree are all of that kind); types compare by a small table of standard names and OIDs.
    """

    __slots__ = ("_parent", "_rdns", "_text", "key")

    key: str

    def __init__(self, rdns: tuple[RDN, ...] | None, key: str = "", text: str | None = None) -> None:
        """A name of these RDNs, leaf first. None: the name that has this key and this text, which are another
        DN's, from where it is kept; it is parsed when somebody asks for the RDNs.
        """
        self._rdns = rdns
        self.key = key if rdns is None else "".join([rdn.key for rdn in reversed(rdns)])
        self._text = text
        self._parent: DN | None = None

    @staticmethod
    def parse(text: str) -> DN:
        """The name that a text means (remembered). InvalidName: what was expected, and at which character."""
        if len(text) > nametext.LONGEST_REMEMBERED or text.count("=") > _MOST_PARTS:
            return DN(nametext.parse_rdns(text))
        return _remembered(text)

    @property
    def rdns(self) -> tuple[RDN, ...]:
        """Leaf first."""
        rdns = self._rdns
        if rdns is None:
            rdns = self._rdns = nametext.parse_rdns(self._text or "")
        return rdns

    @property
    def text(self) -> str:
        """RFC 4514, as it was spelled, with no more escapes than needed."""
        text = self._text
        if text is None:
            text = self._text = ",".join([rdn.text for rdn in self.rdns])
        return text

    @property
    def depth(self) -> int:
        """The number of RDNs; the root has none."""
        return self.key.count(nametext.RDN_END)

    @property
    def parent(self) -> DN | None:
        """The name one level up; None for the root."""
        parent = self._parent
        if parent is None and self.rdns:
            parent = self._parent = DN(self.rdns[1:]) if len(self.rdns) > 1 else ROOT
        return parent

    def ancestor(self, depth: int) -> DN:
        """The name's topmost `depth` RDNs: itself at its own depth. ValueError: it is not that deep."""
        above = len(self.rdns) - depth
        if depth < 0 or above < 0:
            raise ValueError(f"{self.text!r} has no ancestor of depth {depth}")
        return DN(self.rdns[above:]) if above else self

    def ancestor_key(self, depth: int) -> str | None:
        """The key of the name's topmost `depth` RDNs, without making that name; None: it is not that deep."""
        end = 0
        for _ in range(depth):
            end = self.key.find(nametext.RDN_END, end) + 1
            if not end:
                return None
        return self.key[:end]

    def child(self, type: str, value: str) -> DN:
        """The name one level down; `value` is the plain value, without escapes."""
        return DN((RDN.of(type, value), *self.rdns))

    def is_within(self, ancestor: DN) -> bool:
        """Whether this is the ancestor itself or lies below it."""
        return self.key.startswith(ancestor.key)

    def is_just_below(self, parent: DN) -> bool:
        """Whether this lies one level below that name."""
        key, above = self.key, parent.key
        return key.startswith(above) and key.find(nametext.RDN_END, len(above)) + 1 == len(key) > len(above)

    def relocate(self, old_ancestor: DN, new_ancestor: DN) -> DN:
        """The name after its ancestor was renamed. ValueError: it does not lie within `old_ancestor`."""
        if not self.is_within(old_ancestor):
            raise ValueError(f"{self.text!r} is not within {old_ancestor.text!r}")
        return DN(self.rdns[: len(self.rdns) - len(old_ancestor.rdns)] + new_ancestor.rdns)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, DN) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"DN({self.text!r})"


ROOT: Final = DN(())


@lru_cache(_REMEMBERED)
def _remembered(text: str) -> DN:
    return DN(nametext.parse_rdns(text))


def subtree_range(dn: DN) -> tuple[str, str]:
    """The keys of a subtree: exactly `low <= key < high`, in code point (so UTF-8) order."""
    key = dn.key
    return (key, key[:-1] + " ") if key else ("", "\x7f")

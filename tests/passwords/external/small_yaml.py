"""As much of YAML as our OpenAPI file is written in, and as much of JSON Schema as it uses. Whatever else is
in a file is an error, so that nothing goes unread.
"""

from __future__ import annotations

import json
import re
from typing import Any

Node = Any


class NotUnderstood(ValueError):
    """YAML or a schema of a kind that is not read here."""


def read_yaml(text: str) -> Node:
    lines = [line.rstrip() for line in text.splitlines()]
    node, rest = _block(lines, 0, 0)
    if rest != len(lines):
        raise NotUnderstood(f"line {rest + 1}: indentation")
    return node


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block(lines: list[str], at: int, indent: int) -> tuple[Node, int]:
    return (_items if lines[at].lstrip().startswith("- ") else _entries)(lines, at, indent)


def _items(lines: list[str], at: int, indent: int) -> tuple[list[Node], int]:
    found: list[Node] = []
    while at < len(lines) and _indent(lines[at]) == indent and lines[at].startswith("- ", indent):
        inner = lines[at][indent + 2 :]
        if re.match(r"[\w$]+:( |$)", inner):
            lines = [*lines[:at], " " * (indent + 2) + inner, *lines[at + 1 :]]
            node, at = _entries(lines, at, indent + 2)
        else:
            node, at = _scalar(inner), at + 1
        found.append(node)
    return found, at


def _entries(lines: list[str], at: int, indent: int) -> tuple[dict[str, Node], int]:
    found: dict[str, Node] = {}
    while (
        at < len(lines)
        and lines[at]
        and _indent(lines[at]) == indent
        and not lines[at].startswith("- ", indent)
    ):
        matched = re.match(r'("[^"]*"|[^\s:"]+):(?: (.*))?$', lines[at][indent:])
        if matched is None:
            raise NotUnderstood(f"line {at + 1}: expected a key")
        key, value = str(_scalar(matched[1])), matched[2]
        if key in found:
            raise NotUnderstood(f"line {at + 1}: {key} twice")
        at += 1
        if value in ("|", ">-"):
            end = at
            while end < len(lines) and (not lines[end] or _indent(lines[end]) > indent):
                end += 1
            kept = [line.strip() for line in lines[at:end]]
            found[key], at = ("\n" if value == "|" else " ").join(kept), end
        elif value is not None:
            found[key] = _scalar(value)
        else:
            found[key], at = _block(lines, at, _indent(lines[at]))
    return found, at


def _scalar(text: str) -> Node:
    if text.startswith('"'):
        return json.loads(text)
    if text in ("true", "false") or re.fullmatch(r"-?\d+", text):
        return json.loads(text)
    if text[:1] in "&*!%@`'{[|>#" or " #" in text or ": " in text:
        raise NotUnderstood(f"a value of another kind: {text}")
    return text


def problems(value: object, schema: Node, document: Node, where: str = "it") -> list[str]:
    """What is wrong with a value by a schema; nothing: it is valid."""
    found: list[str] = []
    for keyword, wanted in schema.items():
        check = _KEYWORDS.get(keyword)
        if check is None:
            raise NotUnderstood(f"keyword {keyword}")
        found += check(value, wanted, schema, document, where)
    return found


def _ref(value: object, wanted: str, schema: Node, document: Node, where: str) -> list[str]:
    node = document
    for part in wanted.removeprefix("#/").split("/"):
        node = node[part]
    return problems(value, node, document, where)


_TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "null": type(None)}


def _type(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    names = wanted if isinstance(wanted, list) else [wanted]
    return [] if any(isinstance(value, _TYPES[name]) for name in names) else [f"{where} is no {names}"]


def _one_of(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    valid = [one for one in wanted if not problems(value, one, document, where)]
    return [] if len(valid) == 1 else [f"{where} is {len(valid)} of {len(wanted)} alternatives"]


def _required(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [f"{where} has no {name}" for name in wanted if name not in value]


def _properties(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    if not isinstance(value, dict):
        return []
    found = []
    for name, one in wanted.items():
        if name in value:
            found += problems(value[name], one, document, f"{where}.{name}")
    return found


def _no_others(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    assert wanted is False
    if not isinstance(value, dict):
        return []
    return [f"{where} has {name}" for name in value if name not in schema["properties"]]


def _each(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
    if not isinstance(value, list):
        return []
    return [problem for one in value for problem in problems(one, wanted, document, f"{where}[]")]


def _check(holds: Any) -> Any:
    def check(value: object, wanted: Node, schema: Node, document: Node, where: str) -> list[str]:
        return [] if holds(value, wanted) else [f"{where} is not as {wanted!r} wants it"]

    return check


_KEYWORDS: dict[str, Any] = {
    "$ref": _ref,
    "type": _type,
    "oneOf": _one_of,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _no_others,
    "items": _each,
    "const": _check(lambda value, wanted: value == wanted),
    "enum": _check(lambda value, wanted: value in wanted),
    "minItems": _check(lambda value, wanted: not isinstance(value, list) or len(value) >= wanted),
    "maxItems": _check(lambda value, wanted: not isinstance(value, list) or len(value) <= wanted),
    "minLength": _check(lambda value, wanted: not isinstance(value, str) or len(value) >= wanted),
    "maxLength": _check(lambda value, wanted: not isinstance(value, str) or len(value) <= wanted),
    "pattern": _check(lambda value, wanted: not isinstance(value, str) or re.search(wanted, value)),
    "description": lambda *_: [],
}

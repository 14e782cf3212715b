"""An explanation for people: what it says as JSON (docs/why-no-password.md), in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from provserver.cli.places import Answer


def name_of(explanation: Answer) -> str:
    """`Active Directory Account 'test, user' on 'AD-Test'`."""
    account: Any = explanation["account"]
    return str(account["name"])


def text_of(explanation: Answer) -> str:
    """All of it, some twenty lines."""
    about: Any = explanation
    lines = [about["account"]["name"], f"  {about['account']['dn']}"]
    lines += ["", "A change that its agent reports", *_indented(_gates(about))]
    lines += ["", "Echo guard", *_indented(_guard(about["guard"], about["endpoint"]))]
    lines += ["", "Its change would go to", *_indented(_plan(about["plan"]["sync"]))]
    elsewhere = about["plan"]["elsewhere"]
    verdict = "is delivered here" if elsewhere["in"] else f"is not delivered here: {elsewhere['why']}"
    lines += ["", "A change that is reported from another account of the user", f"  {verdict}"]
    lines += _indented(_deliveries(about["deliveries"]))
    checked = "are checked" if about["endpoint"]["resetsChecked"] else "are not checked"
    lines += ["", "A password that an administrator sets on this account alone"]
    lines += [f"  its characters {checked} (Check Account Passwords)"]
    return "\n".join(lines)


def _gates(about: Any) -> Iterator[str]:
    for gate in about["gates"]:
        yield f"{'passes' if gate['open'] else 'is refused'}: {gate['why']}"
    if all(gate["open"] for gate in about["gates"]):
        yield "passes: password synchronization is enabled, and the user is not suspended"


def _guard(guard: Any, endpoint: Any) -> Iterator[str]:
    if not guard["on"]:
        yield "is off: Agent Response Threshold is 0"
        return
    if guard["attemptLasts"]:
        yield "another password is refused: one is being sent there, and the attempt has not ended"
    elif guard["refuses"]:
        left = _span(guard["secondsLeft"])
        yield f"another password is refused for {left} more, until {guard['refusesUntil']}"
        yield "(provserver guard clear lets it in at once)"
    else:
        why = "" if endpoint["agentInstalled"] else ": no agent is installed there"
        yield f"another password is not refused{why}"
    if guard["clearedAt"] is not None:
        yield f"cleared by an administrator at {guard['clearedAt']}"
    yield f"passwords that are known to come from here, and would be echoes: {guard['echoes']}"
    for mark in guard["sent"]:
        ended = f"ended {mark['endedAt']}" if mark["endedAt"] is not None else "not ended"
        also = "; to be changed at next logon" if mark["mustChange"] else ""
        yield f"  sent {mark['sentAt']}, {ended}{also}"


def _plan(planned: Any) -> Iterator[str]:
    if not planned:
        yield "no other account"
    for line in planned:
        verdict = "yes" if line["in"] else f"no: {line['why']}"
        yield f"{line['name']}: {verdict}"
        yield from _indented(_deliveries(line["deliveries"]))


def _deliveries(deliveries: Any) -> Iterator[str]:
    last = deliveries["last"]
    if last is not None:
        yield f"last password sent there: {last['state']}, {last['at']}{_outcome(last)}"
    for row in deliveries["waiting"]:
        tries = f"after {row['attempts']} attempts" if row["attempts"] else "not tried yet"
        when = f", due {row['dueAt']}" if row["state"] != "held" else ""
        yield f"on its way since {row['since']}: {row['state']}, {tries}{when}{_outcome(row)}"


def _outcome(delivery: Any) -> str:
    if not delivery["event"]:
        return ""
    return f" ({delivery['event']}: {delivery['text']})" if delivery["text"] else f" ({delivery['event']})"


def _indented(lines: Iterator[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _span(seconds: float) -> str:
    """`9 min 12 s`; whole seconds, none of them too few."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""The access log: a line is one JSON object, whatever a client put into a name."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from provserver.journal.access import NO_ANSWER, AccessLog
from provserver.testing.clock import TurnedClock


class Lines(list[str]):
    write = list.append

    def read(self) -> list[Any]:
        return [json.loads(line) for line in "".join(self).splitlines()]


class Desk:
    def __init__(self) -> None:
        self.lines = Lines()
        self.clock = TurnedClock()
        self.log = AccessLog(self.lines, self.clock.wall, self.clock.seconds)


def test_a_line_of_an_operation_has_these_fields() -> None:
    desk = Desk()
    began = desk.log.monotonic()
    desk.clock.turn(0.25)
    user, target = "cn=agent,dc=im", "dc=im,dc=eta"
    desk.log.operation(7, 3, "search", user, "192.0.2.7", target, 0, began, 12, ["1.2.3"], "cn=admin,dc=im")
    assert desk.lines.read() == [
        {
            "time": "2026-09-21T14:13:20.250Z",
            "conn": 7,
            "op": 3,
            "kind": "search",
            "user": "cn=agent,dc=im",
            "peer": "192.0.2.7",
            "target": "dc=im,dc=eta",
            "code": 0,
            "us": 250_000,
            "entries": 12,
            "controls": ["1.2.3"],
            "asker": "cn=admin,dc=im",
        }
    ]


def test_what_there_is_not_is_left_out() -> None:
    desk = Desk()
    desk.log.operation(7, 3, "modify", "", "192.0.2.7", "cn=x", NO_ANSWER, desk.log.monotonic())
    (line,) = desk.lines.read()
    assert line["code"] == -1
    assert not {"entries", "controls", "asker"} & line.keys()


def test_connections_come_become_secure_and_go() -> None:
    desk = Desk()
    desk.log.opened(7, "192.0.2.7", 4711, tls=True)
    desk.log.secured(7, "TLSv1.3")
    desk.clock.turn(1.5)
    desk.log.closed(7, "unbind", 100, 200)
    opened, secured, closed = desk.lines.read()
    assert opened == {
        "time": "2026-09-21T14:13:20.000Z",
        "conn": 7,
        "event": "opened",
        "peer": "192.0.2.7",
        "port": 4711,
        "tls": True,
    }
    assert (secured["event"], secured["version"]) == ("secured", "TLSv1.3")
    assert closed == {
        "time": "2026-09-21T14:13:21.500Z",
        "conn": 7,
        "event": "closed",
        "why": "unbind",
        "received": 100,
        "sent": 200,
    }


anything = st.text(st.characters(codec=None))


@given(anything, anything, anything, st.lists(anything, max_size=3))
def test_no_name_breaks_a_line_or_forges_another(
    user: str, peer: str, target: str, controls: list[str]
) -> None:
    desk = Desk()
    desk.log.operation(1, 2, "bind", user, peer, target, 49, 0.0, -1, controls)
    assert "".join(desk.lines).count("\n") == 1
    assert "".join(desk.lines).isascii()
    (line,) = desk.lines.read()
    assert (line["user"], line["peer"], line["target"]) == (user, peer, target)
    assert line.get("controls", []) == controls


@given(st.lists(st.floats(0, 5), min_size=1, max_size=20))
def test_the_time_is_that_of_each_line(pauses: list[float]) -> None:
    desk = Desk()
    expected = []
    for pause in pauses:
        desk.clock.turn(pause)
        desk.log.secured(1, "TLSv1.3")
        expected.append(int(desk.clock.wall() * 1000))
    told = [datetime.fromisoformat(line["time"]).timestamp() * 1000 for line in desk.lines.read()]
    assert [round(one) for one in told] == expected

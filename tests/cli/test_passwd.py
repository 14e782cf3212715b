"""`provserver passwd`: a lost password set again on the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plugins.served_instance import ADMINISTRATOR_PASSWORD, ServedInstance, command

NEW = "Found-Again-1"


def test_a_lost_administrators_password_is_set_and_the_old_one_no_longer_works(
    demo_instance: Path, serve: Callable[..., ServedInstance], stock_clients: None
) -> None:
    done = command("passwd", demo_instance, "etaadmin", "--password-file", "-", stdin=NEW + "\n")
    assert (done.returncode, done.stdout) == (0, "etaadmin: password set; no account was told\n")
    served = serve(demo_instance)
    assert served.accepts_password("etaadmin", NEW)
    assert not served.accepts_password("etaadmin", ADMINISTRATOR_PASSWORD)


def test_nobody_of_that_name_is_told(demo_instance: Path) -> None:
    refused = command("passwd", demo_instance, "no, body", "--password-file", "-", stdin=NEW)
    assert refused.returncode == 1
    assert refused.stderr == "provserver: there is no global user 'no, body'; nothing was changed\n"


def test_without_a_terminal_it_says_how_else_to_give_the_password(demo_instance: Path) -> None:
    refused = command("passwd", demo_instance, "etaadmin")
    assert refused.returncode == 1
    assert "give --password-file FILE, or - for standard input" in refused.stderr


def test_while_it_is_served_nothing_is_set(
    demo_instance: Path, serve: Callable[..., ServedInstance], stock_clients: None
) -> None:
    served = serve(demo_instance)
    refused = command("passwd", demo_instance, "etaadmin", "--password-file", "-", stdin=NEW)
    assert refused.returncode == 1
    assert f"is in use by process {served.process.pid}" in refused.stderr
    assert served.accepts_password("etaadmin", ADMINISTRATOR_PASSWORD)

"""Addresses: which belong together, and which are on a list."""

from __future__ import annotations

import pytest

from provserver.ldap.peers import Addresses, source


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_a_host_is_counted_with_those_that_it_can_also_be(host: str, counted: str) -> None:
    assert source(host) == counted


def test_a_list_of_addresses_knows_hosts_and_networks() -> None:
    listed = Addresses(["192.0.2.7", "10.0.0.0/8", "::1"])
    assert all(host in listed for host in ("192.0.2.7", "10.1.2.3", "::1", "::ffff:10.1.2.3"))
    assert not any(host in listed for host in ("192.0.2.8", "11.0.0.1", "::2", "unix", "no address"))
    assert "192.0.2.7" not in Addresses()


def test_a_list_with_something_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="everywhere"):
        Addresses(["everywhere"])

"""The whole path to databases: a PSYNC agent reports to the real command, and the application at PostgreSQL
or MariaDB accepts the new password, or refuses it by its own policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from plugins import schemas
from plugins.berths import Berth, berthed
from plugins.real_servers import MariaDb, Postgres, RealServer, served
from plugins.served_instance import until

NEW = "Sluice-Compass-86"


@dataclass
class Application:
    """An application whose accounts are in a database: who can log in there?"""

    berth: Berth
    database: Any
    add: Callable[[str], None]
    accepts: Callable[[str, str], bool]


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def application(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stock_clients: None
) -> Iterator[Application]:
    kind: type[RealServer] = Postgres if request.param == "postgresql" else MariaDb
    for database in served(kind):
        if isinstance(database, Postgres):
            database.admin(*schemas.POSTGRES_SERVER, database="postgres")
            database.admin(*schemas.POSTGRES)
            statement = schemas.POSTGRES_STATEMENT
            query = "SELECT hash = crypt(%s, hash) FROM account WHERE login = %s"
        else:
            database.admin(*schemas.MARIA, database=None)
            statement = schemas.MARIA_STATEMENT
            query = "SELECT secret = %s FROM account WHERE login = %s"

        def add(name: str, at: Any = database) -> None:
            at.admin("INSERT INTO account (login) VALUES (%s)", values=[name])

        def accepts(name: str, password: str, at: Any = database, query: str = query) -> bool:
            found = at.admin(query, values=[password, name])
            return bool(found and found[0][0])

        settings = {
            "url": database.url(),
            "tls": "verify",
            "ca_file": str(database.certificates.authority),
            **statement,
        }
        folder = tmp_path_factory.mktemp(request.param)
        with berthed(folder, "sql", settings, {"password": schemas.LOGIN_PASSWORD}) as berth:
            yield Application(berth, database, add, accepts)


def test_a_password_that_an_agent_reports_works_at_the_application(application: Application) -> None:
    person = application.berth.admit("moira")
    application.add("moira")
    done = application.berth.report(person, NEW)
    assert until(lambda: application.accepts("moira", NEW)), done.stderr
    assert application.berth.served.accepts_password("moira", NEW)
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("updated", "7000")


def test_what_the_databases_policy_refuses_is_held_and_says_why(application: Application) -> None:
    if isinstance(application.database, MariaDb):
        application.database.admin(
            "CREATE TRIGGER no_tides BEFORE UPDATE ON account FOR EACH ROW BEGIN "
            "IF NEW.secret LIKE '%Tide%' THEN "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'No tides here.'; END IF; END"
        )
    else:
        application.database.admin(
            "CREATE FUNCTION no_tides() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.hash = crypt('Tide-Compass-86', NEW.hash) "
            "THEN RAISE 'No tides here.' USING ERRCODE = 'PS002'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER no_tides BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION no_tides()",
        )
    person = application.berth.admit("ruth")
    application.add("ruth")
    application.berth.report(person, "Tide-Compass-86")
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6927")
    assert told["provLastDeliveryError"].startswith("The endpoint's password policy refuses the password.")
    assert told["provLastDeliveryError"].endswith("No tides here.")
    assert not application.accepts("ruth", "Tide-Compass-86")
    assert application.berth.served.accepts_password("ruth", "Tide-Compass-86")


def test_an_account_that_the_application_does_not_have_is_told(application: Application) -> None:
    person = application.berth.admit("stranger")
    application.berth.report(person, NEW)
    told = application.berth.delivery(person)
    assert (told["provDeliveryState"], told["provLastDeliveryEvent"]) == ("held", "6923")
    assert NEW not in told["provLastDeliveryError"]

"""What the databases of the tests are like: an application's table of accounts, with a policy of its own."""

from __future__ import annotations

from typing import Final

LOGIN_PASSWORD: Final = "Service-Pass-1"

POSTGRES_SERVER: Final = (
    f"CREATE ROLE provserver LOGIN PASSWORD '{LOGIN_PASSWORD}'",
    "CREATE ROLE guest LOGIN PASSWORD 'Guest-Pass-1'",
    "CREATE DATABASE people",
)
POSTGRES: Final = (
    "CREATE EXTENSION pgcrypto",
    "CREATE TABLE account (login text PRIMARY KEY, hash text, team text, must_change boolean)",
    "CREATE TABLE short (login text, secret varchar(8))",
    "INSERT INTO account (login, team) VALUES ('kit', 'tide'), ('ada', NULL)",
    "INSERT INTO short VALUES ('kit', 'x'), ('twin', 'x'), ('twin', 'x')",
    # The application's own way in: it hashes, and refuses what its policy does not like.
    """
    CREATE FUNCTION set_password(who text, password text, must_change integer DEFAULT 0) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE old text;
    BEGIN
        SELECT hash INTO old FROM account WHERE login = who;
        IF NOT FOUND THEN RAISE 'no account %', who USING ERRCODE = 'PS001'; END IF;
        IF length(password) < 8 THEN RAISE 'At least 8 characters, please.' USING ERRCODE = 'PS002'; END IF;
        IF password = upper(password) THEN RAISE 'not %, it shouts', password USING ERRCODE = 'PS002'; END IF;
        IF old = crypt(password, old) THEN RAISE 'used before' USING ERRCODE = 'PS003'; END IF;
        UPDATE account
            SET hash = crypt(password, gen_salt('bf', 4)), must_change = (set_password.must_change = 1)
            WHERE login = who;
    END $$
    """,
    "GRANT SELECT, UPDATE ON account, short TO provserver",
    "GRANT SELECT ON account TO guest",
)
POSTGRES_STATEMENT: Final = {
    "statement": "SELECT set_password(:name, :password, :must_change)",
    "confirm": "none",
    "accounts": "SELECT login, team FROM account ORDER BY login DESC",
    "hash": "clear",
    "missing_codes": "PS001",
    "policy_codes": "PS002",
    "history_codes": "PS003",
}

MARIA: Final = (
    "CREATE DATABASE people",
    f"CREATE USER provserver@'%' IDENTIFIED BY '{LOGIN_PASSWORD}'",
    "CREATE USER guest@'%' IDENTIFIED BY 'Guest-Pass-1'",
    "USE people",
    "CREATE TABLE account (login varchar(40) PRIMARY KEY, secret varchar(200) CHARACTER SET utf8mb4 "
    "COLLATE utf8mb4_bin CHECK (char_length(secret) >= 8), team varchar(40)) ENGINE=InnoDB",
    "INSERT INTO account (login, team) VALUES ('kit', 'tide'), ('ada', NULL)",
    """
    CREATE PROCEDURE set_password(IN who varchar(40), IN new_secret varchar(200) CHARACTER SET utf8mb4)
    SQL SECURITY DEFINER
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM account WHERE login = who) THEN
            SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 31001, MESSAGE_TEXT = 'no such account';
        END IF;
        IF char_length(new_secret) < 8 THEN
            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'At least 8 characters, please.';
        END IF;
        UPDATE account SET secret = new_secret WHERE login = who;
    END
    """,
    "GRANT SELECT, UPDATE, EXECUTE ON people.* TO provserver@'%'",
    "GRANT SELECT ON people.* TO guest@'%'",
)
MARIA_STATEMENT: Final = {
    "statement": "CALL set_password(:name, :password)",
    "confirm": "none",
    "accounts": "SELECT login, team FROM account ORDER BY login DESC",
    "hash": "clear",
    "missing_codes": "31001",
}

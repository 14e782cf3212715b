"""Every SQL statement of the SQLite store, by name. Nothing here, or anywhere, is built from values.

The tables are in sql/sqlite.sql. State numbers (codes.py): 0 pending, 1 retrying, 2 held, 3 claimed, 4 and
above ended.
"""

# ruff: noqa: S608 -- the two column lists below are constants

from __future__ import annotations

from typing import Final

# The tree

_ENTRY: Final = "seq, id, dn, version, body, key"
ENTRY_BY_KEY: Final = f"SELECT {_ENTRY} FROM entry WHERE key = ?"
ENTRY_BY_ID: Final = f"SELECT {_ENTRY} FROM entry WHERE id = ?"
ENTRY_BY_SEQ: Final = f"SELECT {_ENTRY} FROM entry WHERE seq = ?"
ENTRIES_BY_POSTING: Final = (
    f"SELECT {_ENTRY} FROM posting p JOIN entry e ON e.seq = p.entry"
    " WHERE p.attribute = ? AND p.value = ? AND p.entry > ? AND p.entry <= ? ORDER BY p.entry LIMIT ?"
)
SEQ_BY_KEY: Final = "SELECT seq FROM entry WHERE key = ?"
ANY_ENTRY: Final = "SELECT 1 FROM entry LIMIT 1"
LAST_ENTRY: Final = "SELECT coalesce(max(seq), 0) FROM entry"
ENTRIES_AFTER: Final = f"SELECT {_ENTRY} FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
ENTRIES_IN_RANGE: Final = f"SELECT {_ENTRY} FROM entry WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
ALL_IN_RANGE: Final = "SELECT dn, body FROM entry WHERE key >= ? AND key < ? ORDER BY key"
COUNT_IN_RANGE: Final = "SELECT count(*) FROM (SELECT 1 FROM entry WHERE key >= ? AND key < ? LIMIT ?)"
CHILDREN: Final = f"SELECT {_ENTRY} FROM entry WHERE parent = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
COUNT_CHILDREN: Final = "SELECT count(*) FROM (SELECT 1 FROM entry WHERE parent = ? LIMIT ?)"
ANY_CHILD: Final = "SELECT 1 FROM entry WHERE parent = ? LIMIT 1"
PARENT_BY_SEQ: Final = "SELECT parent FROM entry WHERE seq = ?"
INSERT_ENTRY: Final = (
    "INSERT INTO entry (seq, id, key, parent, version, dn, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
UPDATE_ENTRY: Final = "UPDATE entry SET version = ?, dn = ?, body = ? WHERE seq = ?"
DELETE_ENTRY: Final = "DELETE FROM entry WHERE seq = ?"
MOVE_ENTRY: Final = "UPDATE entry SET seq = ?, key = ?, parent = ?, version = ?, dn = ? WHERE seq = ?"

# Postings

INDEXED: Final = "SELECT key, attribute, rule FROM indexed"
INSERT_INDEXED: Final = "INSERT INTO indexed (key, attribute, rule) VALUES (?, ?, ?)"
DELETE_INDEXED: Final = "DELETE FROM indexed WHERE attribute = ?"
INSERT_POSTING: Final = "INSERT OR IGNORE INTO posting (attribute, value, entry) VALUES (?, ?, ?)"
DELETE_POSTING: Final = "DELETE FROM posting WHERE attribute = ? AND value = ? AND entry = ?"
DELETE_POSTINGS: Final = "DELETE FROM posting WHERE attribute = ?"
IDS_BY_POSTING: Final = (
    "SELECT e.id FROM posting p JOIN entry e ON e.seq = p.entry"
    " WHERE p.attribute = ? AND p.value = ? ORDER BY p.entry"
)
FEW_IDS_BY_POSTING: Final = f"{IDS_BY_POSTING} LIMIT ?"
SEQS_BY_POSTING: Final = (
    "SELECT entry FROM posting WHERE attribute = ? AND value = ? AND entry > ? AND entry <= ?"
    " ORDER BY entry LIMIT ?"
)
COUNT_POSTINGS: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM posting WHERE attribute = ? AND value = ? LIMIT ?)"
)

# Change log and journal

INSERT_CHANGE: Final = (
    "INSERT INTO change (sequence, at, by, kind, id, dn, version) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
CHANGES_AFTER: Final = (
    "SELECT sequence, at, by, kind, id, dn, version FROM change WHERE sequence > ? ORDER BY sequence LIMIT ?"
)
FIRST_CHANGE: Final = "SELECT sequence, at FROM change ORDER BY sequence LIMIT 1"
LAST_CHANGE: Final = "SELECT coalesce(max(sequence), 0) FROM change"
INSERT_JOURNAL: Final = "INSERT INTO journal (sequence, at, event, text, fields) VALUES (?, ?, ?, ?, ?)"
JOURNAL_AFTER: Final = (
    "SELECT sequence, at, event, text, fields FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?"
)
LAST_JOURNAL: Final = "SELECT coalesce(max(sequence), 0) FROM journal"
FIRST_CHANGES: Final = "SELECT sequence, at FROM change ORDER BY sequence LIMIT ?"
FIRST_JOURNAL: Final = "SELECT sequence, at FROM journal ORDER BY sequence LIMIT ?"
# The last line stays: the next one is numbered after it.
PRUNE_CHANGES: Final = (
    "DELETE FROM change WHERE sequence <= ? AND sequence < (SELECT max(sequence) FROM change)"
)
PRUNE_JOURNAL: Final = (
    "DELETE FROM journal WHERE sequence <= ? AND sequence < (SELECT max(sequence) FROM journal)"
)

# From outside

SEALED: Final = "SELECT sealed, mark FROM delivery WHERE state < 4"
MARKS: Final = "SELECT mark FROM delivery WHERE state >= 4 AND sent IS NOT NULL"
ALL_BODIES: Final = "SELECT dn, body FROM entry ORDER BY seq"
COUNT_ENTRIES: Final = "SELECT count(*) FROM entry"

# The store itself

META: Final = "SELECT value FROM meta WHERE name = ?"
SET_META: Final = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"
DELETE_META: Final = "DELETE FROM meta WHERE name = ?"
KEEP_BEGINNING: Final = (
    "INSERT OR IGNORE INTO meta (name, value) SELECT 'began', at FROM change ORDER BY sequence LIMIT 1"
)
BEGAN, BACKUP = "began", "backup"
TO_FORMAT_3: Final = (
    "DROP INDEX IF EXISTS delivery_claimed",
    "CREATE INDEX IF NOT EXISTS delivery_open ON delivery (seq) WHERE state < 4",
    "CREATE INDEX IF NOT EXISTS delivery_id ON delivery (id) WHERE state < 3",
    "CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (endpoint, state) WHERE state < 3",
    "CREATE INDEX IF NOT EXISTS delivery_held ON delivery (due) WHERE state = 2",
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID",
    # Nobody wrote down since when: as of now, so that nothing is destroyed as held for too long.
    "UPDATE delivery SET due = strftime('%s', 'now') WHERE state = 2",
)
"""As in sql/sqlite.sql."""

# Deliveries

_DELIVERY: Final = (
    "seq, id, change, user, account, endpoint, sealed, mark, options, state, attempts, created, due,"
    " event, text, sent, ended"
)
INSERT_DELIVERY: Final = (
    "INSERT INTO delivery (seq, id, change, user, account, account_hash, endpoint, sealed, mark, options,"
    " state, attempts, created, due, event, text, sent, ended)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '', ?, NULL)"
)
END_DELIVERY: Final = (
    "UPDATE delivery SET state = ?, sealed = x'', attempts = attempts + (state = 3), event = ?, text = ?,"
    " sent = ?, ended = ?, due = ? WHERE seq = ?"
)
REOPEN_DELIVERY: Final = (
    "UPDATE delivery SET state = ?, due = ?, attempts = attempts + (state = 3 AND ?), event = ?, text = ?,"
    " sent = ?, ended = ? WHERE seq = ?"
)
CLAIM_DELIVERY: Final = "UPDATE delivery SET state = 3, sent = ?, ended = NULL WHERE seq = ?"
CANCEL_DELIVERY: Final = (
    "UPDATE delivery SET state = 7, sealed = x'', ended = coalesce(ended, ?), due = ? WHERE seq = ?"
)
WAITING_OF_USER: Final = f"SELECT {_DELIVERY} FROM delivery WHERE user = ? AND state < 3 ORDER BY seq"
OPEN_OF_ACCOUNT: Final = (
    f"SELECT {_DELIVERY} FROM delivery WHERE account_hash = ? AND account = ? AND state < 4 ORDER BY seq"
)
OPEN: Final = f"SELECT {_DELIVERY} FROM delivery INDEXED BY delivery_open WHERE state < 4 ORDER BY seq"
OPEN_AFTER: Final = (
    f"SELECT {_DELIVERY} FROM delivery INDEXED BY delivery_open WHERE state < 4 AND seq > ?"
    " ORDER BY seq LIMIT ?"
)
OPEN_BY_SEQ: Final = f"SELECT {_DELIVERY} FROM delivery WHERE seq = ? AND state < 4"
# A state that is given says nothing to SQLite about the condition of a partial index: that stands here too;
# and `unlikely` lets it look for the state in the index, not for all below the condition.
WAITING_BY_ID: Final = f"SELECT {_DELIVERY} FROM delivery WHERE id = ? AND state < 3"
WAITING_AFTER: Final = (
    "SELECT seq FROM delivery INDEXED BY delivery_waiting"
    " WHERE state < 3 AND state = ? AND seq > ? ORDER BY seq LIMIT ?"
)
WAITING_AFTER_FOR: Final = (
    "SELECT seq FROM delivery INDEXED BY delivery_waiting"
    " WHERE state < 3 AND endpoint = ? AND unlikely(state = ?) AND seq > ? ORDER BY seq LIMIT ?"
)
OLDEST_WAITING: Final = (
    "SELECT created FROM delivery INDEXED BY delivery_waiting"
    " WHERE state < 3 AND endpoint = ? AND unlikely(state = ?) ORDER BY seq LIMIT 1"
)
HELD_BEFORE: Final = f"SELECT {_DELIVERY} FROM delivery WHERE state = 2 AND due < ? ORDER BY due, seq LIMIT ?"
OPEN_BY_ID: Final = f"SELECT {_DELIVERY} FROM delivery WHERE account_hash = ? AND id = ? AND state < 4"
DUE: Final = (
    f"SELECT {_DELIVERY} FROM delivery WHERE endpoint = ? AND state < 2 AND due <= ? ORDER BY due, seq"
)
ACCOUNT_HISTORY: Final = (
    "SELECT seq, change, mark, options, state, due, event, text, sent, ended FROM delivery"
    " WHERE account_hash = ? AND account = ? AND (state >= 4 OR sent IS NOT NULL) ORDER BY seq"
)
ENDPOINTS_WAITING: Final = """
WITH RECURSIVE waiting (endpoint) AS (
    SELECT min(endpoint) FROM delivery WHERE state < 2
    UNION ALL
    SELECT (SELECT min(endpoint) FROM delivery WHERE state < 2 AND endpoint > waiting.endpoint)
    FROM waiting WHERE waiting.endpoint IS NOT NULL
)
SELECT endpoint,
       (SELECT min(due) FROM delivery d WHERE d.state < 2 AND d.endpoint = waiting.endpoint),
       (SELECT min(due) FROM delivery d WHERE d.state < 2 AND d.endpoint = waiting.endpoint AND d.due > ?)
FROM waiting WHERE endpoint IS NOT NULL
"""
COUNT_WAITING: Final = (
    "SELECT endpoint, state, count(*) FROM delivery INDEXED BY delivery_waiting WHERE state < 3"
    " GROUP BY endpoint, state"
)
SUPERSEDE_DELIVERY: Final = "UPDATE delivery SET due = -1 WHERE seq = ?"
END_SUPERSEDED_ORPHANS: Final = (
    "UPDATE delivery INDEXED BY delivery_open SET state = 7, sealed = x'', ended = sent, due = sent"
    " WHERE state < 4 AND state = 3 AND due < 0"
)
RELEASE_ORPHANS: Final = (
    "UPDATE delivery INDEXED BY delivery_open SET state = 1, due = 0, event = ?, text = ''"
    " WHERE state < 4 AND state = 3"
)
RELEASE_DELIVERY: Final = "UPDATE delivery SET state = 0, due = ?, attempts = 0 WHERE seq = ?"
DROP_DELIVERY: Final = (
    "UPDATE delivery SET state = ?, sealed = x'', event = ?, text = ?, ended = coalesce(ended, ?), due = ?"
    " WHERE seq = ?"
)
HOLD_WAITING: Final = (
    "UPDATE delivery INDEXED BY delivery_open SET state = 2, due = ?, event = ?, text = ?,"
    " ended = CASE WHEN sent IS NOT NULL THEN coalesce(ended, ?) END WHERE state < 4 AND state < 2"
)
RESEAL_DELIVERY: Final = "UPDATE delivery SET sealed = ? WHERE id = ? AND state < 3"
LAST_DELIVERY: Final = (
    "SELECT max((SELECT coalesce(max(seq), 0) FROM delivery), (SELECT coalesce(max(seq), 0) FROM status))"
)
ENDED_BEFORE: Final = (
    "SELECT seq, account, change, state, due, event, text, sent FROM delivery WHERE ended < ?"
    " ORDER BY ended LIMIT ?"
)
FORGET_MARK: Final = "UPDATE delivery SET sent = NULL, ended = NULL WHERE seq = ?"
DELETE_DELIVERY: Final = "DELETE FROM delivery WHERE seq = ?"
KEEP_STATUS: Final = (
    "INSERT INTO status (account, seq, change, state, at, event, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (account) DO UPDATE SET seq = excluded.seq, change = excluded.change,"
    " state = excluded.state, at = excluded.at, event = excluded.event, text = excluded.text"
    " WHERE excluded.seq > status.seq"
)
STATUS: Final = "SELECT seq, change, state, at, event, text FROM status WHERE account = ?"

# Loading

OWN_TERMS: Final = 5
"""Terms in a row of `arrived`: what a user, an account or an inclusion has of its own (measured: a row for
each term costs three times as much)."""
LOADING_TABLES: Final = (
    "CREATE TEMP TABLE shared (number INTEGER NOT NULL, attribute INTEGER NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (number, attribute, value)) WITHOUT ROWID",
    "CREATE TEMP TABLE arrived (entry INTEGER NOT NULL, shared INTEGER, attribute1 INTEGER, value1 BLOB,"
    " attribute2 INTEGER, value2 BLOB, attribute3 INTEGER, value3 BLOB, attribute4 INTEGER, value4 BLOB,"
    " attribute5 INTEGER, value5 BLOB)",
)
ARRIVE: Final = (
    "INSERT OR IGNORE INTO entry (seq, id, key, parent, version, dn, body) VALUES (?, ?, ?, ?, 1, ?, ?)"
)
LEAVE: Final = "DELETE FROM entry WHERE seq >= ?"
CHANGE_OF_ARRIVED: Final = (
    "INSERT INTO change (sequence, at, by, kind, id, dn, version)"
    " SELECT seq + ?, ?, ?, ?, id, dn, version FROM entry WHERE seq >= ? ORDER BY seq"
)
SHARE: Final = "INSERT INTO shared (number, attribute, value) VALUES (?, ?, ?)"
ARRIVE_AS: Final = "INSERT INTO arrived VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_POSTINGS: Final = "INSERT OR IGNORE INTO posting (attribute, value, entry)"
SETTLE: Final = (
    f"{_POSTINGS} SELECT s.attribute, s.value, a.entry FROM arrived a CROSS JOIN shared s"
    " ON s.number = a.shared ORDER BY 1, 2, 3",
    *[
        f"{_POSTINGS} SELECT attribute{column}, value{column}, entry FROM arrived"
        f" WHERE attribute{column} IS NOT NULL ORDER BY 1, 2, 3"
        for column in range(1, OWN_TERMS + 1)
    ],
    "DELETE FROM arrived",
)
HAS_ID_INDEX: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = 'entry_id'"
DROP_ID_INDEX: Final = "DROP INDEX entry_id"
MAKE_ID_INDEX: Final = "CREATE UNIQUE INDEX entry_id ON entry (id)"
"""As in sql/sqlite.sql."""

-- The SQLite store, format 3. Statements that use it: provserver/storage/statements.py.
-- Names of states and kinds are numbers here: provserver/storage/codes.py.


-- An entry's seq is larger than its parent's (a rename gives new ones), so that any walk in the order of seq
-- meets parents before children. Children of nobody have parent 0.
CREATE TABLE entry (
    seq     INTEGER PRIMARY KEY,
    id      TEXT    NOT NULL,
    key     TEXT    NOT NULL UNIQUE,
    parent  INTEGER NOT NULL,
    version INTEGER NOT NULL,
    dn      TEXT    NOT NULL,
    body    BLOB    NOT NULL
);
-- Apart from the table, so that a long load can make it anew at its end.
CREATE UNIQUE INDEX entry_id ON entry (id);
CREATE INDEX entry_parent ON entry (parent);

-- What is indexed, with the number that stands for it in `posting`, and the rule by which its values were normalised.
CREATE TABLE indexed (
    attribute INTEGER PRIMARY KEY,
    key       TEXT NOT NULL UNIQUE,
    rule      TEXT NOT NULL
);
CREATE TABLE posting (
    attribute INTEGER NOT NULL,
    value     BLOB    NOT NULL,
    entry     INTEGER NOT NULL,
    PRIMARY KEY (attribute, value, entry)
) WITHOUT ROWID;

CREATE TABLE change (
    sequence INTEGER PRIMARY KEY,
    at       REAL    NOT NULL,
    by       TEXT    NOT NULL,
    kind     INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    dn       TEXT    NOT NULL,
    version  INTEGER NOT NULL
);

-- A delivery from its commit until its mark is forgotten: a row of the outbox while state < 4, then an echo mark and how
-- it ended. `sent` is NULL when there is no mark; `ended` is the end of the last attempt; `due` of a delivery that has
-- ended is when it did, of one that is held since when it is.
-- States are ordered so that each partial index is one comparison: an IN list costs 5 us a row (measured).
CREATE TABLE delivery (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    change       TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    account_hash INTEGER NOT NULL,
    endpoint     TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    mark         BLOB    NOT NULL,
    options      INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    created      REAL    NOT NULL,
    due          REAL    NOT NULL,
    event        INTEGER NOT NULL,
    text         TEXT    NOT NULL,
    sent         REAL,
    ended        REAL
);
-- A hash of 4 bytes instead of the text keeps this index, the one whose pages are hit at random, small.
CREATE INDEX delivery_account ON delivery (account_hash);
CREATE INDEX delivery_due     ON delivery (endpoint, due) WHERE state < 2;
CREATE INDEX delivery_user    ON delivery (user)          WHERE state < 3;
CREATE INDEX delivery_ended   ON delivery (ended)         WHERE ended IS NOT NULL;
-- The outbox in its order. What is claimed and settled passes through this one only: the three after it are for what
-- waits, so that a delivery that succeeds at once never touches them.
CREATE INDEX delivery_open    ON delivery (seq)             WHERE state < 4;
CREATE INDEX delivery_id      ON delivery (id)              WHERE state < 3;
CREATE INDEX delivery_waiting ON delivery (endpoint, state) WHERE state < 3;
CREATE INDEX delivery_held    ON delivery (due)             WHERE state = 2;

-- How the last delivery to an account ended, once its row in `delivery` is gone.
CREATE TABLE status (
    account TEXT    PRIMARY KEY,
    seq     INTEGER NOT NULL,
    change  TEXT    NOT NULL,
    state   INTEGER NOT NULL,
    at      REAL    NOT NULL,
    event   INTEGER NOT NULL,
    text    TEXT    NOT NULL
) WITHOUT ROWID;

CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY,
    at       REAL    NOT NULL,
    event    INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    fields   TEXT    NOT NULL
);

-- What is known of the store itself: `began`, when its first change was made, once that line is pruned; `backup`, when
-- this copy of another store was made: nobody has put it in service yet.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value REAL NOT NULL
) WITHOUT ROWID;

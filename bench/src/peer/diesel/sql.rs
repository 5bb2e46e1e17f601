//! What is said about each check, by kind of database and algorithm: the condition is in the upsert, so
//! that one statement decides. Only the log takes several.

/// The statements of one algorithm; that which decides returns a row that is 0 or missing when the
/// check is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sql {
    One(&'static str),
    /// The first changes two rows where it updates one; otherwise the second returns the outcome.
    Told(&'static str, &'static str),
    /// Under a lock that the first of them takes; the last decides.
    Several(&'static [&'static str]),
}

/// One kind of database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) tables: &'static str,
    pub(crate) window: Sql,
    pub(crate) gcra: Sql,
    pub(crate) log: Sql,
}

pub(crate) const POSTGRES: Dialect = Dialect {
    tables: "
        CREATE TABLE peer_window (key text PRIMARY KEY, start bigint NOT NULL, count bigint NOT NULL);
        CREATE TABLE peer_gcra (key text PRIMARY KEY, tat bigint NOT NULL);
        CREATE TABLE peer_log_key (key text PRIMARY KEY);
        CREATE TABLE peer_log (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            key text NOT NULL, at bigint NOT NULL);
        CREATE INDEX ON peer_log (key, at)",
    window: Sql::One(
        "INSERT INTO peer_window AS w (key, start, count)
        VALUES (?, floor(extract(epoch FROM clock_timestamp()) / 3600)::bigint, 1)
        ON CONFLICT (key) DO UPDATE SET start = excluded.start,
            count = CASE WHEN w.start = excluded.start THEN w.count + 1 ELSE 1 END
        WHERE w.start <> excluded.start OR w.count < #
        RETURNING count",
    ),
    gcra: Sql::One(
        "INSERT INTO peer_gcra AS g (key, tat)
        VALUES (?, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + #)
        ON CONFLICT (key) DO UPDATE SET tat = greatest(g.tat, excluded.tat - #) + #
        WHERE greatest(g.tat, excluded.tat - #) <= excluded.tat + 3600000000 - # - #
        RETURNING tat",
    ),
    log: Sql::Several(&[
        "INSERT INTO peer_log_key (key) VALUES (?)
        ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING 1::bigint",
        "DELETE FROM peer_log WHERE key = ?
            AND at <= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 1000000
        RETURNING 1::bigint",
        "INSERT INTO peer_log (key, at)
        SELECT ?, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        WHERE (SELECT count(*) FROM peer_log WHERE key = ?) < # RETURNING 1::bigint",
    ]),
};

pub(crate) const MARIADB: Dialect = Dialect {
    tables: "
        CREATE TABLE peer_window (`key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
            start bigint NOT NULL, count bigint NOT NULL, ok bigint NOT NULL);
        CREATE TABLE peer_gcra (`key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
            tat bigint NOT NULL, ok bigint NOT NULL);
        CREATE TABLE peer_log_key (
            `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY);
        CREATE TABLE peer_log (id bigint PRIMARY KEY AUTO_INCREMENT,
            `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
            at bigint NOT NULL, KEY (`key`, at))",
    window: Sql::Told(
        "INSERT INTO peer_window (`key`, start, count, ok)
        VALUES (?, UNIX_TIMESTAMP() DIV 3600, 1, 1)
        ON DUPLICATE KEY UPDATE ok = start <> VALUES(start) OR count < #,
            count = IF(ok, IF(start = VALUES(start), count + 1, 1), count), start = VALUES(start)",
        "SELECT ok FROM peer_window WHERE `key` = ?",
    ),
    gcra: Sql::Told(
        "INSERT INTO peer_gcra (`key`, tat, ok)
        VALUES (?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) + #, 1)
        ON DUPLICATE KEY UPDATE
            ok = GREATEST(tat, VALUES(tat) - #) <= VALUES(tat) + 3600000000 - # - #,
            tat = IF(ok, GREATEST(tat, VALUES(tat) - #) + #, tat)",
        "SELECT ok FROM peer_gcra WHERE `key` = ?",
    ),
    log: Sql::Several(&[
        "INSERT INTO peer_log_key (`key`) VALUES (?)
        ON DUPLICATE KEY UPDATE `key` = VALUES(`key`)",
        "DELETE FROM peer_log WHERE `key` = ?
            AND at <= TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) - 1000000",
        "INSERT INTO peer_log (`key`, at)
        SELECT ?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) FROM DUAL
        WHERE (SELECT COUNT(*) FROM peer_log WHERE `key` = ?) < #",
    ]),
};

pub(crate) const SQLITE: Dialect = Dialect {
    tables: "
        CREATE TABLE peer_window (key text PRIMARY KEY, start integer NOT NULL, count integer NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE peer_gcra (key text PRIMARY KEY, tat integer NOT NULL) WITHOUT ROWID;
        CREATE TABLE peer_log (key text NOT NULL, at integer NOT NULL);
        CREATE INDEX peer_log_key ON peer_log (key, at)",
    window: Sql::One(
        "INSERT INTO peer_window AS w (key, start, count)
        VALUES (?, unixepoch() / 3600, 1)
        ON CONFLICT (key) DO UPDATE SET start = excluded.start,
            count = CASE WHEN w.start = excluded.start THEN w.count + 1 ELSE 1 END
        WHERE w.start <> excluded.start OR w.count < #
        RETURNING count",
    ),
    gcra: Sql::One(
        "INSERT INTO peer_gcra AS g (key, tat)
        VALUES (?, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + #)
        ON CONFLICT (key) DO UPDATE SET tat = max(g.tat, excluded.tat - #) + #
        WHERE max(g.tat, excluded.tat - #) <= excluded.tat + 3600000000 - # - #
        RETURNING tat",
    ),
    log: Sql::Several(&[
        "DELETE FROM peer_log WHERE key = ?
            AND at <= CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 - 1000000 RETURNING 1",
        "INSERT INTO peer_log (key, at)
        SELECT ?, CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
        WHERE (SELECT count(*) FROM peer_log WHERE key = ?) < # RETURNING 1",
    ]),
};

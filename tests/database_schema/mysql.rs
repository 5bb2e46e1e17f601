//! MariaDB: what its catalogue says.

use diesel::{
    Connection, MysqlConnection, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Nullable, Text},
};

use super::{
    facts::{Column, Table, Tables},
    subject::Subject,
    support::database::MysqlServer,
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    nullable: String,
    #[diesel(sql_type = Text)]
    extra: String,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Nullable<Text>)]
    column_default: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    column_check: Option<String>,
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    columns: String,
}

const TABLES: &str = "SELECT table_name AS name, '' AS columns FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name LIKE '%ratelimit%'";

/// Whatever a column's check is named, it mentions the column.
const COLUMNS: &str = "
    SELECT column_name AS name, CONVERT(column_type USING utf8mb4) AS kind, is_nullable AS nullable,
        extra AS extra, CONVERT(column_key USING utf8mb4) AS role, column_default AS column_default,
        (SELECT MAX(check_clause) FROM information_schema.check_constraints c
            WHERE c.constraint_schema = DATABASE() AND c.table_name = t.table_name
            AND check_clause LIKE CONCAT('`', column_name, '`%')) AS column_check
    FROM information_schema.columns t WHERE table_schema = DATABASE() AND table_name = ?
    ORDER BY ordinal_position";

const INDEXES: &str = "SELECT index_name AS name, \
     GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', ') AS columns \
     FROM information_schema.statistics \
     WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 1 GROUP BY index_name";

impl Subject for MysqlConnection {
    type Server = std::sync::Arc<MysqlServer>;
    const DIALECT: &str = "mysql";

    fn empty() -> (Self::Server, Self) {
        let server = MysqlServer::shared();
        let connection = Self::establish(&server.database()).unwrap();
        (server, connection)
    }

    fn tables(&mut self) -> Tables {
        let tables: Vec<Named> = sql_query(TABLES).load(self).unwrap();
        tables.into_iter().map(|table| (table.name.clone(), described(self, &table.name))).collect()
    }

    fn next_id_may_exceed_32_bits(&mut self) {
        let raise = "ALTER TABLE django_smart_ratelimit_entry AUTO_INCREMENT = 3000000000";
        sql_query(raise).execute(self).unwrap();
    }
}

fn described(connection: &mut MysqlConnection, table: &str) -> Table {
    let found: Vec<Found> = sql_query(COLUMNS).bind::<Text, _>(table).load(connection).unwrap();
    let columns = found.into_iter().map(|found| Column {
        name: found.name,
        kind: plain(&found.kind),
        nullable: found.nullable == "YES",
        primary: found.role == "PRI",
        auto: found.extra.contains("auto_increment"),
        unique: found.role == "UNI",
        default: found.column_default,
        check: found.column_check.map(|check| check.replace('`', "")),
    });
    let columns = columns.map(|column| column.in_words()).collect();
    let indexes: Vec<Named> = sql_query(INDEXES).bind::<Text, _>(table).load(connection).unwrap();
    let indexes = indexes.into_iter().map(|index| (index.name, index.columns)).collect();
    Table { columns, indexes }
}

/// A type by the name that it was made with, without the width in which it would be displayed.
fn plain(kind: &str) -> String {
    match kind {
        "tinyint(1)" => "bool".to_owned(),
        _ if kind.starts_with("int") && kind.ends_with("unsigned") => "integer UNSIGNED".to_owned(),
        _ if kind.starts_with("int") => "integer".to_owned(),
        _ if kind.starts_with("bigint") => "bigint".to_owned(),
        _ => kind.to_owned(),
    }
}

//! SQLite: what its catalogue says.

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{Integer, Nullable, Text},
};
use tempfile::TempDir;

use super::{
    facts::{Column, Table, Tables},
    subject::Subject,
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Integer)]
    notnull: i32,
    #[diesel(sql_type = Integer)]
    pk: i32,
    #[diesel(sql_type = Nullable<Text>)]
    column_default: Option<String>,
    #[diesel(sql_type = Integer)]
    is_unique: i32,
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    definition: String,
}

const TABLES: &str = "SELECT name, sql AS definition FROM sqlite_master \
     WHERE type = 'table' AND name LIKE '%ratelimit%'";

const COLUMNS: &str = "
    SELECT name, type AS kind, \"notnull\", pk, dflt_value AS column_default,
        EXISTS (SELECT * FROM pragma_index_list(?1) i JOIN pragma_index_info(i.name) c
            WHERE i.\"unique\" = 1 AND i.origin = 'u' AND c.name = t.name) AS is_unique
    FROM pragma_table_info(?1) t ORDER BY cid";

const INDEXES: &str = "SELECT i.name AS name, \
     (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) \
     AS definition FROM pragma_index_list(?1) i WHERE i.\"unique\" = 0";

impl Subject for SqliteConnection {
    type Server = TempDir;
    const DIALECT: &str = "sqlite";

    fn empty() -> (TempDir, Self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limits.sqlite");
        let connection = Self::establish(file.to_str().unwrap()).unwrap();
        (folder, connection)
    }

    fn tables(&mut self) -> Tables {
        let tables: Vec<Named> = sql_query(TABLES).load(self).unwrap();
        tables.into_iter().map(|table| (table.name.clone(), described(self, &table))).collect()
    }

    fn next_id_may_exceed_32_bits(&mut self) {
        let raise = "UPDATE sqlite_sequence SET seq = 3000000000 \
                     WHERE name = 'django_smart_ratelimit_entry'";
        sql_query(raise).execute(self).unwrap();
    }
}

fn described(connection: &mut SqliteConnection, table: &Named) -> Table {
    let of = |name: &str| name.to_owned();
    let found: Vec<Found> =
        sql_query(COLUMNS).bind::<Text, _>(of(&table.name)).load(connection).unwrap();
    let columns = found.into_iter().map(|found| Column {
        check: check_of(&found.name, &table.definition),
        // It keeps the names of its own types in capitals.
        kind: found.kind.to_lowercase(),
        nullable: found.notnull == 0,
        primary: found.pk > 0,
        auto: found.pk > 0 && table.definition.contains("AUTOINCREMENT"),
        unique: found.is_unique > 0,
        default: found.column_default,
        name: found.name,
    });
    let columns = columns.map(|column| column.in_words()).collect();
    let indexes: Vec<Named> =
        sql_query(INDEXES).bind::<Text, _>(of(&table.name)).load(connection).unwrap();
    let indexes = indexes.into_iter().map(|index| (index.name, index.definition)).collect();
    Table { columns, indexes }
}

/// The check in a table's definition that begins with this column.
fn check_of(column: &str, definition: &str) -> Option<String> {
    let (_, rest) = definition.split_once(&format!("CHECK (\"{column}\""))?;
    let (condition, _) = rest.split_once(')')?;
    Some(format!("{column}{condition}"))
}

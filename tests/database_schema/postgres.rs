//! PostgreSQL: what its catalogue says, and what Django has left in it.

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{
    facts::{Column, Table, Tables},
    subject::Subject,
    support::database::PostgresServer,
};

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
    #[diesel(sql_type = Bool)]
    auto: bool,
    #[diesel(sql_type = Bool)]
    is_primary: bool,
    #[diesel(sql_type = Bool)]
    is_unique: bool,
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
    definition: String,
}

const TABLES: &str = "SELECT relname::text AS name, '' AS definition FROM pg_class \
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname LIKE '%ratelimit%'";

const COLUMNS: &str = "
    SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind,
        NOT attnotnull AS nullable,
        attidentity = 'd' OR pg_get_serial_sequence(attrelid::regclass::text, attname) IS NOT NULL
            AS auto,
        EXISTS (SELECT FROM pg_index
            WHERE indrelid = attrelid AND indisprimary AND attnum = ANY(indkey)) AS is_primary,
        EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indisunique AND NOT indisprimary
            AND indnatts = 1 AND attnum = ANY(indkey)) AS is_unique,
        (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
            WHERE adrelid = attrelid AND adnum = attnum) AS column_default,
        (SELECT pg_get_constraintdef(oid) FROM pg_constraint
            WHERE conrelid = attrelid AND contype = 'c' AND conkey = ARRAY[attnum]) AS column_check
    FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum";

const INDEXES: &str = "SELECT indexrelid::regclass::text AS name, \
     pg_get_indexdef(indexrelid) AS definition \
     FROM pg_index WHERE indrelid = $1::regclass AND NOT indisunique";

impl Subject for PgConnection {
    type Server = std::sync::Arc<PostgresServer>;
    const DIALECT: &str = "postgres";

    fn empty() -> (Self::Server, Self) {
        let server = PostgresServer::shared();
        let connection = Self::establish(&server.database()).unwrap();
        (server, connection)
    }

    fn tables(&mut self) -> Tables {
        let tables: Vec<Named> = sql_query(TABLES).load(self).unwrap();
        tables.into_iter().map(|table| (table.name.clone(), described(self, &table.name))).collect()
    }

    fn next_id_may_exceed_32_bits(&mut self) {
        let raise = "SELECT setval(pg_get_serial_sequence('django_smart_ratelimit_entry', 'id'), \
                     3000000000) AS number";
        let raised: Vec<Count> = sql_query(raise).load(self).unwrap();
        assert_eq!(raised[0].number, 3_000_000_000);
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn described(connection: &mut PgConnection, table: &str) -> Table {
    let found: Vec<Found> = sql_query(COLUMNS).bind::<Text, _>(table).load(connection).unwrap();
    let columns = found.into_iter().map(|found| Column {
        name: found.name,
        kind: found.kind.replace("character varying", "varchar"),
        nullable: found.nullable,
        primary: found.is_primary,
        auto: found.auto,
        unique: found.is_unique,
        default: found.column_default,
        check: found.column_check.map(|check| check.replace("CHECK ", "").replace(['(', ')'], "")),
    });
    let columns = columns.map(|column| column.in_words()).collect();
    let indexes: Vec<Named> = sql_query(INDEXES).bind::<Text, _>(table).load(connection).unwrap();
    let indexes = indexes.into_iter().map(|index| {
        let (_, columns) = index.definition.split_once('(').unwrap();
        (index.name, columns.trim_end_matches(')').replace('"', ""))
    });
    Table { columns, indexes: indexes.collect() }
}

//! Overrides: rows of the original's table of configuration, which the original never reads.

use diesel::QueryResult;

use super::tables::Tables;
use crate::backend::OverrideRow;

/// The active rows, the oldest first.
pub(super) fn read<T: Tables>(tables: &mut T) -> QueryResult<Vec<OverrideRow>> {
    let q = T::FRAGMENTS.quote;
    let id = T::whole(&format!("{q}id{q}"));
    let sql = format!(
        "SELECT {id}, {q}key_pattern{q}, {q}rate_limit{q}, {q}algorithm{q} \
         FROM {q}django_smart_ratelimit_config{q} WHERE {q}is_active{q} ORDER BY {q}id{q}"
    );
    let row = |(id, key_pattern, rate, algorithm): (i64, _, _, _)| OverrideRow {
        id: id.to_string(),
        key_pattern,
        rate,
        algorithm,
    };
    Ok(tables.texts(sql)?.into_iter().map(row).collect())
}

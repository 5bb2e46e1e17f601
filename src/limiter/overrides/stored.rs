//! Overrides as a store keeps them: rows of text that somebody wrote.

use std::collections::HashSet;

use super::{Override, without};
use crate::{Error, backend::OverrideRow};

/// Those rows that can be understood, and what is wrong with the others.
pub(super) fn read(rows: &[OverrideRow], prefix: &str) -> (Vec<Override>, Vec<Error>) {
    let (mut overrides, mut faults) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for row in rows {
        match read_row(row) {
            Ok(read) if seen.insert(without(prefix, &row.key_pattern)) => overrides.push(read),
            Ok(_) => {
                let reason = "an earlier row has the same pattern";
                let fault = Error::new("", &row.key_pattern, reason, "remove one of the two");
                faults.push(at(row, "key_pattern", fault));
            }
            Err(fault) => faults.push(fault),
        }
    }
    (overrides, faults)
}

fn read_row(row: &OverrideRow) -> Result<Override, Error> {
    let rate = row.rate.parse().map_err(|fault| at(row, "rate_limit", fault))?;
    let read = Override::new(&row.key_pattern, rate);
    let read = read.map_err(|fault| at(row, "key_pattern", fault))?;
    let algorithm = row.algorithm.parse().map_err(|fault| at(row, "algorithm", fault))?;
    Ok(read.algorithm(algorithm))
}

fn at(row: &OverrideRow, column: &str, fault: Error) -> Error {
    fault.at(format!("overrides[id={}].{column}", row.id))
}

//! Rows of results: a table for people, JSON for machines.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::measure::Samples;

/// How the `ratio` column is to be read.
const LEGEND: &str = "\
value: median of interleaved rounds.
ratio: ours ÷ contender, median of the rounds' quotients.
       Costs (ns, µs, bytes): below 1, ours is cheaper.
       Throughput (decisions/s, requests/s): above 1, ours is faster.";

/// One contender's result in one case.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) contender: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Ours ÷ contender; 1 on our own row.
    pub(crate) ratio: f64,
}

/// One row for each of `samples`, compared with `ours`.
pub(crate) fn compare<'a>(
    case: &str,
    unit: &'static str,
    ours: &Samples<f64>,
    samples: impl IntoIterator<Item = &'a Samples<f64>>,
) -> Vec<Row> {
    let row = |samples: &Samples<f64>| Row {
        case: case.to_owned(),
        contender: samples.name.clone(),
        value: samples.median(),
        unit,
        ratio: ours.ratio(samples),
    };
    samples.into_iter().map(row).collect()
}

/// Prints the legend and an aligned table.
pub(crate) fn print(rows: &[Row]) {
    println!("{LEGEND}\n");
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["case", "contender", "value", "unit", "ratio"]);
    let mut previous = None;
    for row in rows {
        if previous.is_some_and(|case| case != &row.case) {
            table.add_row([""]);
        }
        previous = Some(&row.case);
        table.add_row([
            row.case.clone(),
            row.contender.clone(),
            figure(row.value),
            row.unit.to_owned(),
            format!("{:.2}", row.ratio),
        ]);
    }
    for column in [2, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

/// Prints the rows as a JSON array.
pub(crate) fn print_json(rows: &[Row]) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(rows)?);
    Ok(())
}

/// Three or four significant digits, whatever the size.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        magnitude if magnitude >= 1000.0 => 0,
        magnitude if magnitude >= 100.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(name: &str, rounds: &[f64]) -> Samples<f64> {
        Samples { name: name.to_owned(), rounds: rounds.to_vec() }
    }

    #[test]
    fn a_row_holds_the_median_and_ours_divided_by_the_contender() {
        let ours = samples("ours", &[10.0, 20.0, 30.0]);
        let peer = samples("peer", &[40.0, 40.0, 40.0]);
        let rows = compare("case", "ns", &ours, [&ours, &peer]);
        assert_eq!((rows[0].value, rows[0].ratio), (20.0, 1.0));
        assert_eq!((rows[1].value, rows[1].ratio), (40.0, 0.5));
    }

    #[test]
    fn a_row_in_json_has_the_five_documented_fields() {
        let ours = samples("ours", &[1.0]);
        let rows = compare("case", "ns", &ours, [&ours]);
        let json = serde_json::to_string(&rows).unwrap();
        let expected =
            r#"[{"case":"case","contender":"ours","value":1.0,"unit":"ns","ratio":1.0}]"#;
        assert_eq!(json, expected);
    }
}

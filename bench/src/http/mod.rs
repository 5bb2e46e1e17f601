//! Group `http`: what a request costs with the middleware around it.

mod contender;
mod inprocess;
mod load;
pub(crate) mod serve;
pub(crate) mod socket;

use anyhow::{Context, Result};

use self::contender::Contender;
use crate::Options;
use crate::measure::Samples;
use crate::table::Row;

/// One comparison among contenders that were measured together.
struct Case {
    name: &'static str,
    /// The row that the ratios compare with the others.
    ours: Contender,
    others: &'static [Contender],
}

impl Case {
    fn contenders(&self) -> impl Iterator<Item = Contender> {
        [self.ours].into_iter().chain(self.others.iter().copied())
    }
}

/// In process first, then over sockets.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>> {
    let mut rows = inprocess::run(options)?;
    rows.extend(socket::run(options)?);
    Ok(rows)
}

/// The cases that `--filter` lets through.
fn selected<'a>(options: &Options, cases: &'a [Case]) -> Vec<&'a Case> {
    let cases = cases.iter();
    cases.filter(|case| options.selects(case.name)).collect()
}

/// Everyone who takes part in one of `cases`, once.
fn participants(cases: &[&Case]) -> Vec<Contender> {
    let mut participants = Vec::new();
    for contender in cases.iter().flat_map(|case| case.contenders()) {
        if !participants.contains(&contender) {
            participants.push(contender);
        }
    }
    participants
}

/// The samples of `contender` among those of all participants.
fn samples_of<T>(samples: &[Samples<T>], contender: Contender) -> Result<&Samples<T>> {
    let name = contender.name();
    samples
        .iter()
        .find(|samples| samples.name == name)
        .with_context(|| format!("{name} was not measured"))
}

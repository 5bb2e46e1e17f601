//! What happened in a run, as lines of text: each process writes its own file.

use std::{fmt, str::FromStr};

/// What came of asking one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Result {
    Allowed,
    Refused,
    /// It failed, and took nothing.
    Failed,
    /// It failed, or was given up, and may have taken the cost.
    Unknown,
}

/// What a request was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Allowed,
    Refused,
    Otherwise(String),
}

/// One store, or the process itself, asked for one request. Times are nanoseconds of a clock that all
/// processes share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) process: u32,
    pub(crate) request: u64,
    pub(crate) place: String,
    pub(crate) limit: String,
    pub(crate) key: String,
    pub(crate) cost: u64,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) result: Result,
    pub(crate) remaining: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) process: u32,
    pub(crate) number: u64,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: Ended,
}

/// A stretch of time at a store: a probe, a pause in which it is not asked, a loss of what it counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) process: u32,
    pub(crate) place: String,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) requests: Vec<Request>,
    pub(crate) probes: Vec<Span>,
    pub(crate) pauses: Vec<Span>,
    pub(crate) losses: Vec<Span>,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Attempt(Attempt),
    Request(Request),
    Probe(Span),
    Pause(Span),
    Loss(Span),
}

impl History {
    pub(crate) fn add(&mut self, line: Line) {
        match line {
            Line::Attempt(attempt) => self.attempts.push(attempt),
            Line::Request(request) => self.requests.push(request),
            Line::Probe(span) => self.probes.push(span),
            Line::Pause(span) => self.pauses.push(span),
            Line::Loss(span) => self.losses.push(span),
        }
    }

    /// Adds the lines of a file.
    ///
    /// # Panics
    ///
    /// At a line that is none.
    pub(crate) fn read(&mut self, text: &str) {
        for line in text.lines() {
            self.add(line.parse().unwrap_or_else(|()| panic!("not a line of a history: {line:?}")));
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(a) => {
                let Attempt { process, request, place, limit, key, cost, begun, ended, .. } = a;
                let result = match a.result {
                    Result::Allowed => "allowed",
                    Result::Refused => "refused",
                    Result::Failed => "failed",
                    Result::Unknown => "unknown",
                };
                let left = a.remaining;
                write!(f, "attempt {process} {request} {place} {limit} {key} {cost} ")?;
                write!(f, "{begun} {ended} {result} {left}")
            }
            Self::Request(r) => {
                let outcome = match &r.outcome {
                    Ended::Allowed => "allowed",
                    Ended::Refused => "refused",
                    Ended::Otherwise(other) => other,
                };
                let Request { process, number, begun, ended, .. } = r;
                write!(f, "request {process} {number} {begun} {ended} {outcome}")
            }
            Self::Probe(span) => write!(f, "probe {span}"),
            Self::Pause(span) => write!(f, "pause {span}"),
            Self::Loss(span) => write!(f, "loss {span}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.process, self.place, self.begun, self.ended)
    }
}

impl FromStr for Line {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (word, rest) = text.split_once(' ').ok_or(())?;
        let fields: Vec<_> = rest.split(' ').collect();
        let number =
            |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).ok_or(());
        let process = u32::try_from(number(0)?).map_err(drop)?;
        let name = |at: usize| fields.get(at).map(|field| (*field).to_owned()).ok_or(());
        let span = || -> std::result::Result<Span, ()> {
            Ok(Span { process, place: name(1)?, begun: number(2)?, ended: number(3)? })
        };
        Ok(match word {
            "attempt" => Self::Attempt(Attempt {
                process,
                request: number(1)?,
                place: name(2)?,
                limit: name(3)?,
                key: name(4)?,
                cost: number(5)?,
                begun: number(6)?,
                ended: number(7)?,
                result: match fields.get(8) {
                    Some(&"allowed") => Result::Allowed,
                    Some(&"refused") => Result::Refused,
                    Some(&"failed") => Result::Failed,
                    Some(&"unknown") => Result::Unknown,
                    _ => return Err(()),
                },
                remaining: number(9)?,
            }),
            "request" => Self::Request(Request {
                process,
                number: number(1)?,
                begun: number(2)?,
                ended: number(3)?,
                outcome: match &*name(4)? {
                    "allowed" => Ended::Allowed,
                    "refused" => Ended::Refused,
                    other => Ended::Otherwise(other.to_owned()),
                },
            }),
            "probe" => Self::Probe(span()?),
            "pause" => Self::Pause(span()?),
            "loss" => Self::Loss(span()?),
            _ => return Err(()),
        })
    }
}

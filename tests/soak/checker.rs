//! Judges the history of a run: who asked what of which store, and what came back.
//!
//! It knows admissions and bounds, and nothing of the limiter: no word of its code is used here. What it
//! says is wrong is wrong whatever the timing was; `mutants` shows what it finds.

use std::collections::{BTreeMap, HashMap};

use super::history::{Attempt, Ended, History, Request, Result};

/// What a limit promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// Permits of a key that was never seen.
    pub(crate) permits: u64,
    /// Nanoseconds in which one permit comes back; none does if this is `None`.
    pub(crate) interval: Option<u64>,
}

/// What a run was made of.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) promises: BTreeMap<String, Promise>,
    pub(crate) stores: Vec<String>,
    pub(crate) processes: u64,
    /// Longer than this no request may take, in nanoseconds.
    pub(crate) patience: u64,
}

/// Where processes count by themselves.
pub(crate) const LOCAL: &str = "local";
/// By how much clocks of stores may differ from ours in a stretch of time: 200 in a million, and a
/// millisecond.
const DRIFT: u64 = 5_000;
const SLACK: u64 = 1_000_000;

/// What was counted together: a store's key, or one process's own.
type Counter<'h> = (&'h str, u32, &'h str, &'h str);

/// What is wrong with a history.
pub(crate) fn faults(history: &History, setting: &Setting) -> Vec<String> {
    let mut faults = Vec::new();
    let mut counters: BTreeMap<Counter<'_>, Vec<&Attempt>> = BTreeMap::new();
    for attempt in &history.attempts {
        let process = if attempt.place == LOCAL { attempt.process } else { 0 };
        let counter = (&*attempt.place, process, &*attempt.limit, &*attempt.key);
        counters.entry(counter).or_default().push(attempt);
    }
    for (counter, attempts) in &counters {
        let Some(promise) = setting.promises.get(counter.2) else {
            faults.push(format!("{counter:?}: there is no such limit"));
            continue;
        };
        let losses: Vec<_> =
            history.losses.iter().filter(|loss| loss.place == counter.0).map(|l| l.begun).collect();
        let judged = match promise.interval {
            None => judge_total(attempts, promise.permits, losses.len() as u64),
            Some(interval) => judge_rate(attempts, promise.permits, interval, &losses),
        };
        faults.extend(judged.into_iter().map(|fault| format!("{counter:?}: {fault}")));
    }
    faults.extend(judge_all_places(history, setting));
    faults.extend(judge_requests(history, setting));
    faults.extend(judge_probes(history));
    faults.extend(judge_pauses(history));
    faults
}

fn admitted<'h>(attempts: &[&'h Attempt]) -> Vec<&'h Attempt> {
    attempts.iter().filter(|attempt| attempt.result == Result::Allowed).copied().collect()
}

fn cost<'h>(attempts: impl IntoIterator<Item = &'h Attempt>) -> u64 {
    attempts.into_iter().map(|attempt| attempt.cost).sum()
}

/// Limits whose permits do not come back while the run lasts.
fn judge_total(attempts: &[&Attempt], permits: u64, losses: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let allowed = admitted(attempts);
    let (sum, most) = (cost(allowed.iter().copied()), permits * (1 + losses));
    if sum > most {
        faults.push(format!("{sum} were admitted, at most {most} may be"));
    }
    for refusal in attempts.iter().filter(|attempt| attempt.result == Result::Refused) {
        let may_be_charged = |attempt: &&&Attempt| {
            matches!(attempt.result, Result::Allowed | Result::Unknown)
                && attempt.begun < refusal.ended
        };
        let charged = cost(attempts.iter().filter(may_be_charged).copied());
        if charged + refusal.cost <= permits {
            let at = refusal.begun;
            faults.push(format!("refused at {at}, when at most {charged} could be taken"));
        }
    }
    if losses == 0 {
        faults.extend(judge_remaining(&allowed, permits));
    }
    faults
}

/// Each admission took permits of its own, from the highest down, in the order of time.
fn judge_remaining(allowed: &[&Attempt], permits: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut taken: Vec<_> = allowed
        .iter()
        .map(|attempt| (attempt.remaining, attempt.remaining + attempt.cost))
        .collect();
    taken.sort_unstable();
    if taken.last().is_some_and(|(_, end)| *end > permits) {
        faults.push(format!("more is left than there is: {:?}", taken.last()));
    }
    if let Some(pair) = taken.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        faults.push(format!("permits were given twice: {pair:?}"));
    }
    let mut by_end: Vec<_> = allowed.to_vec();
    by_end.sort_by_key(|attempt| attempt.ended);
    let mut by_begin = by_end.clone();
    by_begin.sort_by_key(|attempt| attempt.begun);
    let (mut before, mut least) = (by_end.iter().peekable(), u64::MAX);
    for attempt in by_begin {
        while let Some(earlier) = before.next_if(|earlier| earlier.ended < attempt.begun) {
            least = least.min(earlier.remaining);
        }
        if attempt.remaining + attempt.cost > least {
            faults
                .push(format!("{} are left at {} after {least}", attempt.remaining, attempt.begun));
        }
    }
    faults
}

/// In no stretch of time is more admitted than the burst and what comes back in it. Counted is what
/// certainly happened in it, from the first question to the last answer.
fn judge_rate(allowed: &[&Attempt], burst: u64, interval: u64, losses: &[u64]) -> Vec<String> {
    let mut by_end = admitted(allowed);
    by_end.sort_by_key(|attempt| attempt.ended);
    for first in by_end.iter().step_by(by_end.len().div_ceil(2_000).max(1)) {
        let mut sum = 0;
        for last in by_end.iter().filter(|attempt| attempt.begun >= first.begun) {
            sum += last.cost;
            let time = last.ended - first.begun;
            let time = time + time / DRIFT + SLACK;
            let inside = |loss: &&u64| (first.begun..=last.ended).contains(*loss);
            let lost = losses.iter().filter(inside).count() as u64;
            let most = burst * (1 + lost) + time / interval;
            if sum > most {
                let from = first.begun;
                return vec![format!("{sum} were admitted in {time} ns from {from}, not {most}")];
            }
        }
    }
    Vec::new()
}

/// A client gains at most its limit from each store, again from one that lost what it had counted, and
/// from each process.
fn judge_all_places(history: &History, setting: &Setting) -> Vec<String> {
    let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for attempt in history.attempts.iter().filter(|attempt| attempt.result == Result::Allowed) {
        *sums.entry((&attempt.limit, &attempt.key)).or_default() += attempt.cost;
    }
    let sources = (setting.stores.len() + history.losses.len()) as u64 + setting.processes;
    let over = sums.into_iter().filter_map(|(counter, sum)| {
        let promise = setting.promises.get(counter.0)?;
        let most = promise.permits * sources;
        (promise.interval.is_none() && sum > most)
            .then(|| format!("{counter:?}: {sum} were admitted in all, at most {most} may be"))
    });
    over.collect()
}

/// A request is decided once, by the last one that was asked; nobody is asked twice, and nobody after
/// an answer.
fn judge_requests(history: &History, setting: &Setting) -> Vec<String> {
    let mut asked: HashMap<(u32, u64), Vec<&Attempt>> = HashMap::new();
    for attempt in &history.attempts {
        asked.entry((attempt.process, attempt.request)).or_default().push(attempt);
    }
    let mut faults = Vec::new();
    for request in &history.requests {
        let mut attempts = asked.remove(&(request.process, request.number)).unwrap_or_default();
        attempts.sort_by_key(|attempt| (attempt.place == LOCAL, attempt.begun));
        let fault = judge_request(request, &attempts, setting);
        faults.extend(fault.map(|fault| format!("{request:?}: {fault}: {attempts:?}")));
    }
    faults.extend(asked.into_keys().map(|lost| format!("{lost:?} asked and was never decided")));
    faults
}

fn judge_request(
    request: &Request,
    attempts: &[&Attempt],
    setting: &Setting,
) -> Option<&'static str> {
    let Some((last, before)) = attempts.split_last() else { return Some("it asked nobody") };
    let is_known =
        |place: &str| place == LOCAL || setting.stores.iter().any(|store| store == place);
    if attempts.iter().any(|attempt| !is_known(&attempt.place)) {
        return Some("it asked a stranger");
    }
    let twice = |(at, attempt): (usize, &&Attempt)| {
        attempts[..at].iter().any(|earlier| earlier.place == attempt.place)
    };
    if attempts.iter().enumerate().any(twice) {
        return Some("it asked somebody twice");
    }
    if before.iter().any(|attempt| matches!(attempt.result, Result::Allowed | Result::Refused)) {
        return Some("it was answered and asked on");
    }
    if request.ended - request.begun > setting.patience {
        return Some("it waited too long");
    }
    match (&request.outcome, last.result) {
        (Ended::Allowed, Result::Allowed) | (Ended::Refused, Result::Refused) => None,
        _ => Some("its outcome is not the last answer"),
    }
}

/// A process looks at a store once at a time.
fn judge_probes(history: &History) -> Vec<String> {
    let mut probes: BTreeMap<(u32, &str), Vec<(u64, u64)>> = BTreeMap::new();
    for probe in &history.probes {
        probes.entry((probe.process, &probe.place)).or_default().push((probe.begun, probe.ended));
    }
    let mut faults = Vec::new();
    for (who, mut spans) in probes {
        spans.sort_unstable();
        if let Some(pair) = spans.windows(2).find(|pair| pair[1].0 < pair[0].1) {
            faults.push(format!("{who:?} probed twice at once: {pair:?}"));
        }
    }
    faults
}

/// A process sends a store nothing from when it was given up until it is probed.
fn judge_pauses(history: &History) -> Vec<String> {
    let mut faults = Vec::new();
    for pause in &history.pauses {
        let asked = history.attempts.iter().find(|attempt| {
            (attempt.process, &attempt.place) == (pause.process, &pause.place)
                && (pause.begun + 1..pause.ended).contains(&attempt.begun)
        });
        faults.extend(asked.map(|attempt| format!("{pause:?}, and still {attempt:?}")));
    }
    faults
}

//! The checker is checked: it has nothing to say about a right limiter, and finds every wrong one.

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;

use super::{
    checker::{LOCAL, Promise, Setting, faults},
    history::{Attempt, Ended, History, Line, Request, Result, Span},
};

/// What is wrong with a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    AdmitsOneTooMany,
    ReadsBeforeItWrites,
    ForgetsCounters,
    ForgetsCostsAboveOne,
    RefillsTooFast,
    LargerBurst,
    RefusesTooEarly,
    RefusesAtRandom,
    ChargesTwice,
    ChargesRefusals,
    KeysShareACounter,
    ProcessesCountApart,
    LimitsShareACounter,
    ToldRemainingIsStale,
    ToldRemainingIsTooMuch,
    ToldRemainingIgnoresCost,
    LocalAdmitsEverything,
    LocalBeginsAnewEachTime,
    LocalCountsPerThread,
    LocalIgnoresTheRate,
    RefusalFailsOver,
    AdmissionFailsOver,
    RepeatsUnknown,
    RepeatsFailed,
    AsksAStranger,
    LosesRequests,
    AdmitsTheRefused,
    RefusesTheAdmitted,
    AnswersWithAnError,
    AsksNobody,
    WaitsForEver,
    ProbesTwiceAtOnce,
    AsksWhileOpen,
    RecoversWithEmptyCounters,
}

const ALL: [Wrong; 34] = [
    Wrong::AdmitsOneTooMany,
    Wrong::ReadsBeforeItWrites,
    Wrong::ForgetsCounters,
    Wrong::ForgetsCostsAboveOne,
    Wrong::RefillsTooFast,
    Wrong::LargerBurst,
    Wrong::RefusesTooEarly,
    Wrong::RefusesAtRandom,
    Wrong::ChargesTwice,
    Wrong::ChargesRefusals,
    Wrong::KeysShareACounter,
    Wrong::ProcessesCountApart,
    Wrong::LimitsShareACounter,
    Wrong::ToldRemainingIsStale,
    Wrong::ToldRemainingIsTooMuch,
    Wrong::ToldRemainingIgnoresCost,
    Wrong::LocalAdmitsEverything,
    Wrong::LocalBeginsAnewEachTime,
    Wrong::LocalCountsPerThread,
    Wrong::LocalIgnoresTheRate,
    Wrong::RefusalFailsOver,
    Wrong::AdmissionFailsOver,
    Wrong::RepeatsUnknown,
    Wrong::RepeatsFailed,
    Wrong::AsksAStranger,
    Wrong::LosesRequests,
    Wrong::AdmitsTheRefused,
    Wrong::RefusesTheAdmitted,
    Wrong::AnswersWithAnError,
    Wrong::AsksNobody,
    Wrong::WaitsForEver,
    Wrong::ProbesTwiceAtOnce,
    Wrong::AsksWhileOpen,
    Wrong::RecoversWithEmptyCounters,
];

const STORES: [&str; 2] = ["first", "second"];
const PROCESSES: u32 = 3;
const MILLISECOND: u64 = 1_000_000;
const REQUESTS: usize = 3_000;
/// Of the limit whose permits come back: this many, and one each so often.
const BURST: u64 = 10;
const INTERVAL: u64 = 20 * MILLISECOND;
const TOTALS: [(&str, u64); 2] = [("total", 20), ("other", 35)];

fn setting() -> Setting {
    let total = TOTALS.map(|(name, permits)| (name, Promise { permits, interval: None }));
    let rate = ("rate", Promise { permits: BURST, interval: Some(INTERVAL) });
    let promises: BTreeMap<_, _> =
        total.into_iter().chain([rate]).map(|(name, promise)| (name.to_owned(), promise)).collect();
    Setting {
        promises,
        stores: STORES.map(str::to_owned).to_vec(),
        processes: PROCESSES.into(),
        patience: 1_000 * MILLISECOND,
    }
}

/// How one process sees one store.
#[derive(Clone, Copy, Default)]
struct Breaker {
    failures: u32,
    open_since: Option<u64>,
}

/// Stores, processes and a network in which time is a number. Requests overlap, and are decided in the
/// order in which they are made here.
struct World {
    wrong: Option<Wrong>,
    rng: Rng,
    now: u64,
    history: History,
    /// Permits taken, or the time until which a bucket is not full, by place, limit and key.
    states: HashMap<String, u64>,
    /// States as they were a while ago.
    stale: HashMap<String, u64>,
    is_up: [bool; 2],
    breakers: [[Breaker; 2]; PROCESSES as usize],
}

struct Asked<'a> {
    process: u32,
    request: u64,
    limit: &'a str,
    key: String,
    cost: u64,
}

impl World {
    fn run(wrong: Option<Wrong>, seed: u64) -> History {
        let mut world = Self {
            wrong,
            rng: Rng::with_seed(seed),
            now: 1_000 * MILLISECOND,
            history: History::default(),
            states: HashMap::new(),
            stale: HashMap::new(),
            is_up: [true; 2],
            breakers: Default::default(),
        };
        for request in 0..REQUESTS as u64 {
            world.step(request);
        }
        world.history
    }

    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == Some(wrong)
    }

    fn now_and_then(&mut self, wrong: Wrong, one_in: u32) -> bool {
        self.is(wrong) && self.rng.u32(..one_in) == 0
    }

    fn step(&mut self, request: u64) {
        self.now += self.rng.u64(1..2 * MILLISECOND);
        if self.rng.u32(..40) == 0 {
            let store = self.rng.usize(..2);
            self.is_up[store] = !self.is_up[store];
            if self.is_up[store] && self.is(Wrong::RecoversWithEmptyCounters) {
                self.states.retain(|name, _| !name.starts_with(STORES[store]));
            }
        }
        if self.rng.u32(..50) == 0 {
            self.stale = self.states.clone();
        }
        if self.rng.u32(..800) == 0 {
            self.lose(0);
        }
        let limit = ["total", "other", "rate"][self.rng.usize(..3)];
        let generation = self.now / (400 * MILLISECOND);
        let asked = Asked {
            process: self.rng.u32(..PROCESSES),
            request,
            limit,
            key: match limit {
                "rate" => "k".to_owned(),
                _ => format!("k{}", generation * 2 + self.rng.u64(..2)),
            },
            cost: self.rng.u64(1..=2),
        };
        self.request(&asked);
    }

    fn lose(&mut self, store: usize) {
        self.states.retain(|name, _| !name.starts_with(STORES[store]));
        let span = self.span(0, STORES[store], self.now, self.now);
        self.history.add(Line::Loss(span));
    }

    fn span(&self, process: u32, place: &str, begun: u64, ended: u64) -> Span {
        Span { process, place: place.to_owned(), begun, ended }
    }

    fn request(&mut self, asked: &Asked<'_>) {
        let begun = self.now;
        let mut outcome = Ended::Otherwise("error".to_owned());
        if !self.now_and_then(Wrong::AsksNobody, 50) {
            outcome = self.decide(asked);
        }
        if self.now_and_then(Wrong::LosesRequests, 200) {
            return;
        }
        outcome = match outcome {
            Ended::Refused if self.now_and_then(Wrong::AdmitsTheRefused, 50) => Ended::Allowed,
            Ended::Allowed if self.now_and_then(Wrong::RefusesTheAdmitted, 50) => Ended::Refused,
            _ if self.now_and_then(Wrong::AnswersWithAnError, 200) => {
                Ended::Otherwise("error".to_owned())
            }
            other => other,
        };
        let late = if self.now_and_then(Wrong::WaitsForEver, 200) { 60_000 } else { 3 };
        let ended = self.now + late * MILLISECOND;
        let (process, number) = (asked.process, asked.request);
        self.history.add(Line::Request(Request { process, number, begun, ended, outcome }));
    }

    fn decide(&mut self, asked: &Asked<'_>) -> Ended {
        for (store, name) in STORES.into_iter().enumerate() {
            if !self.is_asked(asked.process, store) {
                continue;
            }
            let place = match self.now_and_then(Wrong::AsksAStranger, 200) {
                true => "stranger",
                false => name,
            };
            let mut result = self.ask(asked, place, self.is_up[store]);
            let repeats = match result {
                Result::Unknown => self.now_and_then(Wrong::RepeatsUnknown, 3),
                Result::Failed => self.now_and_then(Wrong::RepeatsFailed, 3),
                _ => false,
            };
            if repeats {
                result = self.ask(asked, place, true);
            }
            self.learn(asked.process, store, result);
            let asks_on = match result {
                Result::Refused => self.now_and_then(Wrong::RefusalFailsOver, 10),
                Result::Allowed => self.now_and_then(Wrong::AdmissionFailsOver, 10),
                Result::Failed | Result::Unknown => true,
            };
            match result {
                Result::Allowed if !asks_on => return Ended::Allowed,
                Result::Refused if !asks_on => return Ended::Refused,
                _ => {}
            }
        }
        match self.ask(asked, LOCAL, true) {
            Result::Allowed => Ended::Allowed,
            _ => Ended::Refused,
        }
    }

    /// Whether a process asks a store now; where its pause is over, it probes first.
    fn is_asked(&mut self, process: u32, store: usize) -> bool {
        let breaker = self.breakers[process as usize][store];
        let Some(since) = breaker.open_since else { return true };
        if self.now < since + 20 * MILLISECOND {
            return self.now_and_then(Wrong::AsksWhileOpen, 5);
        }
        let pause = self.span(process, STORES[store], since, self.now);
        self.history.add(Line::Pause(pause));
        let probes = if self.now_and_then(Wrong::ProbesTwiceAtOnce, 3) { 2 } else { 1 };
        for _ in 0..probes {
            let probe = self.span(process, STORES[store], self.now, self.now + MILLISECOND);
            self.history.add(Line::Probe(probe));
        }
        self.now += 2 * MILLISECOND;
        let open_since = (!self.is_up[store]).then_some(self.now);
        self.breakers[process as usize][store] = Breaker { failures: 0, open_since };
        open_since.is_none()
    }

    fn learn(&mut self, process: u32, store: usize, result: Result) {
        let breaker = &mut self.breakers[process as usize][store];
        match result {
            Result::Allowed | Result::Refused => breaker.failures = 0,
            Result::Failed | Result::Unknown => breaker.failures += 1,
        }
        if breaker.failures >= 3 && breaker.open_since.is_none() {
            breaker.open_since = Some(self.now);
        }
    }

    /// Asks one place, and notes what came back.
    fn ask(&mut self, asked: &Asked<'_>, place: &str, is_up: bool) -> Result {
        let begun = self.now;
        self.now += self.rng.u64(1..50_000);
        let decided = (is_up || self.rng.u32(..2) == 0).then(|| self.judge(asked, place));
        let (result, remaining) = match (decided, is_up) {
            (Some(decided), true) => decided,
            (Some(_), false) => (Result::Unknown, 0),
            (None, _) => (Result::Failed, 0),
        };
        self.history.add(Line::Attempt(Attempt {
            process: asked.process,
            request: asked.request,
            place: place.to_owned(),
            limit: asked.limit.to_owned(),
            key: asked.key.clone(),
            cost: asked.cost,
            begun,
            ended: self.now + self.rng.u64(1..3 * MILLISECOND),
            result,
            remaining,
        }));
        result
    }

    /// The state that a place keeps for what is asked.
    fn state_name(&mut self, asked: &Asked<'_>, place: &str) -> String {
        let Asked { process, limit, key, .. } = asked;
        let is_local = place == LOCAL;
        let whose = match is_local || self.is(Wrong::ProcessesCountApart) {
            true => process.to_string(),
            false => String::new(),
        };
        let thread = match is_local && self.is(Wrong::LocalCountsPerThread) {
            true => self.rng.u32(..2),
            false => 0,
        };
        let limit =
            if self.is(Wrong::LimitsShareACounter) && *limit != "rate" { "any" } else { limit };
        let key = match self.is(Wrong::KeysShareACounter) && limit != "rate" {
            true => "one",
            false => key,
        };
        format!("{place}/{whose}/{thread}/{limit}/{key}")
    }

    fn judge(&mut self, asked: &Asked<'_>, place: &str) -> (Result, u64) {
        let name = self.state_name(asked, place);
        let is_local = place == LOCAL;
        if is_local && self.is(Wrong::LocalBeginsAnewEachTime) && self.rng.u32(..8) == 0 {
            self.states.remove(&name);
        }
        if self.now_and_then(Wrong::ForgetsCounters, 30) {
            self.states.remove(&name);
        }
        if self.now_and_then(Wrong::RefusesAtRandom, 50) {
            return (Result::Refused, 0);
        }
        let is_open = is_local
            && (self.is(Wrong::LocalAdmitsEverything)
                || (self.is(Wrong::LocalIgnoresTheRate) && asked.limit == "rate"));
        let read = match self.now_and_then(Wrong::ReadsBeforeItWrites, 3) {
            true => &self.stale,
            false => &self.states,
        };
        let state = read.get(&name).copied().unwrap_or(0);
        let charged = match self.is(Wrong::ForgetsCostsAboveOne) {
            true => 1,
            false => asked.cost,
        };
        let (is_admitted, next, remaining) = match asked.limit {
            "rate" => self.judge_rate(state, charged),
            limit => self.judge_total(limit, state, charged),
        };
        if is_admitted || is_open || self.is(Wrong::ChargesRefusals) {
            self.states.insert(name, next);
        }
        if !is_admitted && !is_open {
            return (Result::Refused, 0);
        }
        (Result::Allowed, self.told(remaining, asked.cost))
    }

    fn told(&mut self, remaining: u64, cost: u64) -> u64 {
        if self.now_and_then(Wrong::ToldRemainingIsStale, 10) {
            return remaining + 1;
        }
        if self.now_and_then(Wrong::ToldRemainingIsTooMuch, 100) {
            return remaining + 1_000;
        }
        if self.is(Wrong::ToldRemainingIgnoresCost) { remaining + cost - 1 } else { remaining }
    }

    fn judge_total(&mut self, limit: &str, taken: u64, cost: u64) -> (bool, u64, u64) {
        let mut permits = TOTALS.iter().find(|(name, _)| *name == limit).map_or(0, |(_, p)| *p);
        if self.is(Wrong::AdmitsOneTooMany) {
            permits += 1;
        }
        if self.is(Wrong::RefusesTooEarly) {
            permits -= 1;
        }
        let factor = if self.is(Wrong::ChargesTwice) { 2 } else { 1 };
        let next = taken + cost * factor;
        (taken + cost <= permits, next, permits.saturating_sub(next))
    }

    fn judge_rate(&self, full_at: u64, cost: u64) -> (bool, u64, u64) {
        let interval = if self.is(Wrong::RefillsTooFast) { INTERVAL / 2 } else { INTERVAL };
        let burst = if self.is(Wrong::LargerBurst) { BURST + 3 } else { BURST };
        let next = full_at.max(self.now) + cost * interval;
        let room = (self.now + burst * interval).checked_sub(next);
        (room.is_some(), next, room.unwrap_or(0) / interval)
    }
}

#[test]
fn there_is_nothing_to_say_about_a_right_limiter() {
    for seed in 0..20 {
        let found = faults(&World::run(None, seed), &setting());
        assert!(found.is_empty(), "seed {seed}: {:?}", &found[..found.len().min(3)]);
    }
}

#[test]
fn every_wrong_limiter_is_found() {
    for wrong in ALL {
        let found =
            (0..3).filter(|seed| !faults(&World::run(Some(wrong), *seed), &setting()).is_empty());
        assert_eq!(found.count(), 3, "{wrong:?} passes for right");
    }
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let history = World::run(None, 7);
    let mut text = String::new();
    let mut write = |line: Line| text.push_str(&format!("{line}\n"));
    history.attempts.iter().cloned().map(Line::Attempt).for_each(&mut write);
    history.requests.iter().cloned().map(Line::Request).for_each(&mut write);
    history.probes.iter().cloned().map(Line::Probe).for_each(&mut write);
    history.pauses.iter().cloned().map(Line::Pause).for_each(&mut write);
    history.losses.iter().cloned().map(Line::Loss).for_each(&mut write);
    let mut read = History::default();
    read.read(&text);
    assert_eq!(format!("{read:?}"), format!("{history:?}"));
}

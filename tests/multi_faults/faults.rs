//! What befalls the first store, and what must hold before, during and after it.

use std::time::{Duration, Instant};

use actix_smart_ratelimit::{OnError, backend::multi::MemberState};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    First, Scene,
    load::{Answers, GRACE, Load, p99},
    scene::{DEADLINE, PROBE_INTERVAL},
    support::{
        proxy::Mode,
        redis::PATIENCE,
        trial::{ample, counted},
    },
};

/// Permits of the limit whose admissions are counted.
const COUNTED: u32 = 20;
/// What a decision may take longer because a member is not asked.
const ADDED: Duration = Duration::from_millis(1);
/// How long a store that is back may stay unused, beside the interval between probes.
const RETURN: Duration = Duration::from_secs(1);
const NAP: Duration = Duration::from_millis(5);
/// What may be put down to a busy machine at a time.
const MOST_LOST: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Kill,
    Freeze,
    Restart,
    Blackhole,
    Slow,
    CutMidReply,
    Refuse,
    Flap,
    BothDown,
}

impl Fault {
    pub(crate) const ALL: [Self; 9] = [
        Self::Kill,
        Self::Freeze,
        Self::Restart,
        Self::Blackhole,
        Self::Slow,
        Self::CutMidReply,
        Self::Refuse,
        Self::Flap,
        Self::BothDown,
    ];

    /// Whether the store stays away until the fault ends.
    fn lasts(self) -> bool {
        !matches!(self, Self::Restart | Self::Flap)
    }
}

impl Scene {
    pub(crate) async fn suffer(&self, fault: Fault) {
        self.until_first_decides(PATIENCE).await;
        let load = Load::new(&self.limiter, counted(&format!("{fault:?}"), COUNTED));
        load.wave().await;
        let mut answers = Answers::default();
        let probed = self.counts[0].probes();
        match fault {
            Fault::Flap => self.flap(&load, &mut answers).await,
            Fault::Restart => self.restart(&load, &mut answers).await,
            _ => {
                self.begin(fault);
                self.until_given_up(fault, &load, &mut answers).await;
            }
        }
        answers.assert_in_time(fault);
        if fault.lasts() {
            self.assert_left_alone(fault, &load).await;
            assert!(self.counts[0].probes() > probed, "{fault:?}: nobody looks whether it is back");
            self.end(fault).await;
        }
        let took = self.until_first_decides(RETURN + PROBE_INTERVAL).await;
        load.wave().await;
        self.assert_bounded(fault, load.admitted());
        println!("{fault:?}: {answers}; decides again after {took:?}");
    }

    fn begin(&self, fault: Fault) {
        match (fault, self.first) {
            (Fault::Kill, First::Redis) => self.redis.kill(),
            (Fault::Kill, First::Postgres) => self.postgres.kill(),
            (Fault::Freeze, First::Redis) => self.redis.freeze(),
            (Fault::Freeze, First::Postgres) => self.postgres.freeze_all(),
            (Fault::Blackhole, _) => self.proxy().set(Mode::Blackhole),
            (Fault::Slow, _) => self.proxy().set(Mode::Latency(DEADLINE * 10)),
            (Fault::CutMidReply, _) => self.proxy().set(Mode::CutAfter(3)),
            (Fault::Refuse, _) => {
                self.proxy().set(Mode::Refuse);
                self.proxy().cut();
            }
            (Fault::BothDown, _) => {
                for proxy in [&self.redis_proxy, &self.postgres_proxy] {
                    proxy.set(Mode::Blackhole);
                }
            }
            (Fault::Restart | Fault::Flap, _) => {}
        }
    }

    async fn end(&self, fault: Fault) {
        match (fault, self.first) {
            (Fault::Kill, _) => self.start_again().await,
            (Fault::Freeze, First::Redis) => self.redis.thaw(),
            (Fault::Freeze, First::Postgres) => self.postgres.thaw_all(),
            _ => {
                for proxy in [&self.redis_proxy, &self.postgres_proxy] {
                    proxy.set(Mode::Pass);
                }
            }
        }
        if fault == Fault::Slow {
            // What is still under way arrives late.
            sleep(DEADLINE * 5).await;
        }
    }

    async fn start_again(&self) {
        let (first, redis, postgres) = (self.first, self.redis.clone(), self.postgres.clone());
        let start = move || match first {
            First::Redis => redis.restart(),
            First::Postgres => postgres.restart(),
        };
        spawn_blocking(start).await.unwrap();
    }

    async fn restart(&self, load: &Load<'_>, answers: &mut Answers) {
        let restarted = self.start_again();
        let suffering = async {
            for _ in 0..8 {
                answers.take(load.wave().await);
            }
        };
        futures_util::future::join(restarted, suffering).await;
    }

    async fn flap(&self, load: &Load<'_>, answers: &mut Answers) {
        let flapping = async {
            for _ in 0..10 {
                self.proxy().set(Mode::Refuse);
                self.proxy().cut();
                sleep(Duration::from_millis(200)).await;
                self.proxy().set(Mode::Pass);
                sleep(Duration::from_millis(200)).await;
            }
        };
        let mut flapping = Box::pin(flapping);
        loop {
            tokio::select! {
                biased;
                () = &mut flapping => return,
                wave = load.wave() => answers.take(wave),
            }
        }
    }

    /// Asks until the breaker of each store that is away has opened.
    async fn until_given_up(&self, fault: Fault, load: &Load<'_>, answers: &mut Answers) {
        let begun = Instant::now();
        let given_up = || {
            let [first, second] = self.states().map(|state| state != MemberState::Closed);
            first && (second || fault != Fault::BothDown)
        };
        for _ in 0..4 {
            answers.take(load.wave().await);
        }
        while !given_up() {
            assert!(begun.elapsed() < PATIENCE, "{fault:?}: it is asked for ever");
            answers.take(load.wave().await);
        }
    }

    /// While a store is away it is sent nothing but probes, and not asking it costs nothing: the other
    /// one is asked, or `on_error` decides, as soon as the request comes.
    async fn assert_left_alone(&self, fault: Fault, load: &Load<'_>) {
        let asked = self.counts[0].checks();
        let mut rounds = Vec::new();
        // The machine may be busy with other things in one round; it is not in all of them.
        while rounds.last().is_none_or(|added| *added > ADDED) {
            assert!(rounds.len() < 10, "{fault:?}: p99 of what not asking it costs: {rounds:?}");
            rounds.push(self.added(fault).await);
        }
        for answer in load.wave().await.answers {
            answer.assert_as_chosen();
        }
        assert_eq!(self.counts[0].checks(), asked, "{fault:?}: it is not left alone");
    }

    /// What 99 of 100 requests take until the second store is asked, or all of it where it is not.
    async fn added(&self, fault: Fault) -> Duration {
        let mut added = Vec::new();
        for _ in 0..60 {
            let begun = Instant::now();
            self.limiter.check(&ample(OnError::Local), "added").await.unwrap();
            let asked_at = self.counts[1].asked_at().filter(|_| fault != Fault::BothDown);
            added.push(asked_at.unwrap_or_else(Instant::now).saturating_duration_since(begun));
        }
        p99(added)
    }

    /// Waits for the first check that the first store decides, no longer than so long, not counting how
    /// much later than due this machine wakes who sleeps, nor how much longer than it should it takes
    /// for who asks the first store alone.
    async fn until_first_decides(&self, most: Duration) -> Duration {
        let (begun, answers) = (Instant::now(), self.counts[0].answers());
        let mut lost = Duration::ZERO;
        while self.counts[0].answers() == answers {
            let took = begun.elapsed();
            assert!(
                took <= most + lost,
                "not used again after {took:?} ({lost:?} lost): {:?}",
                self.limiter.status().next()
            );
            self.limiter.check(&ample(OnError::Local), "works").await.unwrap();
            let since = Instant::now();
            self.first_alone.check(&ample(OnError::Local), "alone").await.unwrap();
            sleep(NAP).await;
            lost += since.elapsed().saturating_sub(NAP * 2).min(MOST_LOST);
        }
        begun.elapsed()
    }

    /// Each store admits the limit once, and once more if it lost what it had counted; so does this
    /// process by itself.
    fn assert_bounded(&self, fault: Fault, admitted: u32) {
        let losses =
            u32::from(self.first == First::Redis && matches!(fault, Fault::Kill | Fault::Restart));
        let (members, processes) = (2, 1);
        let bound = COUNTED * (members + losses + processes);
        assert!(admitted >= COUNTED, "{fault:?}: {admitted} of {COUNTED}");
        assert!(admitted <= bound, "{fault:?}: {admitted} were admitted, at most {bound} may be");
    }
}

impl Answers {
    /// All were decided as their limits choose, and 99 of 100 no later after the deadline than a timer
    /// of the same length may be, and a little.
    fn assert_in_time(&self, fault: Fault) {
        self.answers.iter().for_each(crate::load::Answer::assert_as_chosen);
        let (slowest, control) = (self.p99(), p99(self.timers.iter().copied()));
        assert!(
            slowest <= control + GRACE,
            "{fault:?}: decided after {slowest:?}, when a timer of {DEADLINE:?} took {control:?}"
        );
    }
}

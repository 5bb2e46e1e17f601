//! A charge is sent once, whatever becomes of its answer.

use std::pin::pin;

use actix_smart_ratelimit::{
    Algorithm, Limit, OnError::Local, WindowStart, backend::Fate::Unknown,
};
use futures_util::{future::join_all, poll};
use tokio::{task::yield_now, time::timeout};

use super::{
    backend,
    support::{
        proxy::{ChaosProxy, Mode},
        redis::RedisServer,
        trial::{Answer, DEADLINE, Trial, counted},
    },
};

/// How often the key `hot` of the limit `counted` was charged.
fn charged(server: &RedisServer) -> usize {
    server.cli(&["GET", "ratelimit:counted:hot"]).parse().unwrap_or(0)
}

/// A server behind a proxy, and a trial in which fates are told by the backend alone.
async fn proxied() -> (RedisServer, ChaosProxy, Trial) {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let trial = Trial::with_deadline(backend(proxy.url()), DEADLINE * 100);
    trial.begins().await;
    (server, proxy, trial)
}

fn count(answers: &[Answer], is: impl Fn(&Answer) -> bool) -> usize {
    answers.iter().filter(|answer| is(answer)).count()
}

async fn one_by_one(trial: &Trial, limit: &Limit, count: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(trial.ask(limit, "hot").await);
    }
    answers
}

#[actix_web::test]
async fn charges_whose_answers_are_lost_are_not_repeated() {
    let (server, proxy, trial) = proxied().await;
    let limit = counted("counted", 1_000_000);
    let mut unknown = 0;
    for _ in 0..5 {
        proxy.set(Mode::SwallowReplies);
        let answers = join_all((0..300).map(|_| trial.ask(&limit, "hot"))).await;
        assert_eq!(count(&answers, |answer| answer.fault.is_none()), 0);
        unknown += count(&answers, |answer| answer.fault.as_ref().unwrap().fate == Unknown);
        assert_eq!(charged(&server), unknown, "sent and charged, and what the fates tell");
        proxy.set(Mode::Pass);
        trial.recovers().await;
        assert_eq!(charged(&server), unknown, "something was sent again");
    }
    assert!(unknown > 0);
}

#[actix_web::test]
async fn charges_that_do_not_arrive_are_not_made_later() {
    let (server, proxy, trial) = proxied().await;
    let limit = counted("counted", 1_000_000);
    proxy.set(Mode::SwallowRequests);
    let answers = join_all((0..300).map(|_| trial.ask(&limit, "hot"))).await;
    assert_eq!(count(&answers, |answer| answer.fault.is_none()), 0);
    proxy.set(Mode::Pass);
    trial.recovers().await;
    assert_eq!(charged(&server), 0);
}

#[actix_web::test]
async fn between_cuts_the_server_holds_all_that_was_admitted_and_no_more_than_was_sent() {
    let (server, proxy, trial) = proxied().await;
    let limit = counted("counted", 1_000_000);
    let (mut decided, mut unknown) = (0, 0);
    for round in 0..15 {
        trial.recovers().await;
        proxy.set(Mode::CutAfter(1 + round * 37));
        let answers = join_all((0..6).map(|_| one_by_one(&trial, &limit, 10))).await.concat();
        decided += count(&answers, |answer| answer.fault.is_none());
        unknown += count(&answers, |answer| {
            answer.fault.as_ref().is_some_and(|fault| fault.fate == Unknown)
        });
        let held = charged(&server);
        assert!((decided..=decided + unknown).contains(&held), "{decided} {unknown} {held}");
        proxy.set(Mode::Pass);
    }
    assert!(decided > 0 && unknown > 0, "{decided} {unknown}");
}

#[actix_web::test]
async fn who_gives_up_before_the_call_is_sent_is_not_charged() {
    let (server, proxy, trial) = proxied().await;
    let limit = counted("counted", 1_000_000);
    proxy.set(Mode::Blackhole);
    let mut first = pin!(trial.ask(&limit, "first"));
    let mut second = pin!(trial.ask(&limit, "second"));
    for call in [&mut first, &mut second] {
        let before = proxy.request_bytes();
        while proxy.request_bytes() == before {
            assert!(poll!(&mut *call).is_pending());
            yield_now().await;
        }
    }
    let waiting = join_all((0..50).map(|_| timeout(DEADLINE / 10, trial.ask(&limit, "hot"))));
    assert!(waiting.await.iter().all(Result::is_err));
    proxy.set(Mode::Pass);
    assert!(first.await.fault.is_none() && second.await.fault.is_none());
    trial.begins().await;
    assert_eq!(charged(&server), 0);
}

#[actix_web::test]
async fn several_limits_are_charged_all_or_not_at_all_between_cuts() {
    let (server, proxy, trial) = proxied().await;
    let rates = ["1000000/h", "1000000/2h", "1000000/3h"].map(|text| text.parse().unwrap());
    let limit = Limit::new("counted", rates)
        .algorithm(Algorithm::FixedWindow)
        .window(WindowStart::FirstRequest)
        .on_error(Local);
    for round in 0..12 {
        trial.recovers().await;
        proxy.set(Mode::CutAfter(1 + round * 53));
        join_all((0..30).map(|_| trial.ask(&limit, "hot"))).await;
        let keys =
            ["", "#1000000/2h", "#1000000/3h"].map(|end| format!("ratelimit:counted:hot{end}"));
        let counts = keys.map(|key| server.cli(&["GET", &key]));
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        proxy.set(Mode::Pass);
    }
}

//! Who decides, and what becomes of those that fail.

use std::time::Duration;

use actix_smart_ratelimit::{
    Batch, Check, MemoryBackend, Mode, Timestamp,
    backend::{
        Backend, ErrorKind, Fate, Progress,
        multi::{MemberState, MultiBackend},
    },
};

use super::{
    DOWN, LOST, pair, pass, policy,
    support::{
        asking::{ask, left, take, taken},
        backends::{Mood, Remote, Untouchable},
    },
};

fn states(multi: &MultiBackend) -> Vec<MemberState> {
    multi.status().iter().map(|member| member.state).collect()
}

#[actix_web::test]
async fn the_first_member_decides_and_the_others_are_not_asked() {
    let (first, second) = (Remote::new(Mood::Answers), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(3);
    for allowed in [true, true, true, false, false] {
        assert_eq!(take(&multi, "k", &policy, 1).await.is_allowed(), allowed);
    }
    assert_eq!((first.asked(), second.asked()), (5, 0), "a refusal is an answer");
    assert_eq!(multi.status()[0].failures, 0);
}

#[actix_web::test]
async fn a_member_that_answers_at_once_is_obeyed_at_once() {
    let memory = MemoryBackend::new(10);
    let builder = MultiBackend::builder().member("memory", memory);
    let multi = builder.member("untouchable", Untouchable).build().unwrap();
    let policy = policy(1);
    for allowed in [true, false] {
        let check = Check { key: "k", policy: &policy, cost: 1 };
        let mut batch = Batch::of(Timestamp::from_secs(1_800_000_000), check);
        assert!(matches!(multi.check(&mut batch), Progress::Done));
        assert_eq!(batch.verdict().is_allowed(), allowed);
    }
    assert_eq!(multi.status()[0].answers, 2);
}

#[actix_web::test]
async fn what_one_cannot_decide_the_next_does_within_the_same_request() {
    for mood in [DOWN, LOST, Mood::DecidesNothing, Mood::SaysDone, Mood::Silent] {
        tokio::time::pause();
        let (first, second) = (Remote::new(mood), Remote::new(Mood::Answers));
        let multi = pair(&first, &second).build().unwrap();
        let begun = tokio::time::Instant::now();
        assert!(take(&multi, "k", &policy(3), 1).await.is_allowed(), "{mood:?}");
        // Half of 90 ms is what each of two may take.
        let most = if matches!(mood, Mood::Silent) { 46 } else { 1 };
        assert!(begun.elapsed() <= Duration::from_millis(most), "{mood:?} {:?}", begun.elapsed());
        assert_eq!((first.asked(), second.asked()), (1, 1), "{mood:?}: each is asked once");
        assert_eq!(first.waiting(), 0);
        tokio::time::resume();
    }
}

#[actix_web::test]
async fn several_checks_are_decided_together_by_one_member() {
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let (wide, narrow) = (policy(9), policy(1));
    let checks = [("a", &wide), ("b", &narrow)].map(|(key, policy)| Check { key, policy, cost: 1 });
    assert!(ask(&multi, &checks, Mode::Charge).await.unwrap().is_allowed());
    assert!(!ask(&multi, &checks, Mode::Charge).await.unwrap().is_allowed());
    assert_eq!(left(&second, "a", &wide).await, 8, "what one refuses, none is charged");
}

#[actix_web::test]
async fn a_member_is_given_up_after_failures_in_a_row_and_costs_nothing_from_then_on() {
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(1_000);
    for _ in 0..4 {
        take(&multi, "k", &policy, 1).await;
    }
    first.set(Mood::Answers);
    take(&multi, "k", &policy, 1).await;
    first.set(DOWN);
    for _ in 0..5 {
        assert_eq!(states(&multi)[0], MemberState::Closed);
        take(&multi, "k", &policy, 1).await;
    }
    assert_eq!(states(&multi), [MemberState::Open, MemberState::Closed]);
    let asked = first.asked();
    for _ in 0..100 {
        take(&multi, "k", &policy, 1).await;
    }
    assert_eq!(first.asked(), asked);
    let status = &multi.status()[0];
    assert_eq!((status.failures, status.answers, status.opened), (9, 1, 1));
    assert_eq!(status.last_error.as_ref().unwrap().kind(), ErrorKind::Unreachable);
}

#[actix_web::test]
async fn what_is_wrong_with_one_key_or_limit_gives_no_member_up() {
    use ErrorKind::{Protocol, Setup, Unsupported};
    for kind in [Protocol, Setup, Unsupported] {
        let first = Remote::new(Mood::Fails(kind, Fate::NotCharged));
        let second = Remote::new(Mood::Answers);
        let multi = pair(&first, &second).build().unwrap();
        for _ in 0..50 {
            take(&multi, "k", &policy(1_000), 1).await;
        }
        assert_eq!((first.asked(), second.asked()), (50, 50), "{kind:?}");
    }
}

#[actix_web::test]
async fn a_member_that_is_back_is_found_by_probes_and_asked_again() {
    tokio::time::pause();
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(1_000_000);
    for _ in 0..5 {
        take(&multi, "k", &policy, 1).await;
    }
    assert_eq!(first.probed(), 0, "requests do not probe");
    // At 100, 300 and 700 ms, then every 500.
    for (millis, probes) in [(99, 0), (2, 1), (200, 2), (400, 3), (500, 4), (500, 5)] {
        pass(millis).await;
        assert_eq!(first.probed(), probes);
        take(&multi, "k", &policy, 1).await;
    }
    assert_eq!((first.asked(), first.most_probing()), (5, 1));
    first.set(Mood::Answers);
    pass(501).await;
    assert_eq!(states(&multi), [MemberState::Closed; 2]);
    take(&multi, "k", &policy, 1).await;
    assert_eq!((first.asked(), first.probed()), (6, 6));
}

#[actix_web::test]
async fn a_silent_member_is_probed_once_at_a_time_however_many_ask() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Silent), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(1_000_000);
    for _ in 0..20 {
        let crowd = (0..200).map(|_| take(&multi, "k", &policy, 1));
        futures_util::future::join_all(crowd).await;
        pass(100).await;
    }
    assert_eq!(first.asked(), 200, "only those who asked before it was given up");
    assert!(first.probed() > 3);
    assert_eq!(first.most_probing(), 1);
}

#[actix_web::test]
async fn members_that_are_not_used_are_looked_at_too() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Answers), Remote::new(DOWN));
    let multi = pair(&first, &second).build().unwrap();
    assert_eq!(second.probed(), 0, "nothing happens before the first request");
    take(&multi, "k", &policy(9), 1).await;
    pass(4_500).await;
    assert!(multi.status().iter().all(|member| member.last_check.is_some()));
    assert_eq!(states(&multi), [MemberState::Closed, MemberState::Closed]);
    pass(1_000).await;
    assert_eq!(states(&multi), [MemberState::Closed, MemberState::Open]);
    assert_eq!(second.asked(), 0);
}

#[actix_web::test]
async fn when_all_are_away_the_answer_comes_at_once_and_says_so() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Silent), Remote::new(Mood::Silent));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(9);
    let check = [Check { key: "k", policy: &policy, cost: 1 }];
    for _ in 0..5 {
        let begun = tokio::time::Instant::now();
        let error = ask(&multi, &check, Mode::Charge).await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::Unknown));
        assert!(begun.elapsed() <= Duration::from_millis(92), "{:?}", begun.elapsed());
    }
    let begun = tokio::time::Instant::now();
    let error = ask(&multi, &check, Mode::Charge).await.unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotCharged));
    assert!(begun.elapsed().is_zero());
    assert_eq!((first.asked(), second.asked()), (5, 5));
}

#[actix_web::test]
async fn whether_anything_was_charged_is_told_of_all_members_together() {
    for (moods, fate) in [
        ([DOWN, DOWN], Fate::NotCharged),
        ([LOST, DOWN], Fate::Unknown),
        ([DOWN, LOST], Fate::Unknown),
        ([Mood::SaysDone, DOWN], Fate::Unknown),
        ([Mood::SaysDone, Mood::SaysDone], Fate::Unknown),
    ] {
        let [first, second] = moods.map(Remote::new);
        let multi = pair(&first, &second).build().unwrap();
        let policy = policy(9);
        let check = [Check { key: "k", policy: &policy, cost: 1 }];
        let error = ask(&multi, &check, Mode::Charge).await.unwrap_err();
        assert_eq!(error.fate(), fate, "{moods:?}");
    }
}

#[actix_web::test]
async fn the_deadline_of_the_whole_decision_holds_whatever_members_may_take() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Silent), Remote::new(Mood::Silent));
    let builder = pair(&first, &second).deadline(Duration::from_millis(70));
    let multi = builder.member_deadline(Duration::from_millis(60)).build().unwrap();
    let policy = policy(9);
    let begun = tokio::time::Instant::now();
    let check = [Check { key: "k", policy: &policy, cost: 1 }];
    ask(&multi, &check, Mode::Charge).await.unwrap_err();
    let took = begun.elapsed();
    assert!((70..=72).contains(&took.as_millis()), "{took:?}");
}

#[actix_web::test]
async fn a_reset_reaches_every_member_and_a_refund_the_one_that_decides() {
    let (first, second) = (Remote::new(Mood::Answers), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(9);
    for remote in [&first, &second] {
        take(remote, "k", &policy, 4).await;
    }
    let charged_at = actix_smart_ratelimit::Clock::System.now();
    let charge =
        |cost| actix_smart_ratelimit::Charge { key: "k", policy: &policy, cost, charged_at };
    multi.refund(charge(1)).await.unwrap();
    assert_eq!((taken(&first, "k", &policy).await, taken(&second, "k", &policy).await), (3, 4));
    multi.reset("k").await.unwrap();
    assert_eq!((taken(&first, "k", &policy).await, taken(&second, "k", &policy).await), (0, 0));
}

#[actix_web::test]
async fn health_is_that_of_the_best_member_with_what_is_wrong_with_others() {
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let health = multi.health().await.unwrap();
    assert_eq!(health.warnings, ["first: rate limit store: not reachable"]);
    second.set(LOST);
    assert_eq!(multi.health().await.unwrap_err().kind(), ErrorKind::Unreachable);
}

#[actix_web::test]
async fn a_request_that_is_dropped_says_nothing_about_its_member() {
    let (first, second) = (Remote::new(Mood::Silent), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(9);
    for _ in 0..100 {
        let mut waiting = Box::pin(take(&multi, "k", &policy, 1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
    }
    assert_eq!((multi.status()[0].failures, first.waiting()), (0, 0));
    assert_eq!(states(&multi), [MemberState::Closed; 2]);
}

#[actix_web::test]
async fn a_store_that_flaps_admits_a_client_at_most_once_more_for_each_member() {
    tokio::time::pause();
    let (first, second) = (Remote::new(Mood::Answers), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let policy = policy(100);
    let mut admitted = 0;
    for round in 0_u32..300 {
        first.set(if round.is_multiple_of(2) { Mood::Answers } else { LOST });
        for _ in 0..7 {
            admitted += u32::from(take(&multi, "k", &policy, 1).await.is_allowed());
        }
        pass(200).await;
    }
    assert!((100..=202).contains(&admitted), "{admitted}");
}

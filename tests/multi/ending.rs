//! What is dropped ends, tasks included.

use std::sync::Arc;

use actix_smart_ratelimit::{Limit, RateLimiter, backend::Backend};

use super::{
    DOWN, exact, pair, policy,
    support::{
        asking::take,
        backends::{Mood, Remote},
        rate,
    },
};

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Lets tasks that were ended leave.
async fn tasks_become(count: usize) {
    for _ in 0..1_000 {
        if tasks() == count {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks, not {count}", tasks());
}

#[actix_web::test]
async fn the_task_of_each_member_ends_with_the_backend() {
    for mood in [Mood::Answers, DOWN, Mood::Silent] {
        let (first, second) = (Remote::new(mood), Remote::new(Mood::Answers));
        let multi = pair(&first, &second).build().unwrap();
        let before = tasks();
        for _ in 0..10 {
            take(&multi, "k", &policy(100), 1).await;
        }
        assert!(tasks() > before, "{mood:?}");
        drop(multi);
        tasks_become(before).await;
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    }
}

#[actix_web::test]
async fn a_limiter_ends_what_it_began_for_its_store() {
    let store = Remote::new(DOWN);
    let limiter = RateLimiter::builder().backend("store", store.clone()).build().unwrap();
    let before = tasks();
    for _ in 0..10 {
        limiter.check(&Limit::new("api", rate("3/h")), "k").await.unwrap();
    }
    assert_eq!(tasks(), before + 1);
    drop(limiter);
    tasks_become(before).await;
    assert_eq!(Arc::strong_count(&store), 1);
}

#[actix_web::test]
async fn the_task_for_a_single_store_ends_when_the_store_is_back() {
    tokio::time::pause();
    let store = Remote::new(DOWN);
    let builder = RateLimiter::builder().backend("store", store.clone()).breaker(exact());
    let limiter = builder.build().unwrap();
    let before = tasks();
    for _ in 0..10 {
        limiter.check(&Limit::new("api", rate("3/h")), "k").await.unwrap();
    }
    store.set(Mood::Answers);
    super::pass(101).await;
    tasks_become(before).await;
}

#[test]
fn probes_go_on_when_the_runtime_that_began_them_ends() {
    let runtime = || {
        let builder = tokio::runtime::Builder::new_current_thread().enable_all().build();
        builder.unwrap()
    };
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi = pair(&first, &second).build().unwrap();
    let ended = runtime();
    ended.block_on(async {
        for _ in 0..10 {
            take(&multi, "k", &policy(100), 1).await;
        }
    });
    drop(ended);
    first.set(Mood::Answers);
    runtime().block_on(async {
        let asked = first.asked();
        for _ in 0..3_000 {
            take(&multi, "k", &policy(100), 1).await;
            if first.asked() > asked {
                return;
            }
            super::pass(1).await;
        }
        panic!("the member that is back is not asked");
    });
}

#[actix_web::test]
async fn what_is_under_way_when_the_backend_is_dropped_is_decided() {
    let (first, second) = (Remote::new(DOWN), Remote::new(Mood::Answers));
    let multi: Arc<dyn Backend> = Arc::new(pair(&first, &second).build().unwrap());
    let policy = policy(9);
    let waiting = {
        let check = actix_smart_ratelimit::Check { key: "k", policy: &policy, cost: 1 };
        let now = actix_smart_ratelimit::Clock::System.now();
        let mut batch = actix_smart_ratelimit::Batch::of(now, check);
        match multi.check(&mut batch) {
            actix_smart_ratelimit::backend::Progress::Pending(waiting) => waiting,
            actix_smart_ratelimit::backend::Progress::Done => panic!("decided at once"),
        }
    };
    drop(multi);
    assert!(waiting.await.unwrap().is_allowed());
}

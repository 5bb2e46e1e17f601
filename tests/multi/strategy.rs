//! How keys are dealt out.

use std::{collections::HashMap, sync::Arc};

use actix_smart_ratelimit::{
    Check, Mode,
    backend::multi::{MultiBackend, Strategy},
};

use super::{
    DOWN, exact, pass, policy,
    support::{
        asking::{ask, take},
        backends::{Mood, Remote},
    },
};

/// Members of these names, each with what it was asked.
fn dealing(names: &[&str]) -> (MultiBackend, Vec<Arc<Remote>>) {
    let remotes: Vec<_> = names.iter().map(|_| Remote::new(Mood::Answers)).collect();
    let builder = MultiBackend::builder().strategy(Strategy::RoundRobin).breaker(exact());
    let add =
        |builder: actix_smart_ratelimit::backend::multi::MultiBuilder,
         (name, remote): (&&str, &Arc<Remote>)| builder.member(*name, remote.clone());
    (names.iter().zip(&remotes).fold(builder, add).build().unwrap(), remotes)
}

/// The member that each of so many keys meets.
async fn dealt(names: &[&str], keys: usize) -> HashMap<usize, String> {
    let (multi, remotes) = dealing(names);
    let mut places = HashMap::new();
    for key in 0..keys {
        places.insert(key, member_of(&multi, &remotes, names, &format!("key{key}")).await);
    }
    places
}

async fn member_of(
    multi: &MultiBackend,
    remotes: &[Arc<Remote>],
    names: &[&str],
    key: &str,
) -> String {
    let before: Vec<_> = remotes.iter().map(|remote| remote.asked()).collect();
    take(multi, key, &policy(1_000_000), 1).await;
    let asked = (0..remotes.len()).find(|index| remotes[*index].asked() > before[*index]);
    names[asked.unwrap()].to_owned()
}

#[actix_web::test]
async fn a_key_keeps_its_member_and_members_have_about_equal_shares() {
    let names = ["a", "b", "c"];
    let (first, second) = (dealt(&names, 3_000).await, dealt(&names, 3_000).await);
    assert_eq!(first, second, "another process deals alike");
    for name in names {
        let share = first.values().filter(|place| *place == name).count();
        assert!((850..1_150).contains(&share), "{name}: {share}");
    }
}

#[actix_web::test]
async fn the_order_of_members_does_not_matter_and_a_new_one_takes_only_its_own_share() {
    let before = dealt(&["a", "b", "c"], 2_000).await;
    assert_eq!(before, dealt(&["c", "a", "b"], 2_000).await);
    let after = dealt(&["a", "b", "c", "d"], 2_000).await;
    let moved = before.iter().filter(|(key, place)| after[key] != **place);
    for (key, _) in moved.clone() {
        assert_eq!(after[key], "d");
    }
    assert!((400..600).contains(&moved.count()));
}

#[actix_web::test]
async fn keys_of_a_member_that_is_away_move_and_return_and_no_others_do() {
    tokio::time::pause();
    let names = ["a", "b", "c"];
    let (multi, remotes) = dealing(&names);
    let places = async || {
        let mut places = Vec::new();
        for key in 0..300 {
            places.push(member_of(&multi, &remotes, &names, &format!("key{key}")).await);
        }
        places
    };
    let before = places().await;
    remotes[1].set(DOWN);
    for key in 0..100 {
        take(&multi, &format!("key{key}"), &policy(1_000_000), 1).await;
    }
    let during = places().await;
    for (before, during) in before.iter().zip(&during) {
        assert_eq!(before == "b", before != during, "{before} {during}");
        assert_ne!(during, "b");
    }
    remotes[1].set(Mood::Answers);
    pass(1_000).await;
    assert_eq!(places().await, before);
}

#[actix_web::test]
async fn all_rates_of_one_limit_stay_with_one_member() {
    let (multi, remotes) = dealing(&["a", "b", "c", "d"]);
    let (wide, narrow) = (policy(9), policy(5));
    for client in 0..100 {
        let (key, other) = (format!("api:{client}"), format!("api:{client}#5/h"));
        let checks = [(&*key, &wide), (&*other, &narrow)];
        let checks = checks.map(|(key, policy)| Check { key, policy, cost: 1 });
        ask(&multi, &checks, Mode::Charge).await.unwrap();
        let asked: Vec<_> = remotes.iter().map(|remote| remote.asked()).collect();
        take(&multi, &other, &narrow, 1).await;
        take(&multi, &key, &wide, 1).await;
        let moved = remotes.iter().zip(&asked).filter(|(remote, asked)| remote.asked() > **asked);
        assert_eq!(moved.count(), 1);
    }
}

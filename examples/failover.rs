//! What happens to limits while you stop Redis: another store takes over, and hands back.
//!
//! Start a server (`docker compose up redis`, or your own), then
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379/0 cargo run --example failover --features redis,sqlite
//! ```
//!
//! It asks for a permit fifty times a second and prints who decides. Now stop the server, or freeze it
//! (`kill -STOP`), and watch the file take over; start it again (`kill -CONT`), and watch it come back.

use std::{env, io, time::Duration};

use actix_smart_ratelimit::{
    Decision, Event, EventKind, Limit, Rate, RateLimiter,
    backend::{database::DatabaseBackend, multi::MultiBackend, redis::RedisBackend},
};
use actix_web::rt::time::{Instant, sleep};

/// Every change, in words.
fn tell(event: &Event<'_>) {
    let store = event.member.or(event.backend).unwrap_or_default();
    let error = event.error.map(ToString::to_string).unwrap_or_default();
    match event.kind {
        EventKind::Opened => println!("! {store} is not asked any more ({error})"),
        EventKind::HalfOpen => println!("  {store} is being probed"),
        EventKind::Closed => println!("! {store} is asked again"),
        EventKind::Failover => println!("! {store} decides from now on"),
        EventKind::FallbackOn => println!("! this process decides by itself ({error})"),
        EventKind::FallbackOff => println!("! {store} decides again"),
        _ => {}
    }
}

async fn limiter() -> Result<RateLimiter, Box<dyn std::error::Error>> {
    let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379/0".to_owned());
    let file = env::var("DATABASE").unwrap_or_else(|_| "failover.sqlite".to_owned());
    let sqlite = DatabaseBackend::connect(&format!("sqlite://{file}"))?;
    sqlite.migrate().await?;
    let both = MultiBackend::builder().member("redis", RedisBackend::connect(&url)?);
    let both = both.member("sqlite", sqlite).build()?;
    Ok(RateLimiter::builder().backend("both", both).on_event(tell).build()?)
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = limiter().await.map_err(|error| io::Error::other(error.to_string()))?;
    let limit = Limit::new("demo", Rate::per_minute(1_000));
    let seconds = env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    for second in 0..seconds {
        let mut slowest = Duration::ZERO;
        let mut remaining = None;
        for _ in 0..50 {
            let begun = Instant::now();
            let outcome = limiter.check(&limit, "you").await.map_err(io::Error::other)?;
            slowest = slowest.max(begun.elapsed());
            remaining = outcome.decision().map(Decision::remaining);
            sleep(Duration::from_millis(20)).await;
        }
        let states: Vec<_> = limiter
            .status()
            .flat_map(|(_, members)| members)
            .map(|member| {
                format!("{} {:?} ({} decided)", member.name, member.state, member.answers)
            })
            .collect();
        let left = remaining.map_or_else(|| "?".to_owned(), |left| left.to_string());
        println!("{second:>4} s  {left} of 1000 left, slowest {slowest:?}; {}", states.join(", "));
    }
    Ok(())
}

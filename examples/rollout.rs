//! Introducing a limit to a running service: first in shadow, then observing, then for real.
//!
//! Run it with `cargo run --example rollout`, then call each of these three times and watch both
//! the responses and what the server prints:
//!
//! ```text
//! curl -i http://127.0.0.1:8080/shadow     # the client notices nothing, the operator is told
//! curl -i http://127.0.0.1:8080/observe    # the client sees the truth in headers
//! curl -i http://127.0.0.1:8080/enforce    # the third call is refused
//! ```

use std::io;

use actix_smart_ratelimit::{Event, Limit, Rate, RateLimiter, Rule};
use actix_web::{App, HttpServer, Responder, web};

async fn index() -> impl Responder {
    "hello\n"
}

/// What would go to the metrics of a real service.
fn tell(event: &Event<'_>) {
    println!("{:?} at limit {}", event.kind, event.scope);
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = RateLimiter::builder().on_event(tell).build().map_err(io::Error::other)?;
    let two = |name: &str| Limit::new(name, Rate::per_minute(2));
    let limit = limiter
        .middleware()
        .rule(Rule::new(two("shadow").shadow(true)).path("/shadow"))
        .rule(Rule::new(two("observe").block(false)).path("/observe"))
        .rule(Rule::new(two("enforce")).path("/enforce"));
    limit.validate().map_err(io::Error::other)?;
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on http://{address}");
    HttpServer::new(move || {
        let mut app = App::new().wrap(limit.clone());
        for path in ["/shadow", "/observe", "/enforce"] {
            app = app.route(path, web::get().to(index));
        }
        app
    })
    .bind(address)?
    .run()
    .await
}

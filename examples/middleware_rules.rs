//! One middleware for a whole application: rules by path, method, condition and priority; skipped
//! paths; networks; presets; tiers.
//!
//! Run it with `cargo run --example middleware_rules`, then try
//!
//! ```text
//! curl -i -X POST http://127.0.0.1:8080/auth/login      # 5 a minute
//! curl -i http://127.0.0.1:8080/auth/login              # the preset for content: never refused
//! curl -i -A somebot http://127.0.0.1:8080/articles/1   # robots: 2 a minute
//! curl -i -H 'X-Tier: pro' http://127.0.0.1:8080/api/x  # 1000 an hour instead of 100
//! curl -i http://127.0.0.1:8080/health                  # never limited
//! ```

use std::io;

use actix_smart_ratelimit::{
    Condition, Key, Limit, Rate, RateLimitUser, RateLimiter, Rule, Tiers, net::Networks, preset,
};
use actix_web::{
    App, Error, HttpMessage, HttpRequest, HttpServer, Responder,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::{Next, from_fn},
    web,
};

/// Stands for the application's own authentication, which says who the user is.
async fn authenticate<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let tier = request.headers().get("X-Tier").and_then(|value| value.to_str().ok());
    if let Some(tier) = tier.map(str::to_owned) {
        request.extensions_mut().insert(RateLimitUser::new(42).attribute("tier", tier));
    }
    next.call(request).await
}

async fn answer(request: HttpRequest) -> impl Responder {
    format!("{} {}\n", request.method(), request.path())
}

fn rules() -> Vec<Rule> {
    let tiers = Tiers::of("tier", Rate::per_hour(100)).tier("pro", Rate::per_hour(1_000));
    vec![
        preset::authentication().path("/auth").methods([Method::POST]),
        preset::public_content().path("/"),
        Rule::new(Limit::new("robots", Rate::per_minute(2))).when(Condition::bot()).priority(10),
        Rule::new(Limit::new("api", []))
            .path("/api")
            .key(Key::user_or_ip())
            .rates_by(move |request| tiers.rates(request)),
    ]
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let denied = Networks::parse("deny", ["198.51.100.0/24"]).map_err(io::Error::other)?;
    let limit =
        RateLimiter::in_memory().middleware().rules(rules()).skip_path("/health").deny(denied);
    limit.validate().map_err(io::Error::other)?;
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on http://{address}");
    HttpServer::new(move || {
        App::new()
            .wrap(limit.clone())
            // Wrapped last, so it runs first, and the limiter knows the user.
            .wrap(from_fn(authenticate))
            .default_service(web::to(answer))
    })
    .bind(address)?
    .run()
    .await
}

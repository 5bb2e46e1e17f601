//! Limits on handlers and round a scope, on embedded defaults: no server, no configuration.
//!
//! Run it with `cargo run --example quickstart`; it prints what to try. `BIND` sets the address,
//! `127.0.0.1:8080` by default.

use std::io;

use actix_smart_ratelimit::{
    Algorithm, Key, Limit, Rate, RateLimitInfo, RateLimiter, Rule, rate_limit,
};
use actix_web::{App, HttpServer, Responder, get, web};

/// Five in any minute for each address.
#[rate_limit(key = "ip", rate = "5/m")]
#[get("/login")]
async fn login() -> impl Responder {
    "welcome\n"
}

/// A burst of 10 for each API key, and 2 a second after it.
#[rate_limit(key = "api_key", rate = "2/s", algorithm = "token_bucket", bucket_size = 10)]
#[get("/search")]
async fn search(info: RateLimitInfo) -> impl Responder {
    format!("{} tokens left\n", info.remaining())
}

/// Beyond three a minute for everybody together, results are simpler, but nobody is refused.
#[rate_limit(key = "global", rate = "3/m", block = false)]
#[get("/report")]
async fn report(info: RateLimitInfo) -> impl Responder {
    if info.is_allowed() { "the whole report\n" } else { "the summary, for now\n" }
}

async fn item(id: web::Path<u32>) -> impl Responder {
    format!("item {id}\n")
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = RateLimiter::in_memory();
    let api = limiter.middleware().default_rate(Rate::per_minute(60)).rule(
        Rule::new(Limit::new("items", Rate::per_minute(10)).algorithm(Algorithm::Gcra))
            .path("/api/items/{id}")
            .key(Key::header("X-Client").and(Key::ip())),
    );
    api.validate().map_err(io::Error::other)?;

    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(limiter.clone())
            .service(login)
            .service(search)
            .service(report)
            .service(web::scope("/api").wrap(api.clone()).route("/items/{id}", web::get().to(item)))
    })
    .workers(2)
    .bind(&address)?;
    for address in server.addrs() {
        println!("listening on http://{address}; try");
        println!("  for i in 1 2 3 4 5 6; do curl -i http://{address}/login; done");
        println!("  curl -i -H 'X-Api-Key: mine' http://{address}/search");
        println!("  curl -i http://{address}/report");
        println!("  curl -i -H 'X-Client: phone' http://{address}/api/items/7");
    }
    server.run().await
}

//! Bursts: a bucket larger than its rate, and requests of different cost.
//!
//! Run it with `cargo run --example token_bucket`, then try
//!
//! ```text
//! for i in $(seq 25); do curl -s -o /dev/null -w '%{http_code} ' http://127.0.0.1:8080/cheap; done
//! curl -i -d '0123456789' http://127.0.0.1:8080/upload
//! ```
//!
//! The first 20 pass at once, then one a second. An upload takes one token for each 4 bytes that
//! its head announces, and is refused before its body is read.

use std::io;

use actix_smart_ratelimit::{RateLimitInfo, RateLimiter, rate_limit};
use actix_web::{App, HttpRequest, HttpServer, Responder, get, post, web::Bytes};

#[rate_limit(rate = "60/m", algorithm = "token_bucket", bucket_size = 20, scope = "files")]
#[get("/cheap")]
async fn cheap(info: RateLimitInfo) -> impl Responder {
    format!("{} tokens left\n", info.remaining())
}

/// Tokens for a body of the announced length.
fn length_cost(request: &HttpRequest) -> u32 {
    let length = request.headers().get("content-length").and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse::<u32>().ok()).map_or(1, |length| length.div_ceil(4))
}

#[rate_limit(
    rate = "60/m",
    algorithm = "token_bucket",
    bucket_size = 20,
    scope = "files",
    cost = length_cost
)]
#[post("/upload")]
async fn upload(body: Bytes, info: RateLimitInfo) -> impl Responder {
    format!("{} bytes; {} tokens left\n", body.len(), info.remaining())
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = RateLimiter::in_memory();
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on http://{address}");
    HttpServer::new(move || App::new().app_data(limiter.clone()).service(cheap).service(upload))
        .bind(address)?
        .run()
        .await
}

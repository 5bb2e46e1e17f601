//! A limit of several rates on a Redis Cluster.
//!
//! Start a cluster (`docker compose up cluster`, or your own), then
//!
//! ```text
//! REDIS_NODES=redis://127.0.0.1:7000,redis://127.0.0.1:7001 \
//!     cargo run --example redis_cluster --features redis-cluster
//! for i in $(seq 12); do curl -s -o /dev/null -w '%{http_code} ' http://127.0.0.1:8080/; done
//! ```
//!
//! Ten pass. Each rate is counted by the server of its key; if one refuses, none is charged.

use std::{env, io};

use actix_smart_ratelimit::{Limit, RateLimiter, Rule, backend::redis::RedisBackend, rate};
use actix_web::{App, HttpServer, web};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let nodes = env::var("REDIS_NODES").unwrap_or_else(|_| "redis://127.0.0.1:7000".to_owned());
    let redis = RedisBackend::cluster(nodes.split(',')).build().map_err(io::Error::other)?;
    let limiter =
        RateLimiter::builder().backend("cluster", redis).build().map_err(io::Error::other)?;
    let rates = [rate!("10/m"), rate!("100/h"), rate!("500/d")];
    let limit = limiter.middleware().rule(Rule::new(Limit::new("pages", rates)).path("/"));
    limit.validate().map_err(io::Error::other)?;
    let address = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || {
        App::new().wrap(limit.clone()).route("/", web::get().to(|| async { "hello\n" }))
    })
    .bind(address)?;
    println!("listening on http://{:?}", server.addrs());
    server.run().await
}

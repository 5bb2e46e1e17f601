//! Limits in a file: they survive a restart, and processes on one machine share them. No server.
//!
//! ```text
//! DATABASE=limits.sqlite cargo run --example sqlite --features sqlite
//! for i in 1 2 3 4 5 6; do curl -i http://127.0.0.1:8080/login; done
//! ```
//!
//! The sixth call is refused. Stop the program and start it again: the seventh is refused too. Any other
//! database does as well: `DATABASE_URL=postgres://…` with the feature `postgres`, or `mysql`.

use std::{env, io};

use actix_smart_ratelimit::{RateLimiter, backend::database::DatabaseBackend, rate_limit};
use actix_web::{App, HttpServer, Responder, get};

#[rate_limit(key = "ip", rate = "5/h")]
#[get("/login")]
async fn login() -> impl Responder {
    "welcome\n"
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let file = env::var("DATABASE").unwrap_or_else(|_| "limits.sqlite".to_owned());
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| format!("sqlite://{file}"));
    let database = DatabaseBackend::connect(&url).map_err(io::Error::other)?;
    let run = database.migrate().await.map_err(io::Error::other)?;
    println!("{} migrations were run", run.len());
    let limiter =
        RateLimiter::builder().backend("database", database).build().map_err(io::Error::other)?;
    let address = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(move || App::new().app_data(limiter.clone()).service(login));
    let server = server.workers(2).bind(address)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await
}

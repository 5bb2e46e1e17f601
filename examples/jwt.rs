//! Counting by a claim of a verified token.
//!
//! Run it with `cargo run --example jwt --features jwt`; it prints a token to try. Requests without
//! a valid token are counted by address.

use std::{io, time::SystemTime};

use actix_smart_ratelimit::{JwtVerifier, RateLimitInfo, RateLimiter, rate_limit};
use actix_web::{App, HttpServer, Responder, get};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, encode};

/// A real application takes it from its secrets.
const SECRET: &[u8] = b"an example's secret, 32 bytes or more";

#[rate_limit(key = "jwt:sub", rate = "3/m")]
#[get("/")]
async fn index(info: RateLimitInfo) -> impl Responder {
    format!("{} left\n", info.remaining())
}

fn token_for(user: &str) -> io::Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(io::Error::other)?;
    let claims = serde_json::json!({ "sub": user, "exp": now.as_secs() + 3_600 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).map_err(io::Error::other)
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let limiter = RateLimiter::in_memory();
    let verifier =
        JwtVerifier::new(DecodingKey::from_secret(SECRET), Validation::new(Algorithm::HS256));
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on http://{address}; try");
    println!("  curl -i -H 'Authorization: Bearer {}' http://{address}/", token_for("alice")?);
    println!("  curl -i http://{address}/");
    HttpServer::new(move || {
        App::new().app_data(limiter.clone()).app_data(verifier.clone()).service(index)
    })
    .bind(address)?
    .run()
    .await
}

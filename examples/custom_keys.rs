//! Whom to count: country, device, tenant, and a function of your own.
//!
//! Run it with `cargo run --example custom_keys`, then try
//!
//! ```text
//! curl -i -H 'CF-IPCountry: DE' http://127.0.0.1:8080/by-country   # loopback is a trusted proxy here
//! curl -i -A 'my browser' http://127.0.0.1:8080/by-device
//! curl -i -H 'X-Tenant-Id: acme' http://127.0.0.1:8080/by-tenant
//! curl -i 'http://127.0.0.1:8080/by-team?team=red'
//! ```
//!
//! Each answers with the key under which it was counted.

use std::io;

use actix_smart_ratelimit::{
    IntoKey, Key, RateLimiter, key_of,
    net::{ClientIp, ForwardedHeader, Networks},
    rate_limit,
};
use actix_web::{App, HttpRequest, HttpServer, Responder, get, web::Data};

/// The team that the query names; requests without one are counted by address.
fn team(request: &HttpRequest) -> impl IntoKey {
    let team = request.query_string().strip_prefix("team=")?;
    Some(("team", team.to_owned()))
}

fn told(request: &HttpRequest, key: &Key) -> String {
    let limiter = request.app_data::<Data<RateLimiter>>();
    limiter.map_or_else(String::new, |limiter| key_of(key, request, limiter) + "\n")
}

#[rate_limit(key = "geo", rate = "3/m")]
#[get("/by-country")]
async fn by_country(request: HttpRequest) -> impl Responder {
    told(&request, &Key::geo())
}

#[rate_limit(key = "device+ip", rate = "3/m")]
#[get("/by-device")]
async fn by_device(request: HttpRequest) -> impl Responder {
    told(&request, &Key::device().and(Key::ip()))
}

#[rate_limit(key = "tenant", rate = "3/m")]
#[get("/by-tenant")]
async fn by_tenant(request: HttpRequest) -> impl Responder {
    told(&request, &Key::tenant())
}

#[rate_limit(key = team, rate = "3/m")]
#[get("/by-team")]
async fn by_team(request: HttpRequest) -> impl Responder {
    told(&request, &Key::from_fn(team))
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let proxies = Networks::parse_trusted("trusted_proxies", ["127.0.0.0/8", "::1"]);
    let client_ip = ClientIp::default()
        .trusted_proxies(proxies.map_err(io::Error::other)?)
        .header(ForwardedHeader::XForwardedFor);
    let limiter = RateLimiter::builder().client_ip(client_ip).build().map_err(io::Error::other)?;
    let limiter = Data::new(limiter);
    let address = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    println!("listening on http://{address}");
    HttpServer::new(move || {
        App::new()
            .app_data(limiter.clone())
            .service(by_country)
            .service(by_device)
            .service(by_tenant)
            .service(by_team)
    })
    .bind(address)?
    .run()
    .await
}

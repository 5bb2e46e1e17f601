//! What tests share: a limiter whose time the test moves, requests and answers; private servers,
//! a proxy that does harm, and further processes.
#![allow(dead_code, unused_imports, reason = "no test file uses all of it")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

pub mod asking;
pub mod backends;
pub mod counted;
#[cfg(all(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub mod database;
pub mod events;
pub mod nginx;
pub mod ports;
pub mod processes;
pub mod proxy;
pub mod redis;
pub mod tcp;
pub mod trial;
pub mod watched;

use std::net::{IpAddr, SocketAddr};

use actix_http::Request;
use actix_smart_ratelimit::{
    Clock, Limit, ManualClock, Rate, RateLimit, RateLimiter, RateLimiterBuilder, Rule,
};
use actix_web::{
    App, Error,
    body::{MessageBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::{
        Method,
        header::{HeaderMap, HeaderValue},
    },
    test::{TestRequest, init_service},
    web,
};

/// The address of a client that is nobody in particular.
pub const CLIENT: &str = "192.0.2.1";
/// What a manual clock shows at first, in Unix seconds; a whole multiple of hours.
pub const NOW: u64 = 1_800_000_000;

/// A limiter with defaults, and the clock that moves its time.
pub fn limiter() -> (RateLimiter, ManualClock) {
    limiter_with(|builder| builder)
}

/// A limiter, and the clock that moves its time.
pub fn limiter_with(
    change: impl FnOnce(RateLimiterBuilder) -> RateLimiterBuilder,
) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::default();
    let builder = RateLimiter::builder().clock(Clock::Manual(clock.clone()));
    (change(builder).build().unwrap(), clock)
}

pub fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

/// A rule of this name and rate, by address.
pub fn rule(name: &str, text: &str) -> Rule {
    Rule::new(Limit::new(name, rate(text)))
}

/// An application round which a middleware is wrapped, and which answers `ok` to everything.
pub async fn answering(
    limit: RateLimit,
) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
    init_service(App::new().wrap(limit).default_service(web::to(|| async { "ok" }))).await
}

pub fn get(path: &str) -> TestRequest {
    from(CLIENT, path)
}

pub fn post(path: &str) -> TestRequest {
    get(path).method(Method::POST)
}

/// A GET from this address.
pub fn from(address: &str, path: &str) -> TestRequest {
    let address: IpAddr = address.parse().unwrap();
    TestRequest::with_uri(path).peer_addr(SocketAddr::new(address, 50_000))
}

/// What a client sees.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The values of a header, in one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.headers.get_all(name).map(HeaderValue::to_str).collect();
        let lines: Result<Vec<_>, _> = lines.into_iter().collect();
        Some(lines.unwrap().join(" & ")).filter(|line| !line.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.header(name).map(|value| value.parse().unwrap())
    }

    pub fn limit(&self) -> Option<u64> {
        self.number("x-ratelimit-limit")
    }

    pub fn remaining(&self) -> Option<u64> {
        self.number("x-ratelimit-remaining")
    }

    pub fn reset(&self) -> Option<u64> {
        self.number("x-ratelimit-reset")
    }

    pub fn retry_after(&self) -> Option<u64> {
        self.number("retry-after")
    }

    /// The name of the policy that decided.
    pub fn policy(&self) -> Option<String> {
        let state = self.header("ratelimit")?;
        state.split('"').nth(1).map(str::to_owned)
    }

    /// The names of all header fields about limits.
    pub fn limit_fields(&self) -> Vec<String> {
        let names = self.headers.keys().map(|name| name.as_str().to_owned());
        let mut names: Vec<_> =
            names.filter(|name| name.contains("ratelimit") || name == "retry-after").collect();
        names.sort();
        names
    }
}

/// The answer of an application; an error that reaches the server becomes a response as it does
/// there.
pub async fn send<B: MessageBody + 'static>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    request: TestRequest,
) -> Answer {
    let response = match app.call(request.to_request()).await {
        Ok(response) => response.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap_or_default();
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// The statuses of this many requests, one after the other.
pub async fn statuses<B: MessageBody + 'static>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    count: usize,
    request: impl Fn() -> TestRequest,
) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(send(app, request()).await.status);
    }
    statuses
}

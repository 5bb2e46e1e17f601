//! Runs an application and tells how it answered.

use actix_smart_ratelimit::{Clock, ManualClock, MemoryBackend, RateLimiter, Timestamp};
use actix_web::{App, test, web::ServiceConfig};

/// A GET request from one address.
#[allow(dead_code)]
pub fn get(uri: &str) -> test::TestRequest {
    test::TestRequest::get().uri(uri).peer_addr(([203, 0, 113, 7], 4000).into())
}

/// A limiter whose time stands still.
fn limiter() -> RateLimiter {
    let clock = ManualClock::new(Timestamp::from_secs(1_800_000_000));
    let limiter = RateLimiter::builder()
        .clock(Clock::Manual(clock))
        .backend("main", MemoryBackend::new(100))
        .backend("spare", MemoryBackend::new(100));
    limiter.build().expect("the settings are valid")
}

/// The status and body of the answer to each request, in turn.
pub fn answers<const N: usize>(
    routes: fn(&mut ServiceConfig),
    requests: [test::TestRequest; N],
) -> [(u16, String); N] {
    let run = async move {
        let app = App::new().app_data(limiter()).configure(routes);
        let app = test::init_service(app).await;
        let mut answers = Vec::new();
        for request in requests {
            let response = test::call_service(&app, request.to_request()).await;
            let status = response.status().as_u16();
            let body = test::read_body(response).await;
            answers.push((status, String::from_utf8_lossy(&body).into_owned()));
        }
        answers
    };
    let answers = actix_web::rt::System::new().block_on(run);
    answers.try_into().expect("one answer for each request")
}

/// The status of the answer to each request, in turn.
#[allow(dead_code)]
pub fn statuses<const N: usize>(
    routes: fn(&mut ServiceConfig),
    requests: [test::TestRequest; N],
) -> [u16; N] {
    answers(routes, requests).map(|(status, _)| status)
}

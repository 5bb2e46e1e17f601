use std::{
    future::{Ready, ready},
    sync::atomic::{AtomicU32, Ordering},
};

use actix_smart_ratelimit::rate_limit;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, dev::Payload, get};

#[path = "../support.rs"]
mod support;

static EXTRACTED: AtomicU32 = AtomicU32::new(0);

struct Counted;

impl FromRequest for Counted {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        EXTRACTED.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Self))
    }
}

#[rate_limit(rate = "1/h")]
#[get("/")]
async fn handler(_counted: Counted) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let statuses = support::statuses(
        |app| {
            app.service(handler);
        },
        ["/"; 3].map(support::get),
    );
    assert_eq!(statuses, [200, 429, 429]);
    assert_eq!(EXTRACTED.load(Ordering::SeqCst), 1);
}

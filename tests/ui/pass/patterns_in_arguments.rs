#![deny(warnings)]

use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::atomic::{AtomicBool, Ordering},
};

use actix_smart_ratelimit::rate_limit;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, dev::Payload, web};

#[path = "../support.rs"]
mod support;

static HELD: AtomicBool = AtomicBool::new(false);

struct Guard;

impl FromRequest for Guard {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        HELD.store(true, Ordering::SeqCst);
        ready(Ok(Self))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        HELD.store(false, Ordering::SeqCst);
    }
}

#[rate_limit(rate = "5/h")]
async fn handler(
    web::Query(query): web::Query<HashMap<String, String>>,
    path: web::Path<(u32, String)>,
    mut body: String,
    _: Guard,
) -> HttpResponse {
    let (id, ref name) = path.into_inner();
    body.push('!');
    let held = HELD.load(Ordering::SeqCst);
    HttpResponse::Ok().body(format!("{id} {name} {} {body} {held}", query["q"]))
}

fn main() {
    let [answer] = support::answers(
        |app| {
            app.route("/{id}/{name}", web::get().to(handler));
        },
        [support::get("/7/ann?q=x").set_payload("hey")],
    );
    assert_eq!(answer, (200, "7 ann x hey! true".to_owned()));
}

#![deny(warnings, missing_docs, unused, unreachable_code)]
//! A crate that is strict with itself.

use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, Responder, get, web};

#[path = "../support.rs"]
mod support;

/// Greets.
///
/// At length.
#[rate_limit(rate = "1/h")]
#[get("/{name}")]
pub async fn greet(name: web::Path<String>) -> impl Responder {
    #![allow(unused_variables)]
    let unused = 1;
    format!("hello {name}")
}

/// Never answers.
#[rate_limit(rate = "1/h")]
#[cfg_attr(all(), get("/panic/now"))]
pub(crate) async fn diverge(_body: web::Bytes) -> HttpResponse {
    unimplemented!("on purpose")
}

fn main() {
    let statuses = support::statuses(
        |app| {
            app.service(greet).service(diverge);
        },
        [support::get("/ann"), support::get("/ann")],
    );
    assert_eq!(statuses, [200, 429]);
}

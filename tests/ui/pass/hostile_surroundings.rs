//! Names at the handler cannot change what the attribute means.
#![allow(dead_code, non_camel_case_types, non_upper_case_globals, unused_imports, unused_macros)]

use actix_web::{HttpResponse, web};

#[path = "../support.rs"]
mod support;

mod core {}
mod std {}
struct Option;
struct Result;
struct String;
struct Rule;
struct Limit;
struct Key;
enum Outcome {
    Ok,
    Err,
    Some,
    None,
}
use Outcome::{Err, None, Ok, Some};
macro_rules! module_path {
    () => {
        compile_error!("shadowed")
    };
}
static __RATE_LIMIT: u8 = 1;

#[actix_smart_ratelimit::rate_limit(rate = "1/h")]
async fn handler(__rate_limit_call: web::Bytes, never: web::Query<()>) -> HttpResponse {
    let __rate_limit_output = 1;
    let _ = (never, __rate_limit_output);
    HttpResponse::Ok().body(__rate_limit_call)
}

fn main() {
    let answers = support::answers(
        |app| {
            app.route("/", web::get().to(handler));
        },
        [support::get("/").set_payload("b"), support::get("/")],
    );
    assert_eq!(answers[0], (200, "b".into()));
    assert_eq!(answers[1].0, 429);
}

use std::error::Error as StdError;

use actix_smart_ratelimit::rate_limit;
use actix_web::{Error, HttpResponse, Responder, ResponseError, error::ErrorNotFound, get, web};

#[path = "../support.rs"]
mod support;

#[derive(Debug)]
struct Unknown;

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unknown")
    }
}

impl ResponseError for Unknown {}

fn even(n: u32) -> Result<u32, Unknown> {
    if n % 2 == 0 { Ok(n) } else { Err(Unknown) }
}

#[rate_limit(rate = "9/h")]
#[get("/named/{n}")]
async fn named(n: web::Path<u32>) -> Result<HttpResponse, Error> {
    let n = even(n.into_inner())?;
    let n = n.checked_sub(1).ok_or_else(|| ErrorNotFound("zero"))?;
    Ok(HttpResponse::Ok().body(n.to_string()))
}

#[rate_limit(rate = "9/h")]
#[get("/opaque/{n}")]
async fn opaque(n: web::Path<u32>) -> Result<impl Responder, Error> {
    Ok(even(n.into_inner())?.to_string())
}

#[rate_limit(rate = "9/h")]
#[get("/boxed/{n}")]
async fn boxed(n: web::Path<u32>) -> actix_web::Result<String, Box<dyn StdError>> {
    if *n == 4 {
        return Err(Box::new(std::fmt::Error));
    }
    Ok("boxed".parse()?)
}

fn main() {
    let uris = ["/named/2", "/named/1", "/named/0", "/named/x", "/opaque/2", "/boxed/2", "/boxed/4"];
    let answers = support::answers(
        |app| {
            app.service(named).service(opaque).service(boxed);
        },
        uris.map(support::get),
    );
    assert_eq!(answers.each_ref().map(|it| it.0), [200, 500, 404, 404, 200, 200, 500]);
    assert_eq!((&*answers[0].1, &*answers[4].1), ("1", "2"));
}

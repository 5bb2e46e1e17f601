use actix_smart_ratelimit::rate_limit;
use actix_web::{FromRequest, HttpResponse};

#[rate_limit(rate = "5/m")]
async fn handler(_first: impl FromRequest, _second: Option<impl FromRequest>) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

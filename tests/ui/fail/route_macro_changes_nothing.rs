use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get};

#[rate_limit(rate = "5/x")]
#[get("/above")]
async fn above() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[get("/below")]
#[rate_limit(rate = "5/x")]
async fn below() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

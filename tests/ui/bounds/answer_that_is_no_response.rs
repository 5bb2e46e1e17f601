use actix_smart_ratelimit::rate_limit;
use actix_web::{Responder, get};

struct Answer;

#[rate_limit(rate = "5/m")]
async fn opaque() -> impl Responder {
    Answer
}

#[rate_limit(rate = "5/m")]
#[get("/")]
async fn named() -> Answer {
    Answer
}

fn main() {}

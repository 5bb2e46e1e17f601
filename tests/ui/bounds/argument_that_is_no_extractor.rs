use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, web};

struct Session;

#[rate_limit(rate = "5/m")]
async fn handler(body: web::Bytes, session: Session) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

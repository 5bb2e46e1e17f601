use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "5/m")]
fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

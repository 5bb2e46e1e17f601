use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

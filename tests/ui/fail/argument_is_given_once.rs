use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "1/s", key = "ip", rate = "1/s")]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

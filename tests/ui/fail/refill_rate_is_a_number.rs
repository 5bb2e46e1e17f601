use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "5/m", algorithm = "token_bucket", refill_rate = "2")]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

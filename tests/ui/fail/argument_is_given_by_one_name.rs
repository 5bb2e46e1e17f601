use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "1/s", algorithm = "gcra", bucket_size = 5, burst = 5)]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

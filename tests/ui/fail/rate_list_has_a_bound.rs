use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "1/s, 2/s, 3/s, 4/s, 5/s, 6/s, 7/s, 8/s, 9/s")]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

#[rate_limit(rate = "5/m", algorithm = "gcra", bucket_size = 18446744073709551616)]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

struct Handler;

impl Handler {
    #[rate_limit(rate = "5/m")]
    async fn handle(&self) -> HttpResponse {
        HttpResponse::Ok().finish()
    }
}

fn main() {}

use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

trait Handle {
    #[rate_limit(rate = "5/m")]
    async fn handle() -> HttpResponse;
}

fn main() {}

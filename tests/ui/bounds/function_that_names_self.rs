use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpRequest, HttpResponse};

struct Handler;

impl Handler {
    fn key(request: &HttpRequest) -> String {
        request.path().to_owned()
    }

    #[rate_limit(rate = "5/m", key = Self::key)]
    async fn handle() -> HttpResponse {
        HttpResponse::Ok().finish()
    }
}

fn main() {}

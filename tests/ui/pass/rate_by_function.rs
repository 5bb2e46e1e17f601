use actix_smart_ratelimit::{Rate, rate, rate_limit};
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

mod plan {
    use super::*;

    pub fn rates(request: &HttpRequest) -> Vec<Rate> {
        if request.query_string() == "gold" { vec![rate!("3/h"), rate!("5/d")] } else { vec![rate!("1/h")] }
    }
}

#[rate_limit(rate = plan::rates, algorithm = "token_bucket", initial_tokens = 1)]
#[get("/path")]
async fn by_path() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = |_: &HttpRequest| Rate::per_day(2))]
#[get("/closure")]
async fn by_closure() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let ask = |uri| {
        support::statuses(
            |app| {
                app.service(by_path).service(by_closure);
            },
            [uri; 3].map(support::get),
        )
    };
    assert_eq!(ask("/path"), [200, 429, 429]);
    assert_eq!(ask("/closure"), [200, 200, 429]);
}

use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

fn length(request: &HttpRequest) -> u32 {
    u32::try_from(request.query_string().len()).unwrap_or(u32::MAX)
}

#[rate_limit(rate = "6/h", cost = 3)]
#[get("/three")]
async fn three() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", cost = 0)]
#[get("/free")]
async fn free() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "6/h", cost = length)]
#[get("/length")]
async fn by_length() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "6/h", cost = |request: &HttpRequest| 2 * length(request))]
#[get("/double")]
async fn by_double() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let ask = |uri| {
        support::statuses(
            |app| {
                app.service(three).service(free).service(by_length).service(by_double);
            },
            [uri; 3].map(support::get),
        )
    };
    assert_eq!(ask("/three"), [200, 200, 429]);
    assert_eq!(ask("/free"), [200, 200, 200]);
    assert_eq!(ask("/length?123"), [200, 200, 429]);
    assert_eq!(ask("/length?1"), [200, 200, 200]);
    assert_eq!(ask("/double?12"), [200, 429, 429]);
}

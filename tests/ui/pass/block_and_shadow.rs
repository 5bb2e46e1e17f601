use actix_smart_ratelimit::{RateLimitInfo, rate_limit};
use actix_web::{HttpResponse, get};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "1/h", block = false)]
#[get("/told")]
async fn told(info: RateLimitInfo) -> HttpResponse {
    HttpResponse::Ok().body(info.is_allowed().to_string())
}

#[rate_limit(rate = "1/h", block = true, shadow = false)]
#[get("/blocked")]
async fn blocked() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", shadow = true)]
#[get("/shadow")]
async fn shadow() -> HttpResponse {
    HttpResponse::Ok().body("as ever")
}

fn main() {
    let ask = |uri| {
        support::answers(
            |app| {
                app.service(told).service(blocked).service(shadow);
            },
            [uri; 2].map(support::get),
        )
    };
    assert_eq!(ask("/told").map(|(_, body)| body), ["true", "false"]);
    assert_eq!(ask("/blocked").map(|(status, _)| status), [200, 429]);
    assert_eq!(ask("/shadow").map(|(_, body)| body), ["as ever", "as ever"]);
}

use actix_smart_ratelimit::{Refusal, rate_limit};
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

fn page(request: &HttpRequest, _: &Refusal) -> HttpResponse {
    HttpResponse::TooManyRequests().body(format!("not so fast with {}", request.path()))
}

#[rate_limit(rate = "1/h", on_refused = page)]
#[get("/once")]
async fn once() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", on_refused = |_, _| HttpResponse::TooManyRequests().body("closed"))]
#[get("/closure")]
async fn by_closure() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let ask = |uri| {
        let [_, (_, body)] = support::answers(
            |app| {
                app.service(once).service(by_closure);
            },
            [uri; 2].map(support::get),
        );
        body
    };
    assert_eq!(ask("/once"), "not so fast with /once");
    assert_eq!(ask("/closure"), "closed");
}

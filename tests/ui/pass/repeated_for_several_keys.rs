use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "3/h", key = "ip")]
#[rate_limit(rate = "1/h", key = "query:q")]
#[get("/")]
async fn search(body: String) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

fn main() {
    let answers = support::answers(
        |app| {
            app.service(search);
        },
        ["/?q=a", "/?q=a", "/?q=b", "/?q=c", "/?q=d"].map(|uri| support::get(uri).set_payload("found")),
    );
    assert_eq!(answers.each_ref().map(|(status, _)| *status), [200, 429, 200, 200, 429]);
    assert_eq!(answers[2].1, "found");
}

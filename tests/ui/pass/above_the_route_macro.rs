use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get, post, route, test::TestRequest};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "2/h")]
#[get("/got")]
async fn got() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "2/h")]
#[post("/posted")]
async fn posted(body: String) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

#[rate_limit(rate = "2/h")]
#[route("/routed", method = "GET", method = "PUT")]
async fn routed() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let get = |uri| support::statuses(
        |app| {
            app.service(got).service(routed);
        },
        [support::get(uri), support::get(uri), support::get(uri)],
    );
    assert_eq!(get("/got"), [200, 200, 429]);
    assert_eq!(get("/routed"), [200, 200, 429]);

    let post = || TestRequest::post().uri("/posted").set_payload("text");
    let answers = support::answers(
        |app| {
            app.service(posted);
        },
        [post(), post(), post()],
    );
    assert_eq!(answers[1], (200, "text".to_owned()));
    assert_eq!(answers[2].0, 429);
}

use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

fn is_staff(request: &HttpRequest) -> bool {
    request.query_string() == "staff"
}

#[rate_limit(rate = "1/h", skip_if = is_staff)]
#[get("/path")]
async fn by_path() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", skip_if = |request| request.query_string() == "staff")]
#[get("/closure")]
async fn by_closure() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    for uris in [["/path", "/path?staff", "/path"], ["/closure", "/closure?staff", "/closure"]] {
        let statuses = support::statuses(
            |app| {
                app.service(by_path).service(by_closure);
            },
            uris.map(support::get),
        );
        assert_eq!(statuses, [200, 200, 429]);
    }
}

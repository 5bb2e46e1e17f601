use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "1/h", count_refused = true, on_error = "deny")]
#[get("/counted")]
async fn counted() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", count_refused = false, on_error = "allow", backend = "spare")]
#[get("/allowed")]
async fn allowed() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", on_error = "local")]
#[get("/local")]
async fn local() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    for uri in ["/counted", "/allowed", "/local"] {
        let statuses = support::statuses(
            |app| {
                app.service(counted).service(allowed).service(local);
            },
            [uri; 2].map(support::get),
        );
        assert_eq!(statuses, [200, 429], "{uri}");
    }
}

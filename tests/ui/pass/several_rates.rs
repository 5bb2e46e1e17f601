use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = ["3/h", "2/d"])]
#[get("/array")]
async fn array() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "3/h, 2/d")]
#[get("/commas")]
async fn commas() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = ["9/s, 3/h", "2/d",],)]
#[get("/both")]
async fn both() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    for uri in ["/array", "/commas", "/both"] {
        let statuses = support::statuses(
            |app| {
                app.service(array).service(commas).service(both);
            },
            [uri; 3].map(support::get),
        );
        assert_eq!(statuses, [200, 200, 429], "{uri}");
    }
}

use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, get};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "1/h", scope = "accounts")]
#[get("/one")]
async fn one() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", scope = "accounts")]
#[get("/other")]
async fn other() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", scope = "")]
#[get("/bare")]
async fn bare() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h")]
#[get("/own")]
async fn own() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h")]
#[get("/raw")]
async fn r#match() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let statuses = support::statuses(
        |app| {
            app.service(one).service(other).service(bare).service(own).service(r#match);
        },
        ["/one", "/other", "/bare", "/own", "/raw"].map(support::get),
    );
    assert_eq!(statuses, [200, 429, 200, 200, 200], "one and other share their counters");
}

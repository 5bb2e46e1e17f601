use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, web};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "2/h")]
async fn limited() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

fn main() {
    let statuses = support::statuses(
        |app| {
            app.route("/", web::get().to(limited));
        },
        [support::get("/"), support::get("/"), support::get("/")],
    );
    assert_eq!(statuses, [204, 204, 429]);
}

#[path = "../support.rs"]
mod support;

#[actix_smart_ratelimit::rate_limit(rate = "1/h")]
#[actix_web::get("/above")]
async fn above() -> actix_web::HttpResponse {
    actix_web::HttpResponse::Ok().finish()
}

#[actix_web::get("/below")]
#[actix_smart_ratelimit::rate_limit(rate = "1/h")]
async fn below() -> actix_web::HttpResponse {
    actix_web::HttpResponse::Ok().finish()
}

#[actix_smart_ratelimit::rate_limit(rate = "1/h")]
#[actix_web::routes]
#[get("/many")]
#[get("/more")]
async fn many() -> actix_web::HttpResponse {
    actix_web::HttpResponse::Ok().finish()
}

fn main() {
    for uris in [["/above", "/above"], ["/below", "/below"], ["/many", "/more"]] {
        let statuses = support::statuses(
            |app| {
                app.service(above).service(below).service(many);
            },
            uris.map(support::get),
        );
        assert_eq!(statuses, [200, 429], "{uris:?}");
    }
}

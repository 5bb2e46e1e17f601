use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpRequest, HttpResponse, web};

#[path = "../support.rs"]
mod support;

fn staff(request: &HttpRequest) -> bool {
    request.query_string() == "staff"
}

macro_rules! limited {
    ($vis:vis $name:ident, $rate:expr, $cost:expr, $skip:path, $block:literal, $argument:ident: $kind:ty) => {
        #[rate_limit(rate = $rate, cost = $cost, skip_if = $skip, block = $block)]
        $vis async fn $name($argument: $kind) -> HttpResponse {
            HttpResponse::Ok().body($argument)
        }
    };
}

limited!(pub(crate) two, "4/h", 2, staff, true, body: String);

fn main() {
    let statuses = support::statuses(
        |app| {
            app.route("/", web::get().to(two));
        },
        ["/", "/", "/", "/?staff"].map(support::get),
    );
    assert_eq!(statuses, [200, 200, 429, 200]);
}

use actix_smart_ratelimit::{Limit, Rate, rate, rate_limit};
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

const UPLOADS: Rate = rate!("10/30s");
static RATES: [Rate; 2] = [rate!("2/h"), rate!(" 1_000/2d ")];

#[rate_limit(rate = |_: &HttpRequest| RATES)]
#[get("/")]
async fn handler() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    assert_eq!(UPLOADS, "10/30s".parse::<Rate>().unwrap());
    assert_eq!((RATES[1].limit(), RATES[1].period_micros()), (1_000, 172_800_000_000));
    let _ = Limit::new("uploads", rate!("1/s"));
    let statuses = support::statuses(
        |app| {
            app.service(handler);
        },
        ["/"; 3].map(support::get),
    );
    assert_eq!(statuses, [200, 200, 429]);
}

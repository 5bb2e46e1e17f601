use actix_smart_ratelimit::{rate_limit, Refusal};
use actix_web::{HttpRequest, HttpResponse};

struct Whom;

fn whom(_: &HttpRequest) -> Whom {
    Whom
}

fn cost(_: &HttpRequest) -> u64 {
    1
}

fn staff() -> bool {
    true
}

fn page(_: &Refusal) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn rates(_: &HttpRequest) -> &'static str {
    "5/m"
}

#[rate_limit(rate = "5/m", key = whom)]
async fn by_key() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "5/m", cost = cost)]
async fn by_cost() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "5/m", skip_if = staff)]
async fn by_staff() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "5/m", on_refused = page)]
async fn by_page() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = rates)]
async fn by_rates() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "5/m", cost = missing::cost)]
async fn by_missing() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

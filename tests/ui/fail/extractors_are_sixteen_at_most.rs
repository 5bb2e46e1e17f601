use actix_smart_ratelimit::rate_limit;
use actix_web::HttpResponse;

type N = ();

#[rate_limit(rate = "5/m")]
async fn handler(
    _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N,
    _one_more: N,
) -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {}

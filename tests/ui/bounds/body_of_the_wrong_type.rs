use actix_smart_ratelimit::rate_limit;
use actix_web::{Error, HttpResponse, web};

#[rate_limit(rate = "5/m")]
async fn value(body: web::Bytes) -> HttpResponse {
    body.len()
}

#[rate_limit(rate = "5/m")]
async fn early() -> Result<HttpResponse, Error> {
    if true {
        return HttpResponse::Ok().finish();
    }
    let unused = 1;
    let n: u32 = "1".parse()?;
    Ok(HttpResponse::Ok().body(n.to_string()))
}

fn main() {}

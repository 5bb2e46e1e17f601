use std::net::IpAddr;

use actix_smart_ratelimit::{IntoKey, KeyValue, rate_limit};
use actix_web::{HttpRequest, HttpResponse, get};

#[path = "../support.rs"]
mod support;

fn query(request: &HttpRequest) -> String {
    request.query_string().to_owned()
}

fn optional(request: &HttpRequest) -> Option<impl IntoKey + use<>> {
    Some((request.query_string().len(), KeyValue::new(["a", "b"])))
}

fn fallible(request: &HttpRequest) -> Result<IpAddr, std::net::AddrParseError> {
    request.query_string().parse()
}

fn borrowed(request: &HttpRequest) -> Option<&str> {
    request.query_string().split('&').next()
}

#[rate_limit(rate = "1/h", key = borrowed)]
#[get("/borrowed")]
async fn by_borrowed() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", key = query)]
#[get("/query")]
async fn by_query() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", key = self::optional)]
#[get("/optional")]
async fn by_length() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", key = fallible)]
#[get("/fallible")]
async fn by_address() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[rate_limit(rate = "1/h", key = |request: &HttpRequest| request.path().len())]
#[get("/closure")]
async fn by_closure() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn main() {
    let ask = |uris: [&str; 3]| {
        support::statuses(
            |app| {
                app.service(by_borrowed).service(by_query).service(by_length).service(by_address).service(by_closure);
            },
            uris.map(support::get),
        )
    };
    assert_eq!(ask(["/borrowed?a&1", "/borrowed?b", "/borrowed?a&2"]), [200, 200, 429]);
    assert_eq!(ask(["/query?a", "/query?b", "/query?a"]), [200, 200, 429]);
    assert_eq!(ask(["/optional?a", "/optional?bb", "/optional?c"]), [200, 200, 429]);
    assert_eq!(ask(["/fallible?a", "/fallible?b", "/fallible?192.0.2.1"]), [200, 429, 200]);
    assert_eq!(ask(["/closure", "/closure?b", "/closure"]), [200, 429, 429]);
}

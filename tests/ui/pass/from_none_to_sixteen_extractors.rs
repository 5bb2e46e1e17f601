use actix_smart_ratelimit::rate_limit;
use actix_web::{
    HttpRequest, HttpResponse,
    dev::{ConnectionInfo, PeerAddr},
    http::{Method, Uri},
    web,
};

#[path = "../support.rs"]
mod support;

#[rate_limit(rate = "1/h")]
async fn none() -> HttpResponse {
    HttpResponse::Ok().body("0")
}

#[rate_limit(rate = "1/h")]
async fn one(body: String) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

#[rate_limit(rate = "1/h")]
#[allow(clippy::too_many_arguments)]
async fn twelve(
    (): (),
    request: HttpRequest,
    method: Method,
    uri: Uri,
    connection: ConnectionInfo,
    peer: PeerAddr,
    path: web::Path<String>,
    data: web::Data<u32>,
    missing: Option<web::Data<String>>,
    failed: Result<web::Data<String>, actix_web::Error>,
    thing: web::ThinData<u8>,
    body: web::Bytes,
) -> HttpResponse {
    assert_eq!((request.method(), request.uri()), (&method, &uri));
    assert_eq!(connection.peer_addr(), Some(&*peer.0.ip().to_string()));
    assert!(path.is_empty() && missing.is_none() && failed.is_err());
    HttpResponse::Ok().body(format!("{} {} {body:?}", data.get_ref(), thing.0))
}

type N = ();

#[rate_limit(rate = "1/h")]
#[allow(clippy::too_many_arguments)]
async fn sixteen(
    _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N, _: N,
    body: String,
) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

fn main() {
    for (uri, expected) in [("/none", "0"), ("/one", "b"), ("/twelve", "1 2 b\"b\""), ("/sixteen", "b")] {
        let answers = support::answers(
            |app| {
                app.app_data(web::Data::new(1_u32)).app_data(web::ThinData(2_u8));
                app.route("/none", web::get().to(none));
                app.route("/one", web::get().to(one));
                app.route("/twelve{tail:.*}", web::get().to(twelve));
                app.route("/sixteen", web::get().to(sixteen));
            },
            [(); 2].map(|()| support::get(uri).set_payload("b")),
        );
        assert_eq!(answers[0], (200, expected.to_owned()));
        assert_eq!(answers[1].0, 429);
    }
}

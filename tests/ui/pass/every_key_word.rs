use actix_smart_ratelimit::rate_limit;
use actix_web::{HttpResponse, cookie::Cookie, web};

#[path = "../support.rs"]
mod support;

macro_rules! keyed {
    ($($name:ident = $key:literal),* $(,)?) => {
        $(
            #[rate_limit(key = $key, rate = "1/h")]
            async fn $name() -> HttpResponse {
                HttpResponse::Ok().finish()
            }
        )*

        fn routes(app: &mut web::ServiceConfig) {
            $(app.route(concat!("/", stringify!($name), "/{id}"), web::get().to($name));)*
        }
    };
}

keyed! {
    ip = "ip",
    user = "user",
    user_or_ip = "user_or_ip",
    header = "header:X-Plan",
    query = "query:q",
    param = "param:q",
    path = "path:id",
    cookie = "cookie:sid",
    api_key = "api_key",
    tenant = "tenant",
    device = "device",
    geo = "geo",
    global = "global",
    named = "global:builds",
    joined = "ip + path:id + header:X-Plan",
}

fn main() {
    for word in ["ip", "user", "user_or_ip", "tenant", "geo", "global", "named"] {
        let uri = format!("/{word}/1");
        let statuses = support::statuses(routes, [support::get(&uri), support::get(&uri)]);
        assert_eq!(statuses, [200, 429], "{word}");
    }
    let differ = |uris: [&str; 2], headers: [(&'static str, &'static str); 2]| {
        let [first, second] = headers;
        let requests = [(uris[0], first), (uris[1], second), (uris[1], second)];
        let requests = requests.map(|(uri, header)| support::get(uri).insert_header(header));
        assert_eq!(support::statuses(routes, requests), [200, 200, 429], "{uris:?}");
    };
    let none = [("X-Other", "a"), ("X-Other", "b")];
    let plans = [("X-Plan", "a"), ("X-Plan", "b")];
    differ(["/header/1", "/header/1"], plans);
    differ(["/query/1?q=a", "/query/1?q=b"], none);
    differ(["/param/1?q=a", "/param/1?q=b"], none);
    differ(["/path/1", "/path/2"], none);
    differ(["/api_key/1", "/api_key/1"], [("X-Api-Key", "a"), ("X-Api-Key", "b")]);
    differ(["/device/1", "/device/1"], [("User-Agent", "a"), ("User-Agent", "b")]);
    differ(["/joined/1", "/joined/1"], plans);
    let cookies = ["a", "b", "b"].map(|sid| support::get("/cookie/1").cookie(Cookie::new("sid", sid)));
    assert_eq!(support::statuses(routes, cookies), [200, 200, 429]);
}

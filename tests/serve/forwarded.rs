//! Asked directly, as Traefik and Caddy ask, and as strangers do.

use crate::asking::{PROXY, Running, ask};

const RULES: &str = "[[middleware.rules]]\nname = \"auth\"\npath = \"/auth\"\nmethods = [\"POST\"]\n\
                     rate = \"1/h\"\n[[middleware.rules]]\nname = \"all\"\npath = \"/\"\nrate = \"5/h\"\n";

/// The headers of a question about a request.
fn about<'h>(method: &'h str, uri: &'h str, client: &'h str) -> [(&'h str, &'h str); 3] {
    [("X-Forwarded-Method", method), ("X-Forwarded-Uri", uri), ("X-Forwarded-For", client)]
}

#[actix_web::test]
async fn forward_auth_is_answered_with_429_and_the_limiters_headers() {
    for proxy in ["traefik", "caddy"] {
        let service = Running::start(&format!("{RULES}[serve]\nproxy = \"{proxy}\"\n"));
        let question = about("POST", "/auth/login?x=1", "203.0.113.7");
        let first = ask(PROXY, service.address, "GET /", &question).await;
        assert_eq!(
            (first.status, first.header("x-ratelimit-limit")),
            (200, Some("1")),
            "{first:?}"
        );
        let second = ask(PROXY, service.address, "GET /", &question).await;
        assert_eq!(second.status, 429);
        assert!(second.header("retry-after").is_some(), "{second:?}");
        assert!(second.header("ratelimit").unwrap().contains("\"auth\""), "{second:?}");
        for other in [
            about("POST", "/auth/login", "203.0.113.8"),
            about("GET", "/auth/login", "203.0.113.7"),
        ] {
            assert_eq!(ask(PROXY, service.address, "GET /", &other).await.status, 200, "{other:?}");
        }
    }
}

#[actix_web::test]
async fn headers_of_another_kind_of_proxy_are_not_read() {
    let service = Running::start(&format!("{RULES}[serve]\nproxy = \"traefik\"\n"));
    let mut question = about("POST", "/auth", "203.0.113.7").to_vec();
    question.extend([("X-Original-URI", "/"), ("X-Original-Method", "GET")]);
    assert_eq!(ask(PROXY, service.address, "GET /", &question).await.status, 200);
    assert_eq!(ask(PROXY, service.address, "GET /", &question).await.status, 429);
}

#[actix_web::test]
async fn strangers_are_not_answered() {
    let service = Running::start(&format!("{RULES}[serve]\nproxy = \"traefik\"\n"));
    let question = about("GET", "/", "203.0.113.7");
    let answer = ask("127.0.0.7", service.address, "GET /", &question).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (403, None));
    assert_eq!(answer.body, "127.0.0.7 is not in client_ip.trusted_proxies");
    let answer = ask(PROXY, service.address, "GET /", &question).await;
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("4"), "the stranger took nothing");
}

#[actix_web::test]
async fn questions_that_say_too_little_or_too_much_are_told_so() {
    let service = Running::start(&format!("{RULES}[serve]\nproxy = \"traefik\"\n"));
    let whole = about("GET", "/", "203.0.113.7").to_vec();
    let with = |more| [whole.clone(), vec![more]].concat();
    let cases = [
        (vec![], "the header x-forwarded-uri is missing"),
        (vec![whole[1]], "the header x-forwarded-method is missing"),
        (with(("X-Forwarded-Uri", "/free")), "the header x-forwarded-uri stands twice"),
        (with(("X-Forwarded-Method", "PUT")), "the header x-forwarded-method stands twice"),
        (vec![whole[0], ("X-Forwarded-Uri", "free")], "the header x-forwarded-uri is no path"),
        (
            vec![("X-Forwarded-Method", "G T"), whole[1]],
            "the header x-forwarded-method is no method",
        ),
    ];
    for (question, told) in cases {
        let answer = ask(PROXY, service.address, "GET /", &question).await;
        assert_eq!(answer.status, 400, "{question:?}");
        assert!(answer.body.starts_with(told), "{}", answer.body);
    }
}

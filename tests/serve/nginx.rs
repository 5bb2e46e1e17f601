//! Behind nginx, set up as docs/serve/nginx.conf says.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    asking::{Answer, Running, ask},
    support::{nginx::Nginx, ports::free_port},
};

const SET_UP: &str = include_str!("../../docs/serve/nginx.conf");

/// An nginx before a service and an application, and another one before that.
struct Site {
    nginx: Nginx,
    /// The one that asks the service.
    inner: SocketAddr,
    /// The one before it.
    outer: SocketAddr,
}

impl Site {
    fn before(service: &Running) -> Self {
        loop {
            let [inner, outer, application] = [(); 3].map(|()| free_port());
            let http = SET_UP
                .replace("listen 80;", &format!("listen 127.0.0.1:{inner};"))
                .replace("127.0.0.1:9090", &service.address.to_string())
                .replace("127.0.0.1:8000", &format!("127.0.0.1:{application}"));
            let more = format!(
                "server {{
                    listen 127.0.0.1:{outer};
                    location / {{
                        proxy_pass http://127.0.0.1:{inner};
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    }}
                }}
                server {{
                    listen 127.0.0.1:{application};
                    location / {{ return 200 \"application\"; }}
                    location /forbidden {{ return 403 \"by the application\"; }}
                }}"
            );
            let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if let Some(nginx) = Nginx::start(&format!("{http}\n{more}"), inner) {
                return Self { nginx, inner: at(inner), outer: at(outer) };
            }
        }
    }

    async fn get(&self, from: &str, path: &str) -> Answer {
        ask(from, self.inner, &format!("GET {path}"), &[]).await
    }
}

/// A service for nginx.
fn service(text: &str) -> Running {
    Running::start(&format!("{text}\n[serve]\nrefused_status = 403\n"))
}

/// A rule by which `/` has this rate.
fn all_at(rate: &str) -> String {
    format!("[[middleware.rules]]\nname = \"all\"\npath = \"/\"\nrate = \"{rate}\"\n")
}

#[actix_web::test]
async fn of_a_thousand_requests_exactly_the_limit_reaches_the_application() {
    let service = service(&all_at("100/h"));
    let site = Site::before(&service);
    let inner = site.inner;
    let askers = (0..20).map(|_| async move {
        let mut answers = Vec::new();
        for _ in 0..50 {
            answers.push(ask("127.0.0.2", inner, "GET /", &[]).await);
        }
        answers
    });
    let answers = futures_util::future::join_all(askers).await;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let with_status = |status| answers.iter().filter(move |answer| answer.status == status);
    assert_eq!((with_status(200).count(), with_status(429).count()), (100, 900));
    assert!(with_status(200).all(|answer| answer.body == "application"));
    let mut left: Vec<u32> = with_status(200)
        .map(|answer| answer.header("x-ratelimit-remaining").unwrap().parse().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(left, (0..100).collect::<Vec<_>>());
    for answer in with_status(429) {
        assert_eq!(answer.header("x-ratelimit-limit"), Some("100"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    assert_eq!(site.get("127.0.0.3", "/").await.status, 200);
    assert!(!site.nginx.log().contains("[error]"), "{}", site.nginx.log());
}

#[actix_web::test]
async fn method_and_path_of_the_original_request_choose_the_rule() {
    let service = service(
        "[[middleware.rules]]\nname = \"auth\"\npath = \"/api/auth/\"\nmethods = [\"POST\"]\n\
         rate = \"1/h\"\n",
    );
    let site = Site::before(&service);
    let ask = |what: &'static str| ask("127.0.0.2", site.inner, what, &[("Content-Length", "0")]);
    assert_eq!(ask("POST /api/auth/login?next=/").await.status, 200);
    assert_eq!(ask("POST /api/auth/login").await.status, 429);
    assert_eq!(ask("POST /api/%61uth/other").await.status, 429);
    assert_eq!(ask("GET /api/auth/login").await.status, 200);
    assert_eq!(ask("POST /api/authors").await.status, 200);
}

#[actix_web::test]
async fn the_client_is_found_behind_one_proxy_and_behind_two() {
    let service = service(&all_at("2/h"));
    let site = Site::before(&service);
    for (place, left) in [(site.inner, "1"), (site.outer, "0")] {
        let answer = ask("127.0.0.2", place, "GET /", &[]).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, Some(left)));
    }
    for place in [site.inner, site.outer] {
        assert_eq!(ask("127.0.0.2", place, "GET /", &[]).await.status, 429);
    }
    for place in [site.outer, site.inner] {
        assert_eq!(ask("127.0.0.3", place, "GET /", &[]).await.status, 200);
    }
}

#[actix_web::test]
async fn what_clients_pretend_changes_nothing() {
    let service = service(
        &("[middleware]\nskip_paths = [\"/free\"]\n".to_owned()
            + &all_at("1/h")
            + "methods = [\"GET\"]\n"),
    );
    let site = Site::before(&service);
    assert_eq!(site.get("127.0.0.2", "/").await.status, 200);
    let pretended = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-For", "203.0.113.7, 127.0.0.1"),
        ("X-Real-IP", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7"),
        ("X-Original-URI", "/free"),
        ("X-Original-Method", "POST"),
        ("X-Forwarded-Uri", "/free"),
        ("X-Forwarded-Method", "POST"),
        ("X-HTTP-Method-Override", "POST"),
    ];
    for place in [site.inner, site.outer] {
        for (name, value) in pretended {
            let answer = ask("127.0.0.2", place, "GET /", &[(name, value)]).await;
            assert_eq!(answer.status, 429, "{name}: {value}");
        }
    }
    assert_eq!(site.get("127.0.0.2", "/free").await.status, 200);
    // Nobody else's counter was touched.
    assert_eq!(site.get("127.0.0.3", "/").await.status, 200);
}

#[actix_web::test]
async fn paths_that_are_no_url_are_limited_like_others() {
    let service = service(&all_at("1/h"));
    let site = Site::before(&service);
    assert_eq!(site.get("127.0.0.2", "/").await.status, 200);
    for path in ["/a<b>", "/a|b^c`{d}", "/a\\b", "//", "/a#b", "/\u{e9}?q=\u{e9}"] {
        assert_eq!(site.get("127.0.0.2", path).await.status, 429, "{path}");
    }
}

#[actix_web::test]
async fn the_applications_own_refusals_pass_unchanged() {
    let service = service(&all_at("5/h"));
    let site = Site::before(&service);
    let answer = site.get("127.0.0.2", "/forbidden").await;
    assert_eq!((answer.status, &*answer.body), (403, "by the application"));
}

#[actix_web::test]
async fn the_site_outlives_the_service() {
    let service = service(&all_at("1/h"));
    let site = Site::before(&service);
    assert_eq!(site.get("127.0.0.2", "/").await.status, 200);
    assert_eq!(site.get("127.0.0.2", "/").await.status, 429);
    service.handle.stop(true).await;
    let answer = site.get("127.0.0.2", "/").await;
    assert_eq!((answer.status, &*answer.body), (200, "application"));
}

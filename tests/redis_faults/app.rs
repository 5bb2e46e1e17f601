//! A whole application, asked over its own socket while its Redis fails.

use actix_smart_ratelimit::{
    OnError::{self, Allow, Deny, Local},
    RateLimiter, Rule,
};
use actix_web::web::{self, ServiceConfig};
use futures_util::future::join_all;

use super::{
    backend,
    support::{
        proxy::{ChaosProxy, Mode},
        redis::{RedisServer, wait_until},
        tcp::Server,
        trial::counted,
    },
};

/// A path for each choice, with two permits for each client where they are counted.
const PATHS: [(&str, OnError); 3] = [("/local", Local), ("/allow", Allow), ("/deny", Deny)];

/// What begins a fault, or ends it.
type Change = fn(&RedisServer, &ChaosProxy);

fn ok(app: &mut ServiceConfig) {
    app.default_service(web::to(|| async { "ok" }));
}

/// An application with a limit for each path, whose names are its own.
fn serve(url: &str, name: &str) -> Server {
    let limiter = RateLimiter::builder().backend("redis", backend(url)).build().unwrap();
    let rule = |(path, on_error): (&str, OnError)| {
        Rule::new(counted(&format!("{name}{path}"), 2).on_error(on_error)).path(path)
    };
    let limit = PATHS.into_iter().fold(limiter.middleware(), |limit, path| limit.rule(rule(path)));
    Server::start(limit, ok)
}

/// The statuses of so many requests to each path, sent on three connections at once.
async fn statuses(server: &Server, count: usize) -> [Vec<u16>; 3] {
    let ask = |(path, _): (&'static str, OnError)| async move {
        let mut client = server.connect().await;
        let mut statuses = Vec::new();
        for _ in 0..count {
            client.write(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
            let (head, body) = client.response().await;
            assert_eq!(head.status() == 200, body == "ok", "{body}");
            statuses.push(head.status());
        }
        statuses
    };
    join_all(PATHS.map(ask)).await.try_into().unwrap()
}

#[actix_web::test]
async fn requests_are_answered_as_each_limit_chooses_and_never_with_500() {
    let away = [vec![200, 200, 429], vec![200; 3], vec![503; 3]];
    let faults: [(&str, Change, Change); 5] = [
        ("frozen", |server, _| server.freeze(), |server, _| server.thaw()),
        ("killed", |server, _| server.kill(), |server, _| server.restart()),
        ("swallowed", |_, proxy| proxy.set(Mode::SwallowReplies), |_, proxy| proxy.set(Mode::Pass)),
        ("cut", |_, proxy| proxy.set(Mode::CutAfter(0)), |_, proxy| proxy.set(Mode::Pass)),
        (
            "replica",
            |server, _| as_replica(server, "127.0.0.1", "1"),
            |server, _| as_replica(server, "NO", "ONE"),
        ),
    ];
    for (name, begin, end) in faults {
        let redis = RedisServer::start();
        let proxy = ChaosProxy::to(redis.address());
        let app = serve(&proxy.url(), name);
        assert_eq!(statuses(&app, 1).await, [[200], [200], [200]]);
        begin(&redis, &proxy);
        assert_eq!(statuses(&app, 3).await, away, "{name}");
        end(&redis, &proxy);
        app.stop().await;
    }
}

fn as_replica(server: &RedisServer, host: &str, port: &str) {
    server.cli(&["REPLICAOF", host, port]);
    let role = if host == "NO" { "master" } else { "slave" };
    wait_until("the other role", || server.info("replication", "role") == role);
}

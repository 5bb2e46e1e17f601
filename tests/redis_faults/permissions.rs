//! A server that does not let us do what we have to.

use actix_smart_ratelimit::backend::{
    ErrorKind::Setup,
    Fate::{NotCharged, Unknown},
};
use redis::{Client, Connection};
use tokio::time::timeout;

use super::{
    backend,
    support::{
        redis::{PATIENCE, RedisServer},
        trial::{Fault, Trial, assert_cause, fates, kinds},
    },
};

/// A connection that keeps its permissions whatever happens to those of others.
fn operator(server: &RedisServer) -> Connection {
    Client::open(server.unix_url()).unwrap().get_connection().unwrap()
}

fn order(operator: &mut Connection, command: &[&str]) {
    redis::cmd(command[0]).arg(&command[1..]).exec(operator).unwrap();
}

fn assert_not_set_up(faults: &[Fault]) {
    assert_eq!((kinds(faults), fates(faults)), (vec![Setup], vec![NotCharged]), "{faults:?}");
}

#[actix_web::test]
async fn a_password_that_is_set_while_it_runs() {
    for protocol in ["resp2", "resp3"] {
        let server = RedisServer::start();
        let trial = Trial::of(backend(format!("{}?protocol={protocol}", server.url())));
        trial.begins().await;
        let mut operator = operator(&server);
        order(&mut operator, &["CONFIG", "SET", "requirepass", "secret"]);
        order(&mut operator, &["CLIENT", "KILL", "TYPE", "normal"]);
        // What was under way when the connection ended is not known.
        trial.suffer(1).await;
        // Until the server has been asked again, what is told is that the connection ended.
        let asked_again = async {
            loop {
                let faults = trial.suffer_alone(1).await;
                assert_eq!(fates(&faults), [NotCharged], "{faults:?}");
                if kinds(&faults) == [Setup] {
                    break;
                }
            }
        };
        timeout(PATIENCE, asked_again).await.expect("the server is asked again");
        assert_not_set_up(&trial.suffer_alone(5).await);
        order(&mut operator, &["CONFIG", "SET", "requirepass", ""]);
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn a_wrong_password() {
    let server = RedisServer::with(&["--requirepass", "secret"]);
    for login in [":wrong", "nobody:secret", "default:wrong"] {
        for protocol in ["resp2", "resp3"] {
            let url = format!("redis://{login}@{}?protocol={protocol}", server.address());
            let trial = Trial::of(backend(url));
            assert_not_set_up(&trial.suffer_alone(2).await);
        }
    }
    assert_not_set_up(&Trial::of(backend(server.url())).suffer_alone(2).await);
}

#[actix_web::test]
async fn commands_that_are_not_permitted() {
    let server = RedisServer::start();
    for (missing, fate) in [
        ("-evalsha", NotCharged),
        ("resetkeys", NotCharged),
        ("-@write", Unknown),
        ("-time", Unknown),
    ] {
        server.cli(&["ACL", "SETUSER", "limiter", "reset", "on", ">pw", "~*", "+@all", missing]);
        let trial = Trial::of(backend(format!("redis://limiter:pw@{}", server.address())));
        let faults = trial.suffer_alone(2).await;
        assert_eq!((kinds(&faults), fates(&faults)), (vec![Setup], vec![fate]), "{missing}");
        server.cli(&["ACL", "SETUSER", "limiter", "~*", "+@all"]);
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn permissions_that_are_taken_away_while_it_runs() {
    let server = RedisServer::start();
    server.cli(&["ACL", "SETUSER", "limiter", "on", ">pw", "~*", "+@all"]);
    let trial = Trial::of(backend(format!("redis://limiter:pw@{}", server.address())));
    trial.begins().await;
    server.cli(&["ACL", "SETUSER", "limiter", "-evalsha"]);
    assert_not_set_up(&trial.suffer_alone(3).await);
    server.cli(&["ACL", "SETUSER", "limiter", "+evalsha"]);
    trial.recovers().await;
}

#[actix_web::test]
async fn a_database_that_is_not_there() {
    let server = RedisServer::start();
    for protocol in ["resp2", "resp3"] {
        let trial = Trial::of(backend(format!("{}/99?protocol={protocol}", server.url())));
        let faults = trial.suffer_alone(2).await;
        assert_cause(&faults, "DB index is out of range");
        assert_not_set_up(&faults);
    }
}

#[actix_web::test]
async fn a_server_without_scripts() {
    let server = RedisServer::with(&["--rename-command", "EVALSHA", ""]);
    let trial = Trial::of(backend(server.url()));
    let faults = trial.suffer_alone(2).await;
    assert_cause(&faults, "unknown command 'EVALSHA'");
    assert!(faults.iter().all(|fault| !fault.cause.contains("client0")), "a key was told");
    assert_not_set_up(&faults);
}

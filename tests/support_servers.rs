//! The private servers of the tests do what they say.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{thread, time::Duration};

use redis::{
    Client, ClientTlsConfig, RedisError, TlsCertificates, aio::MultiplexedConnection,
    cluster::ClusterClient,
};
use rustls::crypto::{CryptoProvider, ring};
use support::redis::{
    RedisCluster, RedisServer, Sentinel, TlsServer, tls::Certificates, wait_until,
};
use tokio::time::timeout;

/// So long is waited for an answer that must not come.
const MOMENT: Duration = Duration::from_millis(200);

async fn connect(url: impl Into<String>) -> Result<MultiplexedConnection, RedisError> {
    Client::open(url.into())?.get_multiplexed_async_connection().await
}

async fn ping(connection: &mut MultiplexedConnection) -> Result<String, RedisError> {
    redis::cmd("PING").query_async(connection).await
}

#[tokio::test]
async fn a_server_answers_on_its_port_and_its_socket() {
    let server = RedisServer::start();
    for url in [server.url(), server.unix_url(), format!("{}/3", server.url())] {
        assert_eq!(ping(&mut connect(url).await.unwrap()).await.unwrap(), "PONG");
    }
    assert_eq!(server.info("server", "process_id"), server.pid().to_string());
    assert_eq!(server.cli(&["CONFIG", "GET", "save"]), "save\n");
}

#[test]
fn options_are_obeyed() {
    let server = RedisServer::with(&["--maxmemory", "2mb", "--requirepass", "secret"]);
    assert_eq!(server.cli(&["CONFIG", "GET", "maxmemory"]), "maxmemory\n2097152");
    let stranger = Client::open(server.url()).unwrap().get_connection().unwrap();
    let error = redis::cmd("PING").exec(&mut { stranger }).unwrap_err();
    assert_eq!(error.code(), Some("NOAUTH"));
}

#[test]
fn many_servers_can_start_at_once() {
    let servers: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(RedisServer::start)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    for server in &servers {
        assert_eq!(server.info("server", "process_id"), server.pid().to_string());
    }
}

#[test]
#[should_panic(expected = "Bad directive")]
fn a_server_that_cannot_start_says_why() {
    RedisServer::with(&["--no-such-option", "1"]);
}

#[test]
fn commands_are_counted_by_name() {
    let server = RedisServer::start();
    assert_eq!(server.calls("get"), 0);
    for _ in 0..3 {
        server.cli(&["GET", "nothing"]);
    }
    assert_eq!(server.calls("get"), 3);
}

#[tokio::test]
async fn a_frozen_server_answers_when_it_thaws() {
    let server = RedisServer::start();
    let mut connection = connect(server.url()).await.unwrap();
    connection.set_response_timeout(Duration::from_secs(30));
    server.freeze();
    assert!(!server.is_running());
    let mut answer = Box::pin(ping(&mut connection));
    assert!(timeout(MOMENT, &mut answer).await.is_err());
    assert!(tokio::net::TcpStream::connect(server.address()).await.is_ok());
    server.thaw();
    assert_eq!(answer.await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_killed_server_refuses_until_it_restarts_on_the_same_port() {
    let server = RedisServer::start();
    server.cli(&["SET", "key", "value"]);
    server.kill();
    assert!(connect(server.url()).await.is_err());
    server.restart();
    assert_eq!(ping(&mut connect(server.url()).await.unwrap()).await.unwrap(), "PONG");
    assert_eq!(server.cli(&["GET", "key"]), "");
}

#[test]
fn a_server_with_a_log_keeps_its_keys_over_a_restart() {
    let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    server.cli(&["SET", "key", "value"]);
    server.restart();
    assert_eq!(server.cli(&["GET", "key"]), "value");
}

#[test]
fn a_server_ends_when_its_test_panics() {
    let (sender, address) = std::sync::mpsc::channel();
    let test = thread::spawn(move || {
        let server = RedisServer::start();
        sender.send(server.address()).unwrap();
        std::panic::resume_unwind(Box::new("a failed test"));
    });
    assert!(test.join().is_err());
    assert!(std::net::TcpStream::connect(address.recv().unwrap()).is_err());
}

#[test]
fn a_replica_follows_its_primary_and_refuses_writes() {
    let primary = RedisServer::start();
    let replica = RedisServer::replica_of(&primary);
    primary.cli(&["SET", "key", "value"]);
    wait_until("replication", || replica.cli(&["GET", "key"]) == "value");
    let error = replica.ask::<()>(&["SET", "key", "other"]).unwrap_err();
    assert_eq!(error.code(), Some("READONLY"));
}

#[tokio::test]
async fn a_cluster_moves_slots_with_their_keys() {
    let cluster = RedisCluster::start(3);
    let client = ClusterClient::new(cluster.urls()).unwrap();
    let mut connection = client.get_async_connection().await.unwrap();
    let keys: Vec<_> = (0..250).map(|number| format!("{{tag}}{number}")).collect();
    for key in &keys {
        redis::cmd("SET").arg(key).arg(key).exec_async(&mut connection).await.unwrap();
    }
    let (slot, from) = (cluster.slot_of("{tag}"), cluster.node_of_key("{tag}"));
    let to = (from + 1) % 3;
    cluster.move_slot(slot, from, to);
    assert_eq!(cluster.node_of_slot(slot), to);
    assert_eq!(cluster.node(from).cli(&["DBSIZE"]), "0");
    assert_eq!(cluster.node(to).cli(&["DBSIZE"]), "250");
    for key in &keys {
        let value: String = redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
        assert_eq!(value, *key);
    }
    redirections_of_a_slot_on_the_move(&cluster);
}

fn redirections_of_a_slot_on_the_move(cluster: &RedisCluster) {
    let key = cluster.key_on(0, "key");
    let slot = cluster.slot_of(&key);
    cluster.start_moving(slot, 0, 1);
    let get = ["GET", &*key];
    assert_eq!(code(cluster.node(0), &get).as_deref(), Some("ASK"));
    assert_eq!(code(cluster.node(1), &get).as_deref(), Some("MOVED"));
    cluster.move_keys(slot, 0, 1);
    cluster.finish_moving(slot, 1);
    assert_eq!(code(cluster.node(0), &get).as_deref(), Some("MOVED"));
    assert_eq!(code(cluster.node(1), &get), None);
}

fn code(server: &RedisServer, command: &[&str]) -> Option<String> {
    let error = server.ask::<redis::Value>(command).err()?;
    error.code().map(str::to_owned)
}

#[test]
fn a_replica_takes_the_place_of_a_dead_node_of_a_cluster() {
    let cluster = RedisCluster::with_replicas(3, 1);
    let key = cluster.key_on(1, "key");
    cluster.node(1).cli(&["SET", &key, "value"]);
    cluster.node(1).cli(&["WAIT", "1", "5000"]);
    assert_eq!(cluster.fail_over(1), 4);
    assert_eq!(cluster.node_of_key(&key), 4);
    assert_eq!(cluster.node(4).cli(&["GET", &key]), "value");
}

#[test]
fn a_sentinel_puts_the_replica_in_the_place_of_a_dead_primary() {
    assert_failover(&Sentinel::start(), 1);
}

#[test]
fn three_sentinels_agree_on_a_new_primary() {
    assert_failover(&Sentinel::with_sentinels(3), 3);
}

fn assert_failover(sentinel: &Sentinel, sentinels: usize) {
    assert_eq!(sentinel.urls().len(), sentinels);
    let replica = sentinel.replica().port();
    let dead = sentinel.kill_primary();
    let primary = sentinel.successor(dead);
    assert_eq!(primary.port(), replica);
    assert_eq!(primary.cli(&["SET", "key", "value"]), "OK");
}

async fn ping_with(url: &str, certificates: TlsCertificates) -> Result<String, RedisError> {
    let client = Client::build_with_tls(url, certificates)?;
    ping(&mut client.get_multiplexed_async_connection().await?).await
}

fn trusting(certificates: &Certificates) -> TlsCertificates {
    let root_cert = Some(certificates.ca.clone().into_bytes());
    TlsCertificates { client_tls: None, root_cert }
}

fn known(certificates: &Certificates) -> TlsCertificates {
    let client_cert = certificates.client.clone().into_bytes();
    let client_key = certificates.client_key.clone().into_bytes();
    let client_tls = Some(ClientTlsConfig { client_cert, client_key });
    TlsCertificates { client_tls, ..trusting(certificates) }
}

fn install_crypto() {
    if CryptoProvider::get_default().is_none() {
        let _ = ring::default_provider().install_default();
    }
}

#[tokio::test]
async fn a_server_with_tls_is_reached_by_those_who_trust_its_authority() {
    install_crypto();
    let server = TlsServer::start();
    let localhost = server.url().replace("127.0.0.1", "localhost");
    for url in [server.url(), localhost] {
        assert_eq!(ping_with(&url, trusting(&server.certificates)).await.unwrap(), "PONG");
        assert_eq!(ping_with(&url, known(&server.certificates)).await.unwrap(), "PONG");
    }
    assert!(ping_with(&server.url(), trusting(&Certificates::new())).await.is_err());
    assert!(connect(server.url()).await.is_err());
    assert!(connect(server.url().replace("rediss", "redis")).await.is_err());
    assert_eq!(server.cli(&["PING"]), "PONG");
}

#[tokio::test]
async fn a_server_for_known_clients_wants_their_certificates() {
    install_crypto();
    let server = TlsServer::for_known_clients();
    assert_eq!(ping_with(&server.url(), known(&server.certificates)).await.unwrap(), "PONG");
    assert!(ping_with(&server.url(), trusting(&server.certificates)).await.is_err());
    let mut stranger = trusting(&server.certificates);
    stranger.client_tls = known(&Certificates::new()).client_tls;
    assert!(ping_with(&server.url(), stranger).await.is_err());
}

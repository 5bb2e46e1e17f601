//! Redis over encrypted connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::backend::{
    ErrorKind::{Setup, Timeout, Unreachable},
    Fate::NotCharged,
    redis::{RedisBackend, RedisBuilder},
};
use futures_util::future::join_all;
use support::{
    redis::{PATIENCE, RedisServer, TlsServer, tls::Certificates},
    trial::{Fault, Trial, assert_cause, counted, fates, kinds},
};

/// A backend that trusts an authority, and shows who it is if asked to.
fn builder(url: &str, authority: &Certificates, client: Option<&Certificates>) -> RedisBuilder {
    let client = client.map(|known| (known.client.as_bytes(), known.client_key.as_bytes()));
    RedisBackend::builder(url).certificates(Some(authority.ca.as_bytes()), client)
}

async fn assert_serves(builder: RedisBuilder) {
    let builder = builder.denial_cache(0).deadline(PATIENCE).connect_deadline(PATIENCE);
    let trial = Trial::with_deadline(builder.build().unwrap(), PATIENCE);
    let limit = counted("tls", 10);
    let answers = join_all((0..30).map(|_| trial.ask(&limit, "hot"))).await;
    assert!(answers.iter().all(|answer| answer.fault.is_none()), "{:?}", answers[0]);
    assert_eq!(answers.iter().filter(|answer| answer.outcome.is_allowed()).count(), 10);
    trial.0.reset(&limit, "hot").await.unwrap();
    trial.0.backend("store").unwrap().health().await.unwrap();
}

async fn faults(builder: RedisBuilder) -> Vec<Fault> {
    Trial::of(builder.build().unwrap()).suffer_alone(3).await
}

#[actix_web::test]
async fn a_server_whose_authority_is_trusted() {
    let server = TlsServer::start();
    let localhost = server.url().replace("127.0.0.1", "localhost");
    for url in [server.url(), localhost, format!("{}/2?protocol=resp2", server.url())] {
        assert_serves(builder(&url, &server.certificates, None)).await;
    }
}

#[actix_web::test]
async fn a_server_that_wants_to_know_its_clients() {
    let server = TlsServer::for_known_clients();
    let known = &server.certificates;
    assert_serves(builder(&server.url(), known, Some(known))).await;
    for stranger in [None, Some(Certificates::new())] {
        let faults = faults(builder(&server.url(), known, stranger.as_ref())).await;
        assert_eq!((kinds(&faults), fates(&faults)), (vec![Setup], vec![NotCharged]));
        assert_cause(&faults, "fatal alert");
    }
}

#[actix_web::test]
async fn a_server_that_is_not_trusted_is_not_asked() {
    let server = TlsServer::start();
    let other = Certificates::new();
    for builder in [builder(&server.url(), &other, None), RedisBackend::builder(server.url())] {
        let faults = faults(builder).await;
        assert_eq!((kinds(&faults), fates(&faults)), (vec![Setup], vec![NotCharged]));
        assert_cause(&faults, "certificate");
    }
}

#[actix_web::test]
async fn one_side_that_encrypts_and_one_that_does_not() {
    let encrypted = TlsServer::start();
    let plain = RedisServer::start();
    let url = plain.url().replace("redis:", "rediss:");
    assert_eq!(kinds(&faults(builder(&url, &encrypted.certificates, None)).await), [Timeout]);
    let url = encrypted.url().replace("rediss:", "redis:");
    assert_eq!(kinds(&faults(RedisBackend::builder(url)).await), [Unreachable]);
}

#[test]
fn what_is_no_certificate_is_named_and_not_printed() {
    let certificates = Certificates::new();
    let (ca, client) = (certificates.ca.as_bytes(), certificates.client.as_bytes());
    let builder = || RedisBackend::builder("rediss://localhost");
    for builder in [
        builder().certificates(Some(b"s3cret"), None),
        builder().certificates(Some(ca), Some((client, b"s3cret"))),
        builder().certificates(None, Some((b"s3cret", b"s3cret"))),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.field(), "certificates");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
    let error = RedisBackend::connect("rediss://:s3cret@host#insecure").unwrap_err();
    assert!(error.to_string().contains("trust any certificate"), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

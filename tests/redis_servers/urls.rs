//! Places of servers that are written wrongly: the message names what is wrong and what to do, and
//! keeps passwords to itself.

use actix_smart_ratelimit::{Error, backend::redis::RedisBackend};

fn error(url: &str) -> Error {
    match RedisBackend::connect(url) {
        Err(error) => error,
        Ok(_) => panic!("{url} is accepted"),
    }
}

#[test]
fn what_is_no_url_of_a_redis_server_is_named_with_an_example() {
    let urls = [
        "",
        "localhost",
        "127.0.0.1:6379",
        "redis",
        "redis:",
        "redis:/localhost",
        "redis://",
        "http://x",
        "postgres://x/y",
        "redis+cluster://host",
        "redis://host:99999",
        "redis://host:port",
        "redis://host/abc",
        "redis://host/-1",
        "redis://host/1/2",
        "redis+unix://",
        "redis://host:0",
        "redis://ho st",
        "redis://[::1",
        "redis://host/99999999999999999999",
        "redis://host?protocol=resp9",
    ];
    for url in urls {
        let error = error(url);
        assert_eq!((error.field(), error.value()), ("url", url));
        assert!(error.to_string().contains("redis://user:password@host:6379/0"), "{error}");
    }
}

#[test]
fn passwords_stay_out_of_messages_wherever_they_stand() {
    let urls = [
        "redis://:s3cret@host/abc",
        "redis://user:s3cret@host:99999",
        "redis://user:s3#cret@host",
        "redis://user:s3/cret@host",
        "redis://user:s3?cret@host",
        "redis://user:s3:cret@host:port",
        "redis://user:s3@cret@host/abc",
        "redis://user:s3%zzcret@host/abc",
        "redis://user:s3%ffcret@host",
        "redis:user:s3cret@host",
        "redis:/user:s3cret@host",
        "user:s3cret@host",
        ":s3cret@host",
        "http://user:s3cret@host",
        "redis+unix:///socket?pass=s3cret&db=abc",
        "redis+unix:///socket?user=me&pass=s3cret&db=-1",
        "rediss://user:s3cret@host#insecure",
    ];
    for url in urls {
        let error = error(url);
        let told = format!("{error} {error:?}");
        assert!(told.contains("***"), "{told}");
        // Of a password with an @ the end cannot be told from a host.
        assert!(!told.replace("@cret@host", "").contains("s3"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn passwords_stay_out_of_what_is_printed_of_a_backend() {
    for url in ["redis://user:s3cret@host", "redis+unix:///socket?user=me&pass=s3cret"] {
        let builder = RedisBackend::builder(url).login(Some("user"), "s3cret");
        assert!(!format!("{builder:?}").contains("s3cret"));
        let backend = builder.build().unwrap();
        assert!(!format!("{backend:?}").contains("s3cret"), "{backend:?}");
    }
    let sentinels =
        RedisBackend::sentinel("main", ["redis://user:s3cret@host"]).login(None, "s3cret");
    let backend = sentinels.build().unwrap();
    assert!(!format!("{backend:?}").contains("s3cret"), "{backend:?}");
}

#[test]
fn characters_that_end_a_password_are_named() {
    for url in ["redis://user:s3#cret@host", "redis://user:s3/cret@host", "redis://:s3?cret@host"] {
        assert!(error(url).remedy().contains("# % in names and passwords as"), "{}", error(url));
    }
}

#[test]
fn a_list_of_servers_has_one() {
    let error = RedisBackend::sentinel("main", Vec::<String>::new()).build().unwrap_err();
    assert_eq!(error.field(), "sentinels");
    let error = RedisBackend::sentinel("main", ["redis://host", "http://x"]).build().unwrap_err();
    assert_eq!((error.field(), error.value()), ("url", "http://x"));
}

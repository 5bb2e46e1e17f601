//! `KeySpec`: the words that say whom to count, and what is said about others.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use actix_smart_ratelimit_core::{Error, KeyPart, KeySpec};
use proptest::prelude::*;

fn named(name: &str) -> String {
    name.to_owned()
}

fn refused(text: &str) -> Error {
    let error = text.parse::<KeySpec>().unwrap_err();
    assert_eq!(error.field(), "key");
    assert!(error.to_string().len() <= 400, "{} bytes: {error}", error.to_string().len());
    error
}

#[test]
fn every_word_is_a_part() {
    let table = [
        ("ip", KeyPart::Ip),
        ("user", KeyPart::User),
        ("user_or_ip", KeyPart::UserOrIp),
        ("session", KeyPart::Session),
        ("api_key", KeyPart::ApiKey),
        ("tenant", KeyPart::Tenant),
        ("device", KeyPart::Device),
        ("geo", KeyPart::Geo),
        ("global", KeyPart::Global(None)),
        ("global:test_key", KeyPart::Global(Some(named("test_key")))),
        ("header:X-Api-Key", KeyPart::Header(named("X-Api-Key"))),
        ("query:tenant", KeyPart::Query(named("tenant"))),
        ("param:tenant", KeyPart::Query(named("tenant"))),
        ("path:id", KeyPart::Path(named("id"))),
        ("cookie:sid", KeyPart::Cookie(named("sid"))),
        ("jwt:sub", KeyPart::Jwt(named("sub"))),
        ("unverified_jwt:sub", KeyPart::UnverifiedJwt(named("sub"))),
        (" ip ", KeyPart::Ip),
        ("jwt: https://example.org/claim", KeyPart::Jwt(named("https://example.org/claim"))),
    ];
    for (text, part) in table {
        assert_eq!(text.parse::<KeySpec>().unwrap().parts(), [part], "{text:?}");
    }
}

#[test]
fn parts_keep_their_order() {
    let spec: KeySpec = "tenant + header:X-Api-Key+ip".parse().unwrap();
    let parts = [KeyPart::Tenant, KeyPart::Header(named("X-Api-Key")), KeyPart::Ip];
    assert_eq!(spec.parts(), parts);
}

#[test]
fn everything_else_is_refused_with_its_reason_and_remedy() {
    let table = [
        ("usr", "unknown key \"usr\"", "did you mean \"user\"?"),
        ("IP", "unknown key \"IP\"", "did you mean \"ip\"?"),
        ("user.id", "unknown key \"user.id\"", "use one of ip, user, user_or_ip"),
        ("test_key", "unknown key \"test_key\"", "\"global:test_key\" for one counter"),
        ("ip+usr", "unknown key \"usr\"", "did you mean \"user\"?"),
        ("headr:X-Api-Key", "unknown key \"headr\"", "did you mean \"header\"?"),
        ("", "there is no key", "use one of ip, user"),
        ("   ", "there is no key", "use one of ip, user"),
        ("ip+", "there is no key", "use one of ip, user"),
        ("ip++user", "there is no key", "use one of ip, user"),
        ("+", "there is no key", "use one of ip, user"),
        ("header", "\"header\" needs a name", "write \"header:NAME\""),
        ("jwt", "\"jwt\" needs a name", "write \"jwt:NAME\""),
        ("header:", "needs a name of visible ASCII", "write \"header:NAME\""),
        ("cookie: ", "needs a name of visible ASCII", "write \"cookie:NAME\""),
        ("header:X Api", "needs a name of visible ASCII", "write \"header:NAME\""),
        ("header:x-é", "needs a name of visible ASCII", "write \"header:NAME\""),
        ("header:x\r\ny", "needs a name of visible ASCII", "write \"header:NAME\""),
        ("query:a\0b", "needs a name of visible ASCII", "write \"query:NAME\""),
        ("header:X(Api)", "'(' cannot stand in the name of a header", "header:X-Api-Key"),
        ("ip:1", "\"ip\" takes no name", "write \"ip\""),
        ("user:name", "\"user\" takes no name", "write \"user\""),
    ];
    for (text, reason, remedy) in table {
        let error = refused(text);
        assert!(error.reason().contains(reason), "{text:?}: {error}");
        assert!(error.remedy().contains(remedy), "{text:?}: {error}");
    }
}

#[test]
fn a_key_of_ten_megabytes_is_cut_and_refused() {
    let error = refused(&"x".repeat(10_000_000));
    assert!(error.value().ends_with('…'));
}

proptest! {
    #[test]
    fn any_text_is_a_key_or_an_error_that_fits_a_terminal(
        text in prop_oneof![any::<String>(), "(ip|usr|header|jwt|global)?[:+ ]?.{0,80}"],
    ) {
        match text.parse::<KeySpec>() {
            Ok(spec) => prop_assert!(!spec.parts().is_empty()),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.len() <= 2_000, "{} bytes", message.len());
                prop_assert!(!message.chars().any(char::is_control), "{:?}", message);
            }
        }
    }
}

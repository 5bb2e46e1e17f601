//! Keys of bearer tokens: only what is verified counts, and forgeries fall to the address.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use actix_smart_ratelimit::{JwtVerifier, Key, Limit, Rule};
use actix_web::{
    App,
    test::{TestRequest, init_service},
    web,
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Validation, crypto::sign, get_current_timestamp,
};
use serde_json::{Value, json};
use support::{backends::Recording, from, get, limiter, limiter_with, rate, rule, send};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const BY_ADDRESS: &str = "ip:192.0.2.1";
/// The public half of a pair whose other half is nowhere.
const PUBLIC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAymNWwNWz//2uIZH6usKX\n\
CRPA2nndl/K14okTmOIV0k+00YMgyK4CzZiJOX8A5w+z8ZvIdB+rftkT/4Qo8XYH\n\
nsMGzv9vNkS20ar3LSfYCek2c7Up0kIXmtgfm4GGVzb6q1Gv54puotsbrO1zN7Qb\n\
B79exowKUOmiXvoaOE+vnJgi9Y/JlS1L0D7NtIM5abwAtnRHredWFghJWHqWviJm\n\
jJsK+yLddvR7RPdpO6+lGKN4ncVyI9tJe8U3cZw5vJ/3BYXprqRVSCnu3D0YlU2F\n\
8gf9BpJWA+cLQIR3s9M3v9YKpHVwu5Id1afLIIeP3R/N55WD62wDEESxJbaW/Nyg\n\
9QIDAQAB\n\
-----END PUBLIC KEY-----\n\
";

fn verifier() -> JwtVerifier {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["shop"]);
    validation.set_issuer(&["login"]);
    validation.validate_nbf = true;
    JwtVerifier::new(DecodingKey::from_secret(SECRET), validation)
}

/// The claims of a token that the verifier accepts.
fn claims() -> Value {
    json!({"sub": "42", "aud": "shop", "iss": "login", "exp": in_an_hour()})
}

fn in_an_hour() -> u64 {
    get_current_timestamp() + 3_600
}

/// The same claims with one of them changed, or removed where `value` is null.
fn with(claim: &str, value: Value) -> String {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(claim);
    } else {
        members.insert(claim.to_owned(), value);
    }
    claims.to_string()
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0, |bits, at| bits << 8 | chunk.get(at).map_or(0, |b| u32::from(*b)));
        text.extend((0..=chunk.len()).map(|at| digit(bits >> (18 - 6 * at))));
    }
    text
}

/// A token of this payload under this algorithm, signed by HMAC-SHA-256 with `secret`.
fn token(algorithm: &str, payload: &str, secret: &[u8]) -> String {
    let head = json!({"alg": algorithm, "typ": "JWT"}).to_string();
    let message = format!("{}.{}", base64url(head.as_bytes()), base64url(payload.as_bytes()));
    let key = EncodingKey::from_secret(secret);
    format!("{message}.{}", sign(message.as_bytes(), &key, Algorithm::HS256).unwrap())
}

fn signed(payload: &str) -> String {
    token("HS256", payload, SECRET)
}

fn bearing(token: &str) -> TestRequest {
    get("/").insert_header(("authorization", format!("Bearer {token}")))
}

/// The storage key of a request to an application with this verifier.
async fn counted(verifier: Option<JwtVerifier>, key: Key, request: TestRequest) -> String {
    let backend = Recording::new();
    let (limiter, _) = limiter_with(|builder| builder.backend("main", backend.clone()));
    let limit = limiter.middleware().default_rule(Rule::new(Limit::new("", rate("9/m"))).key(key));
    let app = App::new().wrap(limit).default_service(web::to(|| async { "ok" }));
    let app = match verifier {
        Some(verifier) => app.app_data(verifier),
        None => app,
    };
    assert_eq!(send(&init_service(app).await, request).await.status, 200);
    backend.take()[0]["ratelimit:".len()..].to_owned()
}

async fn by_sub(token: &str) -> String {
    counted(Some(verifier()), Key::jwt("sub"), bearing(token)).await
}

#[actix_web::test]
async fn a_verified_claim_is_the_key() {
    assert_eq!(by_sub(&signed(&claims().to_string())).await, "jwt:sub:42");
    assert_eq!(by_sub(&signed(&with("sub", json!("a:b c")))).await, "jwt:sub:a%3Ab%20c");
    let longest = by_sub(&signed(&with("sub", json!("x".repeat(256))))).await;
    assert!(longest.starts_with("jwt:sub:xxx") && longest.len() <= 200, "{longest}");
    let tenant = signed(&with("tenant", json!("acme")));
    let key = Key::jwt("tenant").and(Key::jwt("sub"));
    let both = counted(Some(verifier()), key, bearing(&tenant)).await;
    assert_eq!(both, "jwt:tenant:acme+jwt:sub:42");
}

#[actix_web::test]
async fn the_verifier_may_be_registered_as_data() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("api", "1/m").key(Key::jwt("sub")));
    let app = App::new().app_data(web::Data::new(verifier())).wrap(limit);
    let app = init_service(app.default_service(web::to(|| async { "ok" }))).await;
    for (sub, expected) in [("1", 200), ("2", 200), ("1", 429)] {
        let request = bearing(&signed(&with("sub", json!(sub))));
        assert_eq!(send(&app, request).await.status, expected);
    }
}

#[actix_web::test]
async fn tokens_that_do_not_verify_name_nobody() {
    let good = claims().to_string();
    let parts = |token: &str| token.rsplit_once('.').map(|(head, _)| head.to_owned()).unwrap();
    let now = get_current_timestamp();
    for (what, token) in [
        ("no algorithm", format!("{}.", parts(&token("none", &good, b"")))),
        ("no algorithm, signed", token("none", &good, SECRET)),
        ("NONE", token("NONE", &good, SECRET)),
        ("another algorithm", token("HS512", &good, SECRET)),
        ("an asymmetric algorithm", token("RS256", &good, SECRET)),
        ("another secret", token("HS256", &good, b"another secret of thirty-two byt")),
        ("an empty secret", token("HS256", &good, b"")),
        ("no signature", format!("{}.", parts(&signed(&good)))),
        ("another's signature", {
            let (_, signature) =
                signed(&good).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            format!("{}.{signature}", parts(&signed(&with("sub", json!("1")))))
        }),
        ("expired", signed(&with("exp", json!(now - 3_600)))),
        ("without expiry", signed(&with("exp", Value::Null))),
        ("not yet valid", signed(&with("nbf", json!(now + 3_600)))),
        ("another audience", signed(&with("aud", json!("bank")))),
        ("another issuer", signed(&with("iss", json!("elsewhere")))),
    ] {
        assert_eq!(by_sub(&token).await, BY_ADDRESS, "{what}");
    }
}

#[actix_web::test]
async fn a_token_signed_with_the_public_key_as_a_secret_names_nobody() {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["shop"]);
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
    let verifier = JwtVerifier::new(key, validation);
    for algorithm in ["HS256", "RS256", "none"] {
        for secret in [PUBLIC_KEY.as_bytes(), PUBLIC_KEY.trim().as_bytes()] {
            let forged = bearing(&token(algorithm, &claims().to_string(), secret));
            let key = counted(Some(verifier.clone()), Key::jwt("sub"), forged).await;
            assert_eq!(key, BY_ADDRESS, "{algorithm}");
        }
    }
}

#[actix_web::test]
async fn malformed_tokens_name_nobody() {
    let good = signed(&claims().to_string());
    let [head, payload, signature] = &*good.split('.').collect::<Vec<_>>() else { unreachable!() };
    for (what, token) in [
        ("nothing", String::new()),
        ("dots", "...".to_owned()),
        ("one part", head.to_string()),
        ("two parts", format!("{head}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        ("an empty payload", signed("")),
        ("padding", format!("{head}=.{payload}=.{signature}=")),
        ("no base64url", format!("{head}.!!!.{signature}")),
        ("an array", signed("[1, 2]")),
        ("a text", signed("\"42\"")),
        ("half an object", signed("{\"sub\": \"42\"")),
        ("a word more", format!("{good} x")),
        ("60 KB", signed(&with("filler", json!("x".repeat(60_000))))),
    ] {
        assert_eq!(by_sub(&token).await, BY_ADDRESS, "{what}");
    }
    for scheme in ["Basic", "Token", "Bearerx", ""] {
        let request = get("/").insert_header(("authorization", format!("{scheme} {good}")));
        assert_eq!(
            counted(Some(verifier()), Key::jwt("sub"), request).await,
            BY_ADDRESS,
            "{scheme}"
        );
    }
    let twice = bearing(&good).append_header(("authorization", format!("Bearer {good}")));
    assert_eq!(counted(Some(verifier()), Key::jwt("sub"), twice).await, BY_ADDRESS);
}

#[actix_web::test]
async fn only_a_text_of_reasonable_length_is_a_claim() {
    for value in [
        json!(42),
        json!(null),
        json!(true),
        json!(["42"]),
        json!({"id": "42"}),
        json!(""),
        json!("x".repeat(257)),
        json!("x".repeat(4_000)),
    ] {
        let text = value.to_string();
        assert_eq!(by_sub(&signed(&with("sub", value))).await, BY_ADDRESS, "{text}");
    }
    let exp = in_an_hour();
    for twice in [
        format!(r#"{{"sub":"1","sub":"2","aud":"shop","iss":"login","exp":{exp}}}"#),
        format!(r#"{{"sub":"1","aud":"shop","iss":"login","exp":{exp},"su\u0062":"2"}}"#),
    ] {
        assert_eq!(by_sub(&signed(&twice)).await, BY_ADDRESS, "{twice}");
    }
    let missing =
        counted(Some(verifier()), Key::jwt("other"), bearing(&signed(&claims().to_string())));
    assert_eq!(missing.await, BY_ADDRESS);
}

#[actix_web::test]
async fn without_a_verifier_no_token_names_anybody() {
    let request = bearing(&signed(&claims().to_string()));
    assert_eq!(counted(None, Key::jwt("sub"), request).await, BY_ADDRESS);
}

#[actix_web::test]
async fn an_unverified_claim_must_be_asked_for_by_that_name_and_is_stored_apart() {
    let forged = || bearing(&token("HS256", r#"{"sub":"42"}"#, b"whatever"));
    let key = counted(None, Key::unverified_jwt("sub"), forged()).await;
    assert_eq!(key, "unverified_jwt:sub:42");
    assert_eq!(counted(Some(verifier()), Key::jwt("sub"), forged()).await, BY_ADDRESS);
}

#[actix_web::test]
async fn forgeries_do_not_spend_what_is_their_victim_s() {
    let (limiter, _) = limiter();
    let limit = limiter.middleware().default_rule(rule("api", "3/m").key(Key::jwt("sub")));
    let app = App::new().app_data(verifier()).wrap(limit);
    let app = init_service(app.default_service(web::to(|| async { "ok" }))).await;
    let bearer = |token: String| {
        from("198.51.100.7", "/").insert_header(("authorization", format!("Bearer {token}")))
    };
    let mut admitted = 0;
    for n in 0..50 {
        let forged =
            token(if n % 2 == 0 { "none" } else { "HS256" }, &claims().to_string(), b"guess");
        admitted += usize::from(send(&app, bearer(forged)).await.status == 200);
    }
    assert_eq!(admitted, 3);
    let answer = send(&app, bearing(&signed(&claims().to_string()))).await;
    assert_eq!((answer.status, answer.remaining()), (200, Some(2)));
}

#[test]
fn a_verifier_shows_none_of_its_key() {
    let shown = format!("{:?}", verifier());
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("48, 49, 50"), "{shown}");
}

//! Claims of JSON Web Tokens.

use std::{fmt, sync::Arc};

use actix_web::{HttpRequest, web::Data};
use jsonwebtoken::{DecodingKey, Validation, dangerous::insecure_decode, decode};
use serde::{Deserialize, Deserializer, de::MapAccess};

/// Claims longer than this, in bytes, are no identity.
const LONGEST_CLAIM: usize = 256;

/// The key and the rules by which bearer tokens are verified.
///
/// Register it as app data. Tokens that it refuses (another algorithm, a wrong signature, expired, a
/// wrong audience or issuer) name nobody, and their requests are counted by address.
///
/// ```
/// use actix_smart_ratelimit::JwtVerifier;
/// use actix_web::App;
/// use jsonwebtoken::{Algorithm, DecodingKey, Validation};
///
/// let secret = b"32 bytes or more of real randomness";
/// let verifier = JwtVerifier::new(DecodingKey::from_secret(secret), Validation::new(Algorithm::HS256));
/// let app = App::new().app_data(verifier);
/// # drop(app);
/// ```
#[derive(Clone)]
pub struct JwtVerifier(Arc<(DecodingKey, Validation)>);

impl JwtVerifier {
    /// Tokens must be signed for `key` with an algorithm that `validation` lists.
    #[must_use]
    pub fn new(key: DecodingKey, validation: Validation) -> Self {
        Self(Arc::new((key, validation)))
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier").finish_non_exhaustive()
    }
}

pub(super) fn verified_claim(request: &HttpRequest, token: &str, claim: &str) -> Option<String> {
    let registered = request.app_data::<JwtVerifier>();
    let verifier =
        registered.or_else(|| request.app_data::<Data<JwtVerifier>>().map(|data| &***data))?;
    let (key, validation) = &*verifier.0;
    decode::<Claims>(token, key, validation).ok()?.claims.text(claim)
}

pub(super) fn unverified_claim(token: &str, claim: &str) -> Option<String> {
    insecure_decode::<Claims>(token).ok()?.claims.text(claim)
}

/// The members of a token's payload; a payload in which one stands twice is no payload.
#[derive(Clone)]
struct Claims(Vec<(String, serde_json::Value)>);

impl Claims {
    fn text(&self, claim: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(name, _)| name == claim)?;
        let text = value.as_str()?;
        (!text.is_empty() && text.len() <= LONGEST_CLAIM).then(|| text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut members: Vec<(String, serde_json::Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a claim stands twice"));
                    }
                    members.push((name, value));
                }
                Ok(Claims(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

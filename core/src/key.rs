//! `KeySpec`: the words that say whom to count, as the attribute and configuration write them.

use core::{fmt, str::FromStr};

use crate::error::{Error, nearest, shown};

/// One word of a [`KeySpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// `ip`: the client's address.
    Ip,
    /// `user`: the authenticated user.
    User,
    /// `user_or_ip`: the user, or the address of a client without one.
    UserOrIp,
    /// `header:NAME`: a request header.
    Header(String),
    /// `query:NAME` or `param:NAME`: a parameter of the query string.
    Query(String),
    /// `path:NAME`: a parameter of the matched route.
    Path(String),
    /// `cookie:NAME`: a cookie.
    Cookie(String),
    /// `session`: the session.
    Session,
    /// `jwt:CLAIM`: a claim of a verified token.
    Jwt(String),
    /// `unverified_jwt:CLAIM`: a claim of a token that nobody has verified; clients can choose it.
    UnverifiedJwt(String),
    /// `api_key`: the API key, stored hashed.
    ApiKey,
    /// `tenant`: the tenant.
    Tenant,
    /// `device`: a fingerprint of the client's headers.
    Device,
    /// `geo`: the country that a trusted proxy reports, and the user or address.
    Geo,
    /// `global` or `global:NAME`: one counter for everybody.
    Global(Option<String>),
}

/// Whom to count: one or more parts, joined by `+`.
///
/// ```
/// use actix_smart_ratelimit_core::{KeyPart, KeySpec};
///
/// let spec: KeySpec = "tenant+header:X-Api-Key".parse()?;
/// assert_eq!(spec.parts(), [KeyPart::Tenant, KeyPart::Header("X-Api-Key".into())]);
/// assert!("usr".parse::<KeySpec>().unwrap_err().to_string().contains("did you mean \"user\"?"));
/// # Ok::<(), actix_smart_ratelimit_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    parts: Vec<KeyPart>,
}

/// Words that stand alone, and words that take a name.
const BARE: [&str; 9] =
    ["ip", "user", "user_or_ip", "session", "api_key", "tenant", "device", "geo", "global"];
const NAMED: [&str; 8] =
    ["header", "query", "param", "path", "cookie", "jwt", "unverified_jwt", "global"];

impl KeySpec {
    /// The parts, in the order in which they were written; at least one.
    #[must_use]
    pub fn parts(&self) -> &[KeyPart] {
        &self.parts
    }
}

impl From<KeyPart> for KeySpec {
    fn from(part: KeyPart) -> Self {
        Self { parts: vec![part] }
    }
}

/// Writes the words that it is read from.
impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str("+")?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::User => f.write_str("user"),
            Self::UserOrIp => f.write_str("user_or_ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Session => f.write_str("session"),
            Self::Jwt(claim) => write!(f, "jwt:{claim}"),
            Self::UnverifiedJwt(claim) => write!(f, "unverified_jwt:{claim}"),
            Self::ApiKey => f.write_str("api_key"),
            Self::Tenant => f.write_str("tenant"),
            Self::Device => f.write_str("device"),
            Self::Geo => f.write_str("geo"),
            Self::Global(None) => f.write_str("global"),
            Self::Global(Some(name)) => write!(f, "global:{name}"),
        }
    }
}

impl FromStr for KeySpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts =
            text.split('+').map(|part| parse_part(text, part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }
}

fn parse_part(text: &str, part: &str) -> Result<KeyPart, Error> {
    let (word, name) = match part.split_once(':') {
        Some((word, name)) => (word, Some(name.trim())),
        None => (part, None),
    };
    if let Some(name) = name
        && NAMED.contains(&word)
    {
        return named(text, word, name);
    }
    Ok(match (word, name) {
        ("ip", None) => KeyPart::Ip,
        ("user", None) => KeyPart::User,
        ("user_or_ip", None) => KeyPart::UserOrIp,
        ("session", None) => KeyPart::Session,
        ("api_key", None) => KeyPart::ApiKey,
        ("tenant", None) => KeyPart::Tenant,
        ("device", None) => KeyPart::Device,
        ("geo", None) => KeyPart::Geo,
        ("global", None) => KeyPart::Global(None),
        _ => return Err(unknown(text, word, name)),
    })
}

fn named(text: &str, word: &str, name: &str) -> Result<KeyPart, Error> {
    let printable = name.bytes().all(|b| b.is_ascii_graphic());
    if name.is_empty() || !printable {
        let reason = format!("\"{word}:\" needs a name of visible ASCII characters");
        return Err(Error::new("key", text, reason, format!("write \"{word}:NAME\"")));
    }
    let name = name.to_owned();
    Ok(match word {
        "header" => {
            if let Some(wrong) = name.chars().find(|c| !is_token(*c)) {
                let reason = format!("'{wrong}' cannot stand in the name of a header");
                return Err(Error::new("key", text, reason, "write \"header:X-Api-Key\""));
            }
            KeyPart::Header(name)
        }
        "query" | "param" => KeyPart::Query(name),
        "path" => KeyPart::Path(name),
        "cookie" => KeyPart::Cookie(name),
        "jwt" => KeyPart::Jwt(name),
        "unverified_jwt" => KeyPart::UnverifiedJwt(name),
        _ => KeyPart::Global(Some(name)),
    })
}

/// Characters of a token (RFC 9110 §5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn unknown(text: &str, word: &str, name: Option<&str>) -> Error {
    if NAMED.contains(&word) {
        let reason = format!("\"{word}\" needs a name");
        return Error::new("key", text, reason, format!("write \"{word}:NAME\""));
    }
    if BARE.contains(&word) && name.is_some() {
        let reason = format!("\"{word}\" takes no name");
        return Error::new("key", text, reason, format!("write \"{word}\""));
    }
    let words = format!("use one of {}, {}:NAME", BARE.join(", "), NAMED.join(":NAME, "));
    if word.is_empty() {
        return Error::new("key", text, "there is no key", words);
    }
    let word = shown(word);
    let remedy = match nearest(&word, BARE.into_iter().chain(NAMED)) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if word.len() > 32 => words,
        None => format!("{words}, or \"global:{word}\" for one counter of that name"),
    };
    Error::new("key", text, format!("unknown key \"{word}\""), remedy)
}

//! Conditions on requests, by the words of `when` and `unless`.

use std::{fmt, str::FromStr};

use actix_smart_ratelimit_core::nearest;

use super::{node::Value, read::Setting, words};
use crate::{Condition, Error};

/// A condition on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConditionSpec {
    /// `authenticated`: the request has a user.
    Authenticated,
    /// `staff`: the user is staff.
    Staff,
    /// `superuser`: the user is a superuser.
    Superuser,
    /// `api_key`: the request has an API key, which any client can send.
    ApiKey,
    /// `mobile`: the client says that it is a phone or tablet.
    Mobile,
    /// `bot`: the client says that it is a robot.
    Bot,
    /// `internal`: the client's address is a private one.
    Internal,
    /// `header:NAME=VALUE`: a header has this value.
    Header(String, String),
    /// `user:NAME=VALUE`: the user has an attribute of this value.
    UserAttribute(String, String),
}

const BARE: [(&str, ConditionSpec); 7] = [
    ("authenticated", ConditionSpec::Authenticated),
    ("staff", ConditionSpec::Staff),
    ("superuser", ConditionSpec::Superuser),
    ("api_key", ConditionSpec::ApiKey),
    ("mobile", ConditionSpec::Mobile),
    ("bot", ConditionSpec::Bot),
    ("internal", ConditionSpec::Internal),
];

impl ConditionSpec {
    /// The condition.
    pub fn condition(&self) -> Condition {
        match self {
            Self::Authenticated => Condition::authenticated(),
            Self::Staff => Condition::staff(),
            Self::Superuser => Condition::superuser(),
            Self::ApiKey => Condition::api_key(),
            Self::Mobile => Condition::mobile(),
            Self::Bot => Condition::bot(),
            Self::Internal => Condition::internal(),
            Self::Header(name, value) => Condition::header(name, value),
            Self::UserAttribute(name, value) => Condition::user_attribute(name, value),
        }
    }
}

impl FromStr for ConditionSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((_, condition)) = BARE.iter().find(|(word, _)| *word == text) {
            return Ok(condition.clone());
        }
        let pair = |rest: &str| match rest.split_once('=') {
            Some((name, value)) if !name.is_empty() => Some((name.to_owned(), value.to_owned())),
            _ => None,
        };
        let named = match text.split_once(':') {
            Some(("header", rest)) => pair(rest).map(|(name, value)| Self::Header(name, value)),
            Some(("user", rest)) => {
                pair(rest).map(|(name, value)| Self::UserAttribute(name, value))
            }
            _ => None,
        };
        named.ok_or_else(|| {
            let names = BARE.map(|(word, _)| word);
            let remedy = match nearest(text, names) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => {
                    format!("use one of {}, header:NAME=VALUE, user:NAME=VALUE", names.join(", "))
                }
            };
            Error::new("", text, "it is no condition", remedy)
        })
    }
}

impl fmt::Display for ConditionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name, value) => write!(f, "header:{name}={value}"),
            Self::UserAttribute(name, value) => write!(f, "user:{name}={value}"),
            bare => {
                let word = BARE.iter().find(|(_, known)| known == bare);
                f.write_str(word.map_or("", |(word, _)| word))
            }
        }
    }
}

impl Setting for ConditionSpec {
    fn read(value: &Value) -> Result<Self, Error> {
        words::text(value, "a condition such as \"authenticated\"")?.parse()
    }
}

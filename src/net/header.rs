//! The forwarding headers that can be believed, one at a time.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The header in which your proxies tell whom they speak for.
///
/// Choose the one that **your** proxy writes or overwrites. The others are never looked at, so
/// a client gains nothing by sending them. More may be added later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: a list to which each proxy appends. The default.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): a list of elements with a `for=` parameter.
    Forwarded,
    /// `X-Real-IP`: one address, overwritten by the proxy.
    XRealIp,
    /// `CF-Connecting-IP`: one address, overwritten by Cloudflare.
    CfConnectingIp,
}

impl ForwardedHeader {
    /// The header's name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
            Self::XRealIp => "x-real-ip",
            Self::CfConnectingIp => "cf-connecting-ip",
        }
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a header's name, in any case.
impl FromStr for ForwardedHeader {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = ALL.into_iter().find(|header| header.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| {
            let names = ALL.map(|header| format!("`{header}`")).join(", ");
            let reason = "is not a supported forwarding header";
            Error::new("header", name, reason, format!("write one of {names}"))
        })
    }
}

const ALL: [ForwardedHeader; 4] = [
    ForwardedHeader::XForwardedFor,
    ForwardedHeader::Forwarded,
    ForwardedHeader::XRealIp,
    ForwardedHeader::CfConnectingIp,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_any_case_names_its_header() {
        for header in ALL {
            assert_eq!(header.name().parse(), Ok(header));
            assert_eq!(header.to_string().to_uppercase().parse(), Ok(header));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "true-client-ip".parse::<ForwardedHeader>().unwrap_err();
        assert_eq!(error.field(), "header");
        assert!(error.remedy().contains("`x-forwarded-for`, `forwarded`"), "{error}");
    }
}

//! What a URL says of a server, and what is said of a URL that is wrong: never its password.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use crate::{Error, masked::masked};

const REMEDY: &str = "write redis://user:password@host:6379/0, or redis+unix:///path?db=0";
const REMEDY_FOR_LOGINS: &str = "write redis://user:password@host:6379/0, with @ : / ? # % in names and \
                                 passwords as %40 %3A %2F %3F %23 %25";

/// The server of a URL.
///
/// # Errors
/// When Redis has no such URL, or it needs a feature of this crate that is off.
pub(super) fn parse(url: &str) -> Result<ConnectionInfo, Error> {
    let encrypted = url.starts_with("rediss:") || url.starts_with("valkeys:");
    if encrypted && cfg!(not(feature = "redis-tls")) {
        let remedy = "enable the feature redis-tls of actix-smart-ratelimit";
        return Err(Error::new("url", masked(url), "it asks for an encrypted connection", remedy));
    }
    if url.ends_with("#insecure") {
        let remedy =
            "remove #insecure, and give the authority's certificate to RedisBuilder::certificates";
        return Err(Error::new("url", masked(url), "it asks to trust any certificate", remedy));
    }
    let info = url.into_connection_info().map_err(|error| wrong(url, &error))?;
    if info.redis_settings().db() < 0 {
        return Err(about(url, "the number of its database is below 0"));
    }
    match info.addr() {
        ConnectionAddr::Tcp(_, 0) | ConnectionAddr::TcpTls { port: 0, .. } => {
            Err(about(url, "its port is 0"))
        }
        ConnectionAddr::Unix(path) if !path.has_root() => Err(about(url, "it has no path")),
        _ => Ok(with_news(info, url)),
    }
}

/// A server of a cluster.
#[cfg(feature = "redis-cluster")]
pub(super) fn of_cluster(url: &str) -> Result<ConnectionInfo, Error> {
    let info = parse(url)?;
    if info.redis_settings().db() != 0 {
        return Err(about(url, "a cluster has no databases with numbers"));
    }
    Ok(info)
}

/// Another server of the same cluster.
#[cfg(feature = "redis-cluster")]
pub(super) fn beside(info: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let host = host.to_owned();
    info.clone().set_addr(match info.addr() {
        ConnectionAddr::TcpTls { insecure, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
        }
        _ => ConnectionAddr::Tcp(host, port),
    })
}

/// A server with the protocol that tells of lost connections, unless the URL asks for another.
fn with_news(info: ConnectionInfo, url: &str) -> ConnectionInfo {
    if url.contains("protocol=") {
        return info;
    }
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    info.set_redis_settings(settings)
}

/// What the client library finds wrong with a URL.
pub(super) fn wrong(url: &str, error: &redis::RedisError) -> Error {
    let reason = error.to_string();
    about(url, reason.split(" - ").next().unwrap_or_default())
}

fn about(url: &str, reason: &str) -> Error {
    let remedy = if url.contains('@') { REMEDY_FOR_LOGINS } else { REMEDY };
    Error::new("url", masked(url), reason.to_owned(), remedy)
}

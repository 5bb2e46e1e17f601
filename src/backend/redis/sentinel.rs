//! The primary that Sentinels name, asked for anew with each connection.

use std::{fmt, time::Duration};

use redis::{
    ConnectionAddr, ProtocolVersion, RedisResult,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};

use super::{
    builder::Login,
    link::{Connect, Link, late, open},
};
use crate::backend::BoxFuture;

/// A primary by its name, and the Sentinels that know it.
pub(super) struct Sentinels {
    pub(super) name: String,
    pub(super) addresses: Vec<ConnectionAddr>,
    /// Of the Sentinels themselves.
    pub(super) login: Login,
    /// Of the servers that they watch.
    pub(super) server: Login,
    pub(super) database: i64,
    #[cfg(feature = "redis-tls")]
    pub(super) certificates: Option<redis::TlsCertificates>,
}

impl Sentinels {
    fn client(&self) -> RedisResult<SentinelClient> {
        let addresses = self.addresses.iter().cloned();
        let master = SentinelServerType::Master;
        let mut builder = SentinelClientBuilder::new(addresses, &self.name, master)?
            .set_client_to_redis_db(self.database)
            .set_client_to_redis_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &self.login.user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.login.password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let Some(user) = &self.server.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.server.password {
            builder = builder.set_client_to_redis_password(password);
        }
        self.encrypted(builder).build()
    }

    #[cfg(feature = "redis-tls")]
    fn encrypted(&self, mut builder: SentinelClientBuilder) -> SentinelClientBuilder {
        let tls = |address: &ConnectionAddr| matches!(address, ConnectionAddr::TcpTls { .. });
        if self.addresses.iter().any(tls) {
            builder = builder
                .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(redis::TlsMode::Secure);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        builder
    }

    #[cfg(not(feature = "redis-tls"))]
    fn encrypted(&self, builder: SentinelClientBuilder) -> SentinelClientBuilder {
        builder
    }
}

impl Connect for Sentinels {
    fn connect(&self, deadline: Duration) -> BoxFuture<RedisResult<Link>> {
        let client = self.client();
        Box::pin(async move {
            let mut client = client?;
            let named = tokio::time::timeout(deadline, client.async_get_client()).await;
            open(&named.map_err(|_| late())??, deadline).await
        })
    }
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinels").field("name", &self.name).finish_non_exhaustive()
    }
}

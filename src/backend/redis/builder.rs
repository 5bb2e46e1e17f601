//! How a Redis backend is made.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
    thread::available_parallelism,
    time::Duration,
};

use redis::{Client, ConnectionInfo, RedisResult};

use super::{
    Direct, RedisBackend, Shared,
    lanes::Lanes,
    link::{Connect, Standalone},
    sentinel::Sentinels,
    time::ServerTime,
    url,
};
use crate::{Error, backend::wrap::DenialCache};

/// Where the server is.
enum Place {
    Standalone(String),
    Sentinel(String, Vec<String>),
    #[cfg(feature = "redis-cluster")]
    Cluster(Vec<String>),
}

/// A name and a password.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// Settings of a [`RedisBackend`], checked by [`build`](Self::build).
#[must_use]
pub struct RedisBuilder {
    place: Place,
    login: Login,
    database: i64,
    deadline: Duration,
    connect_deadline: Duration,
    connections: usize,
    denial_cache: usize,
    time: ServerTime,
    #[cfg(feature = "redis-tls")]
    certificates: Option<redis::TlsCertificates>,
}

impl RedisBuilder {
    fn new(place: Place) -> Self {
        Self {
            place,
            login: Login::default(),
            database: 0,
            deadline: Duration::from_millis(100),
            connect_deadline: Duration::from_millis(500),
            connections: available_parallelism().map_or(1, usize::from).max(8),
            denial_cache: DenialCache::<Direct>::DEFAULT_CAPACITY,
            time: ServerTime::default(),
            #[cfg(feature = "redis-tls")]
            certificates: None,
        }
    }

    pub(super) fn standalone(url: String) -> Self {
        Self::new(Place::Standalone(url))
    }

    pub(super) fn sentinel(name: String, urls: Vec<String>) -> Self {
        Self::new(Place::Sentinel(name, urls))
    }

    #[cfg(feature = "redis-cluster")]
    pub(super) fn cluster(urls: Vec<String>) -> Self {
        Self::new(Place::Cluster(urls))
    }

    /// How long the server may take to answer a call; 100 ms by default, at least 1 ms.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// How long it may take to connect; 500 ms by default, at least 1 ms. Requests do not wait for it
    /// longer than for an answer.
    pub fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline.max(Duration::from_millis(1));
        self
    }

    /// Most connections, at least 1; by default as many as there are processors, and at least 8. One
    /// is made for each runtime that asks, which an Actix worker is; where there are more of them,
    /// they share.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Refusals that are remembered, so that they are repeated without asking the server until the
    /// request might be admitted, and for at most a second; 65,536 by default, 0 for none.
    pub fn denial_cache(mut self, entries: usize) -> Self {
        self.denial_cache = entries;
        self
    }

    /// Name (if not the default user) and password for the servers that Sentinels watch. Elsewhere
    /// they stand in the URL.
    pub fn login(mut self, user: Option<&str>, password: &str) -> Self {
        self.login = Login { user: user.map(Into::into), password: Some(password.to_owned()) };
        self
    }

    /// The database number on the servers that Sentinels watch; 0 by default. Elsewhere it stands in
    /// the URL, and clusters have one.
    pub fn database(mut self, number: u32) -> Self {
        self.database = number.into();
        self
    }

    /// Certificates for encrypted connections, in PEM: of the authority that signed the server's, if
    /// it is not one of those that browsers trust (Mozilla's list), and of this client with its key,
    /// if the server asks.
    #[cfg(feature = "redis-tls")]
    pub fn certificates(
        mut self,
        authority: Option<&[u8]>,
        client: Option<(&[u8], &[u8])>,
    ) -> Self {
        let client_tls = client.map(|(certificate, key)| redis::ClientTlsConfig {
            client_cert: certificate.to_vec(),
            client_key: key.to_vec(),
        });
        self.certificates =
            Some(redis::TlsCertificates { client_tls, root_cert: authority.map(<[u8]>::to_vec) });
        self
    }

    /// Decides by a clock that a test moves, instead of the server's. States still expire by the
    /// server's, so the clock should not be behind it.
    #[cfg(feature = "test-util")]
    pub fn clock(mut self, clock: crate::ManualClock) -> Self {
        self.time = ServerTime::Manual(crate::Clock::Manual(clock));
        self
    }

    /// The backend. It connects when it is first asked.
    ///
    /// # Errors
    /// When a URL is none that Redis has, or needs a feature of this crate that is off.
    pub fn build(self) -> Result<RedisBackend, Error> {
        #[cfg(feature = "redis-tls")]
        self.prepare_tls()?;
        let connect = self.connect()?;
        let shared = Arc::new(Shared {
            connect,
            time: self.time,
            deadline: self.deadline,
            connect_deadline: self.connect_deadline,
            instance: fastrand::u64(..),
            periods: super::Noted::default(),
            round_trips: 0.into(),
            inspected: AtomicBool::new(false),
        });
        let direct = Direct { shared, lanes: Arc::new(Lanes::new(self.connections)) };
        Ok(RedisBackend { door: DenialCache::around(direct).capacity(self.denial_cache) })
    }

    /// Whether [`build`](Self::build) would succeed.
    #[cfg(feature = "config")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        #[cfg(feature = "redis-tls")]
        self.prepare_tls()?;
        self.connect().map(drop)
    }

    fn connect(&self) -> Result<Box<dyn Connect>, Error> {
        match &self.place {
            Place::Standalone(url) => {
                let info = url::parse(url)?;
                let client = self.clients()(info).map_err(|error| url::wrong(url, &error))?;
                Ok(Box::new(Standalone(client)))
            }
            Place::Sentinel(name, urls) => {
                let infos =
                    urls.iter().map(|url| url::parse(url)).collect::<Result<Vec<_>, _>>()?;
                let Some(first) = infos.first() else { return Err(no_urls("sentinels")) };
                let settings = first.redis_settings();
                Ok(Box::new(Sentinels {
                    name: name.clone(),
                    addresses: infos.iter().map(|info| info.addr().clone()).collect(),
                    login: Login {
                        user: settings.username().map(Into::into),
                        password: settings.password().map(Into::into),
                    },
                    server: self.login.clone(),
                    database: self.database,
                    #[cfg(feature = "redis-tls")]
                    certificates: self.certificates.clone(),
                }))
            }
            #[cfg(feature = "redis-cluster")]
            Place::Cluster(urls) => self.cluster_of(urls),
        }
    }

    /// Sees to it that an encrypted connection can be made at all.
    #[cfg(feature = "redis-tls")]
    fn prepare_tls(&self) -> Result<(), Error> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been faster.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let Some(redis::TlsCertificates { client_tls, root_cert }) = &self.certificates else {
            return Ok(());
        };
        let is_pem = |text: &[u8]| text.windows(11).any(|part| part == b"-----BEGIN ");
        let client = client_tls.iter().flat_map(|client| [&client.client_cert, &client.client_key]);
        match root_cert.iter().chain(client).find(|text| !is_pem(text)) {
            None => Ok(()),
            Some(_) => {
                let reason = "there is no certificate or key in PEM in it";
                Err(Error::new("certificates", "", reason, "hand over the contents of .pem files"))
            }
        }
    }

    #[cfg(feature = "redis-cluster")]
    fn cluster_of(&self, urls: &[String]) -> Result<Box<dyn Connect>, Error> {
        let infos = urls.iter().map(|url| url::of_cluster(url)).collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(info)) = (urls.first(), infos.first().cloned()) else {
            return Err(no_urls("nodes"));
        };
        let builder = redis::cluster::ClusterClient::builder(infos)
            // It would also repeat calls of which nobody knows whether they were carried out.
            .retries(0)
            .connection_timeout(self.connect_deadline)
            .response_timeout(self.deadline)
            .overall_response_timeout(None);
        #[cfg(feature = "redis-tls")]
        let builder = match &self.certificates {
            Some(certificates) => builder.certs(certificates.clone()),
            None => builder,
        };
        let client = builder.build().map_err(|error| url::wrong(first, &error))?;
        let clients = self.clients();
        let make_client = Arc::new(move |host: &str, port| clients(url::beside(&info, host, port)));
        Ok(Box::new(super::cluster::Cluster { client, make_client }))
    }

    /// Makes clients that trust, and show, these certificates.
    #[cfg(feature = "redis-tls")]
    fn clients(&self) -> impl Fn(ConnectionInfo) -> RedisResult<Client> + Send + Sync + 'static {
        let certificates = self.certificates.clone();
        move |info| match &certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }

    #[cfg(not(feature = "redis-tls"))]
    fn clients(&self) -> impl Fn(ConnectionInfo) -> RedisResult<Client> + Send + Sync + 'static {
        Client::open
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("deadline", &self.deadline)
            .field("connect_deadline", &self.connect_deadline)
            .field("connections", &self.connections)
            .field("denial_cache", &self.denial_cache)
            .finish_non_exhaustive()
    }
}

fn no_urls(field: &'static str) -> Error {
    Error::new(field, "", "there is none", "name at least one, as redis://host:port")
}

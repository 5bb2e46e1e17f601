//! A server that listens for TLS only, and certificates made for it.

use std::{fs, ops::Deref, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Purpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::RedisServer;

/// A certificate authority, and what it has issued to one server and one client; all in PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The certificate of the authority.
    pub ca: String,
    pub client: String,
    pub client_key: String,
    server: String,
    server_key: String,
}

impl Certificates {
    /// Those of a new authority.
    pub fn new() -> Self {
        let mut params = named("authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let (server, server_key) = issue(&issuer, &["localhost", "127.0.0.1"], Purpose::ServerAuth);
        let (client, client_key) = issue(&issuer, &["client"], Purpose::ClientAuth);
        Self { ca, client, client_key, server, server_key }
    }

    /// Options for a server that uses the files of this folder.
    fn write(&self, folder: &Path) -> Vec<String> {
        let files = [
            ("--tls-ca-cert-file", "ca.pem", &self.ca),
            ("--tls-cert-file", "server.pem", &self.server),
            ("--tls-key-file", "server.key", &self.server_key),
        ];
        let mut options = Vec::new();
        for (option, name, pem) in files {
            fs::write(folder.join(name), pem).unwrap();
            options.extend([option.to_owned(), name.to_owned()]);
        }
        options
    }
}

/// A certificate for these names, and its key.
fn issue(issuer: &Issuer<'_, KeyPair>, names: &[&str], purpose: Purpose) -> (String, String) {
    let mut params = named(names[0], names);
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

/// What is to be certified, with this subject: OpenSSL takes a certificate whose subject is its issuer
/// for one that has signed itself.
fn named(subject: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

/// A server whose port speaks TLS.
#[derive(Debug)]
pub struct TlsServer {
    server: RedisServer,
    pub certificates: Certificates,
}

impl TlsServer {
    /// It accepts clients that show no certificate.
    pub fn start() -> Self {
        Self::with(&["--tls-auth-clients", "optional"])
    }

    /// It accepts only clients that show a certificate of its authority.
    pub fn for_known_clients() -> Self {
        Self::with(&["--tls-auth-clients", "yes"])
    }

    fn with(options: &[&str]) -> Self {
        let certificates = Certificates::new();
        let server = RedisServer::launch(|folder, port| {
            let port = port.to_string();
            let own = ["--port", "0", "--tls-port", &port, "--save", "", "--appendonly", "no"];
            let own = own.iter().chain(options).map(|&option| option.to_owned());
            own.chain(certificates.write(folder)).collect()
        });
        Self { server, certificates }
    }

    /// Without a database: `rediss://127.0.0.1:7000`. Its certificate is also for `localhost`.
    pub fn url(&self) -> String {
        format!("rediss://{}", self.server.address())
    }
}

impl Deref for TlsServer {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}

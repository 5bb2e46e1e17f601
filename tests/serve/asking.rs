//! Services, and clients with addresses of their own.

use std::net::{IpAddr, SocketAddr};

use actix_smart_ratelimit::{config::Config, serve::DecisionService};
use actix_web::{dev::ServerHandle, rt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// The address of the proxy, which the service trusts. Clients have others of 127.0.0.0/8.
pub(crate) const PROXY: &str = "127.0.0.1";

/// A service that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
}

impl Running {
    /// With this configuration besides an address and the trusted proxy.
    pub(crate) fn start(text: &str) -> Self {
        let mut config = Config::from_toml_str(text).unwrap();
        config.client_ip.trusted_proxies.push(PROXY.to_owned());
        Self::of(config)
    }

    pub(crate) fn of(mut config: Config) -> Self {
        config.serve.bind = vec!["127.0.0.1:0".parse().unwrap()];
        config.serve.workers = Some(2);
        let service = DecisionService::bind(&config).unwrap();
        let (address, handle) = (service.addresses()[0], service.handle());
        rt::spawn(service.run());
        Self { address, handle }
    }
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value)
    }
}

/// A connection from this address.
pub(crate) async fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let from: IpAddr = from.parse().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// The answer to a request with these headers, such as `GET /path`.
pub(crate) async fn ask(
    from: &str,
    to: SocketAddr,
    what: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut stream = connect(from, to).await;
    let mut text = format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Answer::read(&String::from_utf8_lossy(&answer))
}

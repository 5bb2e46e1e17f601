//! A real server on a free port, and a client that writes exactly the bytes it is told to.

use std::{net::SocketAddr, time::Duration};

use actix_smart_ratelimit::RateLimit;
use actix_web::{App, HttpServer, dev::ServerHandle, rt, web::ServiceConfig};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// After this long a test gives up that would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with one worker.
pub struct Server {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// Serves an application round which the middleware is wrapped.
    pub fn start(
        limit: RateLimit,
        configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let app = move || App::new().wrap(limit.clone()).configure(configure.clone());
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        Self { address, handle }
    }

    pub async fn connect(&self) -> Connection<TcpStream> {
        Connection::new(TcpStream::connect(self.address).await.unwrap())
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }

    /// Lets requests that are under way finish.
    pub async fn stop_gracefully(self) {
        self.handle.stop(true).await;
    }
}

/// One connection of a client.
pub struct Connection<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(bytes).await.unwrap();
    }

    pub async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// The next bytes, up to and with `end`.
    pub async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return self.unread.drain(..at + end.len()).collect();
            }
            self.fill().await;
        }
    }

    pub async fn read(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            self.fill().await;
        }
        self.unread.drain(..count).collect()
    }

    async fn fill(&mut self) {
        let mut chunk = [0; 4_096];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await;
        match read.expect("nothing comes").unwrap() {
            0 => panic!("closed after {:?}", String::from_utf8_lossy(&self.unread)),
            count => self.unread.extend_from_slice(&chunk[..count]),
        }
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.unread);
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// The head of the next response.
    pub async fn head(&mut self) -> Head {
        let text = String::from_utf8(self.read_until(b"\r\n\r\n").await).unwrap();
        Head(text)
    }

    /// The next response, which says how long it is.
    pub async fn response(&mut self) -> (Head, String) {
        let head = self.head().await;
        let length = head.header("content-length").unwrap_or_default().parse().unwrap();
        let body = self.read(length).await;
        (head, String::from_utf8(body).unwrap())
    }
}

/// Status line and header lines.
#[derive(Debug)]
pub struct Head(String);

impl Head {
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

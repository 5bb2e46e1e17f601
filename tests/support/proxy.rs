//! A TCP proxy that does to connections what networks do: it delays, holds, loses and cuts.

mod relay;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    sync::{mpsc as queue, watch},
    task::JoinSet,
};

use super::ports::free_port;
use relay::{Setting, relay};

/// What a proxy does to the bytes that pass through it, on connections old and new.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Mode {
    /// Delivers everything.
    #[default]
    Pass,
    /// Delivers everything later: half of this time each way.
    Latency(Duration),
    /// Delivers this many bytes at a time, one after this pause.
    Slice(usize, Duration),
    /// Accepts connections and holds all bytes, until another mode delivers them.
    Blackhole,
    /// Loses requests. A connection that lost some is cut when the mode changes, since neither end
    /// could make sense of the rest.
    SwallowRequests,
    /// Delivers requests and loses the replies; for the rest like `SwallowRequests`.
    SwallowReplies,
    /// Cuts a connection after this many bytes of replies, counted from the change to this mode.
    CutAfter(usize),
    /// Accepts connections and closes them. Connections that were open pass.
    Hangup,
    /// Does not listen, so that connections are refused. Connections that were open pass.
    Refuse,
}

/// A proxy on a thread and a runtime of its own, so that a test that blocks does not stop it. It ends
/// when it is dropped.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    counters: Arc<Counters>,
    commands: queue::UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    open: AtomicU64,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
}

/// Each is acknowledged when it has taken effect.
enum Command {
    Change(Mode, mpsc::Sender<()>),
    Cut(mpsc::Sender<()>),
}

impl ChaosProxy {
    /// A proxy in front of a server, in the mode `Pass`.
    pub fn to(server: SocketAddr) -> Self {
        let (commands, received) = queue::unbounded_channel();
        let (bound, address) = mpsc::channel();
        let counters = Arc::<Counters>::default();
        let shared = counters.clone();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = listen_anywhere().await;
                let address = listener.local_addr().unwrap();
                bound.send(address).unwrap();
                let proxy =
                    Proxy { address, server, counters: shared, setting: watch::Sender::default() };
                proxy.run(listener, received).await;
            });
        });
        Self { address: address.recv().unwrap(), counters, commands, thread: Some(thread) }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Without a database: `redis://127.0.0.1:7000`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Changes the mode; when this returns, the change has taken effect.
    pub fn set(&self, mode: Mode) {
        self.command(|done| Command::Change(mode, done));
    }

    /// Closes all connections that are open.
    pub fn cut(&self) {
        self.command(Command::Cut);
    }

    fn command(&self, command: impl FnOnce(mpsc::Sender<()>) -> Command) {
        let (done, wait) = mpsc::channel();
        self.commands.send(command(done)).unwrap();
        wait.recv().unwrap();
    }

    /// How many connections have been accepted.
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.load(SeqCst)
    }

    /// How many connections are open.
    pub fn open(&self) -> u64 {
        self.counters.open.load(SeqCst)
    }

    /// How many bytes have come from clients, whether delivered or not.
    pub fn request_bytes(&self) -> u64 {
        self.counters.request_bytes.load(SeqCst)
    }

    /// How many bytes have come from the server, whether delivered or not.
    pub fn reply_bytes(&self) -> u64 {
        self.counters.reply_bytes.load(SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        let (commands, _) = queue::unbounded_channel();
        drop(std::mem::replace(&mut self.commands, commands));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen_anywhere() -> TcpListener {
    loop {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).await {
            return listener;
        }
    }
}

/// What runs on the thread of the proxy.
struct Proxy {
    address: SocketAddr,
    server: SocketAddr,
    counters: Arc<Counters>,
    setting: watch::Sender<Setting>,
}

impl Proxy {
    /// Accepts connections until nobody can give commands any more.
    async fn run(self, listener: TcpListener, mut commands: queue::UnboundedReceiver<Command>) {
        let mut listener = Some(listener);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Change(mode, done)) => {
                        self.change(mode, &mut listener).await;
                        let _ = done.send(());
                    }
                    Some(Command::Cut(done)) => {
                        connections.shutdown().await;
                        let _ = done.send(());
                    }
                    None => return,
                },
                Some(_) = connections.join_next() => {}
                client = accept(listener.as_ref()) => {
                    if let Ok(client) = client {
                        self.connect(client, &mut connections);
                    }
                }
            }
        }
    }

    async fn change(&self, mode: Mode, listener: &mut Option<TcpListener>) {
        if mode == Mode::Refuse {
            *listener = None;
        } else if listener.is_none() {
            *listener = Some(TcpListener::bind(self.address).await.unwrap());
        }
        self.setting.send_modify(|setting| setting.change_to(mode));
    }

    fn connect(&self, client: TcpStream, connections: &mut JoinSet<io::Result<()>>) {
        self.counters.accepted.fetch_add(1, SeqCst);
        if self.setting.borrow().mode == Mode::Hangup {
            return;
        }
        let open = Open::new(&self.counters);
        connections.spawn(relay(client, self.server, open, self.setting.subscribe()));
    }
}

/// The next connection; never, while there is no listener.
async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

/// Counts one connection for as long as it is open.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: &Arc<Counters>) -> Self {
        counters.open.fetch_add(1, SeqCst);
        Self(counters.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

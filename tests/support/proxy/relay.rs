//! How bytes travel through the proxy in each mode.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{Mode, Open};

/// The mode, and a number that tells one change of it from the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    pub(super) mode: Mode,
    change: u64,
}

impl Setting {
    pub(super) fn change_to(&mut self, mode: Mode) {
        *self = Self { mode, change: self.change + 1 };
    }
}

/// Carries one connection until either end closes it.
pub(super) async fn relay(
    client: TcpStream,
    server: SocketAddr,
    open: Open,
    setting: watch::Receiver<Setting>,
) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (requests, to_client) = client.into_split();
    let (replies, to_server) = server.into_split();
    let (there, back) = (Flow::new(&setting, false), Flow::new(&setting, true));
    tokio::select! {
        end = carry(requests, to_server, &open.0.request_bytes, there) => end,
        end = carry(replies, to_client, &open.0.reply_bytes, back) => end,
    }
}

/// Bytes, and the instant before which they are not to be delivered.
type Chunk = (Instant, Vec<u8>);

/// Carries one direction. What has been read when its source closes is still delivered.
async fn carry(
    mut source: OwnedReadHalf,
    sink: OwnedWriteHalf,
    count: &AtomicU64,
    flow: Flow,
) -> io::Result<()> {
    let (chunks, queue) = mpsc::channel::<Chunk>(1_024);
    let setting = flow.setting.clone();
    let read = async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length @ 1..) = source.read(&mut buffer).await {
            count.fetch_add(length as u64, SeqCst);
            let due = Instant::now() + delay(setting.borrow().mode);
            if chunks.send((due, buffer[..length].to_vec())).await.is_err() {
                break;
            }
        }
        drop(chunks);
        std::future::pending().await
    };
    tokio::select! {
        end = read => end,
        end = flow.deliver(queue, sink) => end,
    }
}

fn delay(mode: Mode) -> Duration {
    match mode {
        Mode::Latency(both_ways) => both_ways / 2,
        _ => Duration::ZERO,
    }
}

/// One direction of a connection, at the end where bytes are delivered.
struct Flow {
    setting: watch::Receiver<Setting>,
    /// The change that `left` and `broken` are about.
    change: u64,
    is_reply: bool,
    /// Whether bytes have been lost.
    broken: bool,
    /// How many bytes may still pass before the connection is cut.
    left: Option<usize>,
}

impl Flow {
    fn new(setting: &watch::Receiver<Setting>, is_reply: bool) -> Self {
        let change = setting.borrow().change;
        Self { setting: setting.clone(), change, is_reply, broken: false, left: None }
    }

    /// Delivers what comes until nothing comes any more or the connection is to be cut.
    async fn deliver(
        mut self,
        mut queue: mpsc::Receiver<Chunk>,
        mut sink: OwnedWriteHalf,
    ) -> io::Result<()> {
        loop {
            let next = tokio::select! {
                biased;
                _ = self.setting.changed() => {
                    if self.mode().is_none() {
                        return Ok(());
                    }
                    continue;
                }
                next = queue.recv() => next,
            };
            let Some((due, bytes)) = next else { return Ok(()) };
            sleep_until(due).await;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Some(done) = self.step(rest, &mut sink).await? else { return Ok(()) };
                rest = &rest[done..];
            }
        }
    }

    /// What the proxy is to do now; nothing if the connection is to be cut.
    fn mode(&mut self) -> Option<Mode> {
        let Setting { mode, change } = *self.setting.borrow_and_update();
        if change != self.change {
            if self.broken {
                return None;
            }
            self.change = change;
            self.left = None;
        }
        Some(mode)
    }

    /// Does with the first of these bytes what the mode says, and tells how many they were; nothing
    /// if the connection is to be cut.
    async fn step(&mut self, bytes: &[u8], sink: &mut OwnedWriteHalf) -> io::Result<Option<usize>> {
        let Some(mode) = self.mode() else { return Ok(None) };
        let mut count = bytes.len();
        match mode {
            Mode::Blackhole => {
                let _ = self.setting.changed().await;
                return Ok(Some(0));
            }
            Mode::Slice(length, pause) => {
                if timeout(pause, self.setting.changed()).await.is_ok() {
                    return Ok(Some(0));
                }
                count = count.min(length);
            }
            Mode::SwallowRequests if !self.is_reply => self.broken = true,
            Mode::SwallowReplies if self.is_reply => self.broken = true,
            Mode::CutAfter(allowed) if self.is_reply => {
                let left = *self.left.get_or_insert(allowed);
                count = count.min(left);
                self.left = Some(left - count);
            }
            _ => {}
        }
        if !self.broken {
            sink.write_all(&bytes[..count]).await?;
        }
        Ok((self.left != Some(0)).then_some(count))
    }
}

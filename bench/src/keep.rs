//! Servers of other programs: a child of this binary starts each and stays. It stops the server as soon
//! as the bench is gone, however that ended.

use std::io::{Read, Write, stdin, stdout};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A server's process; ended and waited for when dropped.
pub(crate) struct Running {
    child: Child,
    is_gentle: bool,
}

impl Running {
    /// A server that loses nothing when it is killed.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { child: command.spawn()?, is_gentle: false })
    }

    /// A server with processes or shared memory of its own, which it has to remove.
    pub(crate) fn start_gentle(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { child: command.spawn()?, is_gentle: true })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers, which `asks` finds out; false when it has ended instead.
    pub(crate) fn answers(
        &mut self,
        patience: Duration,
        mut asks: impl FnMut() -> bool,
    ) -> Result<bool> {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if asks() {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("the server does not answer within {patience:?}")
    }

    /// Prints number and address of the process, and stays until the parent is gone.
    pub(crate) fn stay(self, address: SocketAddr) -> Result<()> {
        writeln!(stdout().lock(), "{} {address}", self.id())?;
        stdin().lock().read_to_end(&mut Vec::new()).context("waiting for the parent to end")?;
        drop(self);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // All fail only when the server is gone already.
        if self.is_gentle {
            let id = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::QUIT);
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// An address on loopback whose port was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    free.context("finding a free port")
}

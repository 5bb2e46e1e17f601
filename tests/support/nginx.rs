//! nginx as a child process in a temporary folder.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// An nginx that nobody else uses.
pub struct Nginx {
    folder: TempDir,
    child: Child,
}

impl Nginx {
    /// Started with what stands in its `http` block.
    ///
    /// `port` is one that it listens at, by which it is known to be ready. `None`: another process has
    /// taken one of its ports.
    pub fn start(http: &str, port: u16) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir().unwrap();
        let path = folder.path().display();
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places = places.map(|name| format!("{name}_temp_path {path}/{name};")).join("\n");
        let text = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log {path}/error.log;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{places}\n{http}\n}}\n"
        );
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, text).unwrap();
        let log = folder.path().join("error.log");
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&configuration)
            .arg("-e")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is not installed: run scripts/setup.sh");
        let mut nginx = Self { folder, child };
        let begun = Instant::now();
        loop {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(nginx);
            }
            if nginx.child.try_wait().unwrap().is_some() {
                let log = nginx.log();
                assert!(log.contains("Address already in use"), "nginx did not start:\n{log}");
                return None;
            }
            assert!(begun.elapsed() < PATIENCE, "nginx is not ready:\n{}", nginx.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// What it has written about errors.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

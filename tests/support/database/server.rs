//! A database server as a child process in a temporary folder, under a user that it agrees to run as.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, Signal, WaitOptions, getuid, kill_process, waitpid};
use tempfile::TempDir;

/// A process with its folder.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    user: Option<(u32, u32)>,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// A folder that belongs to `user` if this process is root, whom no database server runs as.
    pub fn folder(user: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(user).tempdir().unwrap();
        let user = getuid().is_root().then(|| ids_of(user));
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        Self { folder, user, child: Mutex::new(None) }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A program that runs in the folder as its user, and writes to the log there.
    pub fn command(&self, program: &Path) -> Command {
        let log = File::options().create(true).append(true).open(self.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs a program to its end.
    #[track_caller]
    pub fn run(&self, command: &mut Command) {
        let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(status.success(), "{command:?} failed:\n{}", self.log());
    }

    /// Starts the server itself.
    pub fn start(&self, command: &mut Command) {
        match command.spawn() {
            Ok(child) => *self.child() = Some(child),
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child().as_ref().map(Child::id).expect("the server runs")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    pub fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends a signal and waits until the server has ended.
    pub fn end(&self, signal: Signal) {
        if let Some(mut child) = self.child().take() {
            let _ = kill_process(Pid::from_child(&child), signal);
            let _ = child.wait();
        }
    }

    /// Stops the process until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        let pid = self.signal(Signal::STOP);
        let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "the server has ended");
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) -> Pid {
        let pid = self.child().as_ref().map(Pid::from_child).expect("the server runs");
        kill_process(pid, signal).unwrap();
        pid
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was frozen ends only by this signal.
        self.end(Signal::KILL);
    }
}

/// User and group of a name, which the package of the server has made.
fn ids_of(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let fields: Vec<_> = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == name)
        .unwrap_or_else(|| panic!("there is no user {name}: run scripts/test.sh"));
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

/// Where a program is: in the path, or in one of these folders, of which the last that exists counts.
pub fn program(name: &str, package: &str, folders: &[PathBuf]) -> PathBuf {
    let found = folders.iter().rev().map(|folder| folder.join(name)).find(|path| path.exists());
    let path = found.unwrap_or_else(|| name.into());
    match Command::new(&path).arg("--version").stdout(Stdio::null()).status() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{name} is missing: install the package {package}, or run scripts/test.sh")
        }
        _ => path,
    }
}

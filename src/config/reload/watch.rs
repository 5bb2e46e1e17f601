//! News of changes of a file.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{SETTLED, UNTOLD};

/// Tells when a file may have changed.
pub(super) struct Changes {
    path: Option<PathBuf>,
    changed: Arc<Notify>,
    /// Tells for as long as it lives.
    watcher: Option<RecommendedWatcher>,
}

impl Changes {
    pub(super) fn of(path: Option<&Path>) -> Self {
        let path = path.map(Path::to_owned);
        let mut changes = Self { path, changed: Arc::new(Notify::new()), watcher: None };
        changes.watch();
        changes
    }

    /// Waits until the file may have changed, or nobody has told anything for long.
    pub(super) async fn next(&mut self) {
        // The time out means the same as the news: look.
        let _ = timeout(UNTOLD, self.changed.notified()).await;
        // Other files in the folder may change all the time.
        sleep(SETTLED).await;
        // Its links may lead elsewhere now.
        self.watch();
    }

    fn watch(&mut self) {
        let watcher = self.path.as_ref().map(|path| watcher(path, self.changed.clone()));
        self.watcher = watcher.and_then(|watcher| {
            let log = |error: &notify::Error| {
                tracing::debug!(%error, "configuration file cannot be watched, only read now and then");
            };
            watcher.inspect_err(log).ok()
        });
    }
}

/// Watches the folders that a file and what its links lead to are in: a file that is renamed over, or
/// a link that is swapped, is another file afterwards.
fn watcher(path: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let tell = move |event: notify::Result<notify::Event>| {
        // Reading a file is an event too.
        if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            changed.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)?;
    let mut folders = vec![folder_of(path)];
    if let Ok(real) = path.canonicalize() {
        folders.push(folder_of(&real));
    }
    folders.dedup();
    for folder in folders {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

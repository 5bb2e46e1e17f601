//! The signal by which an operator asks for a reload.

/// Signals SIGHUP; none where there is no such signal.
pub(super) struct Hangups {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    pub(super) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = signal(SignalKind::hangup())
                .inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be listened to"));
            Self { signals: signals.ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

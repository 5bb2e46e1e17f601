//! What a running application cannot change.

use super::Config;

/// Fields that differ and need a restart.
pub(super) fn needed(running: &Config, wanted: &Config) -> Vec<&'static str> {
    let differs = [
        ("backend", running.backend != wanted.backend),
        ("backends", running.backends != wanted.backends),
        ("breaker", running.breaker != wanted.breaker),
        ("client_ip", running.client_ip != wanted.client_ip),
        ("deadline", running.deadline != wanted.deadline),
        ("headers", running.headers != wanted.headers),
        ("key_prefix", running.key_prefix != wanted.key_prefix),
        ("local_max_keys", running.local_max_keys != wanted.local_max_keys),
        ("local_share", running.local_share != wanted.local_share),
        ("log_every", running.log_every != wanted.log_every),
        ("log_keys", running.log_keys != wanted.log_keys),
        ("missing_address", running.missing_address != wanted.missing_address),
        ("overrides_from", running.overrides_from != wanted.overrides_from),
        ("serve", running.serve != wanted.serve),
        ("overrides_interval", running.overrides_interval != wanted.overrides_interval),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

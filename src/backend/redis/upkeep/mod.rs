//! The operator's questions: which keys there are, and what is kept of one. Found by SCAN on every
//! primary, which never stops a server for long.

use std::{collections::HashSet, future::Future};

use futures_util::future::{join_all, try_join_all};
use redis::{Cmd, FromRedisValue, Value};

use self::{servers::Server, stored::Found};
use super::{
    RedisBackend,
    direct::{Direct, unexpected},
    layout::{all_keys, of_stored},
};
use crate::backend::{BackendError, BoxFuture, Listing, StoredState, Upkeep};

mod servers;
mod stored;

/// Keys that a server looks at in one step of a SCAN.
const STEP: u32 = 1_000;
/// Keys that are asked about at once.
const TOGETHER: usize = 128;

impl Upkeep for RedisBackend {
    fn list(&self, pattern: &str, limit: usize) -> BoxFuture<Result<Listing, BackendError>> {
        let direct = self.door.get_ref().clone();
        let pattern = pattern.to_owned();
        Box::pin(async move { list(&direct, &pattern, limit).await })
    }

    fn inspect(&self, key: &str) -> BoxFuture<Result<Vec<StoredState>, BackendError>> {
        let direct = self.door.get_ref().clone();
        let key = key.to_owned();
        Box::pin(async move { inspect(&direct, &key).await })
    }
}

async fn list(direct: &Direct, pattern: &str, limit: usize) -> Result<Listing, BackendError> {
    let servers = servers::of(direct).await?;
    let mut listing = Listing { is_complete: servers.are_all, ..Listing::default() };
    for server in &servers.reached {
        // What stands behind the key itself tells kinds of states apart.
        let mut scan = Scan::new(server, &glob(pattern));
        while let Some(names) = scan.next().await? {
            for names in names.chunks(TOGETHER) {
                for found in try_join_all(names.iter().map(|name| look(direct, name))).await? {
                    let Some(found) = found.filter(|found| matches(pattern, &found.key)) else {
                        continue;
                    };
                    listing.add(found.state(), limit);
                }
            }
            if !listing.is_complete && listing.keys.len() >= limit {
                return Ok(listing);
            }
        }
    }
    Ok(listing)
}

async fn inspect(direct: &Direct, key: &str) -> Result<Vec<StoredState>, BackendError> {
    let periods = direct.shared.periods.all();
    let mut names = all_keys(key, &periods, direct.shared.time.estimate());
    if periods.is_empty() {
        names.extend(windows(direct, key).await?);
    }
    // Windows of different lengths may begin together, and have one key then.
    names.sort_unstable();
    names.dedup();
    let mut states = Vec::new();
    for found in join_all(names.iter().map(|name| look(direct, name))).await {
        // A key that looks like a window of this one may be another's.
        if let Some(found) = found?.filter(|found| found.key == key) {
            states.push(found.with_values(direct).await?);
        }
    }
    Ok(states)
}

/// Windows on the clock, where nobody has told their periods.
async fn windows(direct: &Direct, key: &str) -> Result<HashSet<String>, BackendError> {
    let mut found = HashSet::new();
    for server in &servers::of(direct).await?.reached {
        let mut scan = Scan::new(server, &[&escaped(key), ":[0-9]*"].concat());
        while let Some(names) = scan.next().await? {
            found.extend(names.into_iter().filter(|name| of_stored(name).1.is_some()));
        }
    }
    Ok(found)
}

/// What is at a key; nothing if it has gone meanwhile.
async fn look(direct: &Direct, name: &str) -> Result<Option<Found>, BackendError> {
    let command = |word: &str| {
        let mut command = redis::cmd(word);
        command.arg(name);
        ask(direct, command)
    };
    let (kind, expiry) =
        futures_util::future::try_join(command("TYPE"), command("PEXPIRETIME")).await?;
    Ok(Found::new(name, &read::<String>(kind)?, read(expiry)?))
}

/// Asks the server that has the key of a command.
fn ask(direct: &Direct, command: Cmd) -> impl Future<Output = Result<Value, BackendError>> {
    direct.command(command)
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, BackendError> {
    T::from_redis_value(value).map_err(|_| unexpected())
}

/// Goes through the keys of one server.
struct Scan<'s> {
    server: &'s Server,
    pattern: String,
    cursor: Option<String>,
}

impl<'s> Scan<'s> {
    fn new(server: &'s Server, pattern: &str) -> Self {
        Self { server, pattern: pattern.to_owned(), cursor: Some("0".to_owned()) }
    }

    /// Some more keys, perhaps none; `None` when there are no more. A key may come twice.
    async fn next(&mut self) -> Result<Option<Vec<String>>, BackendError> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(&self.pattern).arg("COUNT").arg(STEP);
        let (cursor, names): (String, Vec<Vec<u8>>) = read(self.server.run(command).await?)?;
        self.cursor = Some(cursor).filter(|cursor| cursor != "0");
        // Keys of the limiter are text.
        let mut names: Vec<_> =
            names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Some(names))
    }
}

/// A pattern of the server for all states of the keys that match `pattern`.
fn glob(pattern: &str) -> String {
    let parts: Vec<_> = pattern.split('*').map(escaped).collect();
    let mut glob = parts.join("*");
    if !glob.ends_with('*') {
        glob.push('*');
    }
    glob
}

/// A text in which nothing means anything to the server but itself.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "*?[]\\^".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Whether a key is like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, key: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == key };
    let Some(mut left) = key.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{glob, matches};

    #[test]
    fn a_star_stands_for_anything_and_all_else_for_itself() {
        for (pattern, key, expected) in [
            ("*", "", true),
            ("*", "a:b", true),
            ("a:b", "a:b", true),
            ("a:b", "a:bc", false),
            ("a*", "ab", true),
            ("a*b", "ab", true),
            ("a*b", "acbc", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*b*c", "a-b-c", false),
            ("ab*ba", "aba", false),
            ("a?", "ab", false),
            ("[a]*", "a", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn what_means_something_to_the_server_is_escaped() {
        assert_eq!(glob("a?[b]\\*c^"), "a\\?\\[b\\]\\\\*c\\^*");
        assert_eq!(glob("a*"), "a*");
    }
}

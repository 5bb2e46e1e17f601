//! The scripts that the server runs, as they are sent.

use std::sync::LazyLock;

use redis::{Cmd, Script as Hashed};

/// A script by its digest, and its text for servers that do not know it.
#[derive(Debug)]
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

/// Decides groups of checks.
pub(super) static CHECK: LazyLock<Script> = LazyLock::new(|| {
    Script::of(concat!(
        include_str!("lua/time.lua"),
        include_str!("lua/window.lua"),
        include_str!("lua/meter.lua"),
        include_str!("lua/log.lua"),
        include_str!("lua/check.lua"),
    ))
});

/// Gives one charge back.
pub(super) static REFUND: LazyLock<Script> = LazyLock::new(|| {
    Script::of(concat!(
        include_str!("lua/time.lua"),
        include_str!("lua/window.lua"),
        include_str!("lua/meter.lua"),
        include_str!("lua/log.lua"),
        include_str!("lua/refund.lua"),
    ))
});

/// A call of a script.
#[derive(Clone, Debug)]
pub(super) struct ScriptCall {
    pub(super) script: &'static Script,
    pub(super) keys: Vec<String>,
    pub(super) argument: Vec<u8>,
}

impl Script {
    fn of(text: &'static str) -> Self {
        Self { text, digest: Hashed::new(text).get_hash().to_owned() }
    }
}

impl ScriptCall {
    /// By digest: what servers have cached.
    pub(super) fn by_digest(&self) -> Cmd {
        self.command("EVALSHA", &self.script.digest)
    }

    /// With the whole text, which servers cache again. Unlike loading it first, this cannot reach
    /// another server than the call.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.argument);
        command
    }
}

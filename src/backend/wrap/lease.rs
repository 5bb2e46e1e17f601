//! Permits taken in small lots and handed out from memory.

/// Hands out permits that it took from its backend in lots.
#[derive(Debug)]
pub struct Leases<B> {
    inner: B,
}

impl<B> Leases<B> {
    /// The backend that it takes permits from.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

//! Refusals that are known to hold, answered without the store.

/// Answers for keys that cannot be admitted before a known time.
#[derive(Debug)]
pub struct DenialCache<B> {
    inner: B,
}

impl<B> DenialCache<B> {
    /// The backend that it answers for.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

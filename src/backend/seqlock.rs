//! A sequence lock made of atomics: a few words that are read without a lock.

use std::{
    array::from_fn,
    sync::atomic::{AtomicU64, Ordering::*, fence},
};

/// `N` words, of which the first says what the others are about; 0: about nothing.
///
/// Readers never wait and never make each other wait. A reader that meets a writer goes without.
#[derive(Debug)]
pub(super) struct SeqLock<const N: usize> {
    /// Odd while a writer is at work.
    version: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Default for SeqLock<N> {
    fn default() -> Self {
        Self { version: AtomicU64::new(0), words: from_fn(|_| AtomicU64::new(0)) }
    }
}

impl<const N: usize> SeqLock<N> {
    /// The words, if the first of them is `first` and nobody is replacing them.
    #[inline]
    pub(super) fn read(&self, first: u64) -> Option<[u64; N]> {
        let version = self.version.load(Acquire);
        if self.words[0].load(Relaxed) != first {
            return None;
        }
        self.loaded(version)
    }

    /// The words, unless somebody is replacing them.
    pub(super) fn peek(&self) -> Option<[u64; N]> {
        self.loaded(self.version.load(Acquire))
    }

    #[inline]
    fn loaded(&self, version: u64) -> Option<[u64; N]> {
        let words = from_fn(|index| self.words[index].load(Relaxed));
        fence(Acquire);
        let undisturbed = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        undisturbed.then_some(words)
    }

    /// Replaces the words. The caller sees to it that there is no other writer.
    pub(super) fn write(&self, words: [u64; N]) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        self.store(version, words);
    }

    /// Replaces the words unless somebody else is replacing them; whether it did.
    pub(super) fn try_write(&self, words: [u64; N]) -> bool {
        let version = self.version.load(Relaxed);
        let begun = version.is_multiple_of(2)
            && self
                .version
                .compare_exchange(version, version.wrapping_add(1), Acquire, Relaxed)
                .is_ok();
        if begun {
            self.store(version, words);
        }
        begun
    }

    fn store(&self, version: u64, words: [u64; N]) {
        fence(Release);
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Relaxed);
        }
        self.version.store(version.wrapping_add(2), Release);
    }
}

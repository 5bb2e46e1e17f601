//! What a key function of the application may return.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::limiter::encode;

/// A key made by the application: one or more components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    components: Vec<String>,
}

impl KeyValue {
    /// A key of several components, such as `["user", "42"]` for `user:42`.
    pub fn new<C: Into<String>>(components: impl IntoIterator<Item = C>) -> Self {
        Self { components: components.into_iter().map(Into::into).collect() }
    }

    /// Appends the components, encoded. `false` if any is empty: an empty key would be shared.
    pub(super) fn write(&self, out: &mut String) -> bool {
        if self.components.is_empty() || self.components.iter().any(String::is_empty) {
            return false;
        }
        for (index, component) in self.components.iter().enumerate() {
            if index > 0 {
                out.push(':');
            }
            encode(component, out);
        }
        true
    }
}

/// A value that says whom to count.
///
/// `None` and `Err` fall back to the client's address, and so does an empty text. Tuples make keys
/// of several components: `("team", 7)` is `team:7`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a rate-limit key",
    label = "this function does not return a key",
    note = "return a string, a number, an IpAddr, a tuple of two, a KeyValue, or an Option or Result of one"
)]
pub trait IntoKey {
    /// The key, or `None` to count by address.
    fn into_key(self) -> Option<KeyValue>;
}

/// A function from a request to something that [`IntoKey`] takes, which may borrow from the request.
///
/// Implemented for every such function and closure.
pub trait KeyFn<'r>: Fn(&'r HttpRequest) -> Self::Key {
    /// What the function returns.
    type Key: IntoKey;
}

impl<'r, F, K> KeyFn<'r> for F
where
    F: Fn(&'r HttpRequest) -> K,
    K: IntoKey,
{
    type Key = K;
}

impl IntoKey for KeyValue {
    fn into_key(self) -> Option<KeyValue> {
        Some(self)
    }
}

impl IntoKey for String {
    fn into_key(self) -> Option<KeyValue> {
        Some(KeyValue { components: vec![self] })
    }
}

impl IntoKey for IpAddr {
    fn into_key(self) -> Option<KeyValue> {
        crate::net::canonical(self).to_string().into_key()
    }
}

impl<K: IntoKey> IntoKey for Option<K> {
    fn into_key(self) -> Option<KeyValue> {
        self.and_then(IntoKey::into_key)
    }
}

impl<K: IntoKey, E> IntoKey for Result<K, E> {
    fn into_key(self) -> Option<KeyValue> {
        self.ok().into_key()
    }
}

impl<A: IntoKey, B: IntoKey> IntoKey for (A, B) {
    fn into_key(self) -> Option<KeyValue> {
        let mut key = self.0.into_key()?;
        key.components.extend(self.1.into_key()?.components);
        Some(key)
    }
}

macro_rules! by_to_string {
    ($($type:ty),*) => {$(
        impl IntoKey for $type {
            fn into_key(self) -> Option<KeyValue> {
                self.to_string().into_key()
            }
        }
    )*};
}

by_to_string!(&str, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, bool, char);

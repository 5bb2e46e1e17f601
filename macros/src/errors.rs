//! Every mistake is reported, not only the first one.

use actix_smart_ratelimit_core as core;
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Notes a mistake.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, if there is one; otherwise its mistake is noted.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// All mistakes as one error.
    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// What core says about a value, in the place where it is written and under the name used there.
pub(crate) fn refused(place: impl ToTokens, name: &str, error: &core::Error) -> syn::Error {
    let (reason, remedy) = (error.reason(), error.remedy());
    let message = match error.value() {
        "" => format!("`{name}`: {reason}; {remedy}"),
        value => format!("`{name}`: invalid value \"{value}\": {reason}; {remedy}"),
    };
    syn::Error::new_spanned(place, message)
}

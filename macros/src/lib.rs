//! The attribute.
use proc_macro::TokenStream;

/// Stub.
#[proc_macro_attribute]
pub fn rate_limit(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Stub.
#[proc_macro]
pub fn rate(item: TokenStream) -> TokenStream {
    item
}

//! The macros of `actix-smart-ratelimit`, which re-exports them: use them from there.
//!
//! The code that they write names `::actix_smart_ratelimit` alone, so that crate must be a
//! dependency under its own name.

use actix_smart_ratelimit_core as core;
use proc_macro2::TokenStream;
use quote::quote;

mod args;
mod errors;
mod expand;
mod handler;
mod validate;
mod value;

use crate::{args::Args, errors::Errors, handler::Handler};

/// Limits how often a handler is called.
///
/// ```text
/// #[rate_limit(key = "ip", rate = "5/m")]
/// #[get("/login")]
/// async fn login(form: web::Query<Login>) -> impl Responder { … }
/// ```
///
/// It stands above or below `#[get]`, `#[post]`, `#[route]` and their like, on functions that are
/// routed by hand (`web::get().to(login)`), and on associated functions without `self`. A request
/// that is refused is answered before any extractor has run, so its body is never read.
///
/// # Arguments
///
/// Only `rate` is required.
///
/// | argument | value | default | meaning |
/// |---|---|---|---|
/// | `rate` | `"5/m"`, `"10/s, 1000/h"`, `["10/s", "1000/h"]`, or a function `fn(&HttpRequest) -> impl Into<Rates>` | | how many permits in which time; of several rates all must allow |
/// | `key` | a string (below), or a function `fn(&HttpRequest) -> impl IntoKey` | `"ip"` | whom to count |
/// | `algorithm` | `"fixed_window"`, `"sliding_window"`, `"sliding_window_counter"`, `"token_bucket"`, `"leaky_bucket"`, `"gcra"` | the limiter's | how permits come back |
/// | `bucket_size`, or `burst` | permits | LIMIT | capacity of a token bucket, a leaky bucket, or the burst of GCRA |
/// | `refill_rate`, or `leak_rate` | permits per second, such as `2` or `0.5`; 0 for never | LIMIT / period | how fast a token bucket or leaky bucket recovers |
/// | `initial_tokens` | permits | a full bucket | what a token bucket never used before holds |
/// | `window` | `"clock"`, `"first_request"` | `"clock"` | where a fixed window begins |
/// | `cost` | permits, or a function `fn(&HttpRequest) -> u32` | 1 | what one request takes; 0 only looks |
/// | `count_refused` | `true`, `false` | `false` | whether refused requests are counted too, which keeps out whoever goes on hammering |
/// | `scope` | a string | module and name of the function | names the counters: limits of one scope and key share them |
/// | `skip_if` | a function `fn(&HttpRequest) -> bool` | none | requests that are not limited |
/// | `on_refused` | a function `fn(&HttpRequest, &Refusal) -> HttpResponse` | 429 with a text or problem document | the response to refused requests |
/// | `block` | `true`, `false` | `true` | `false`: the handler runs all the same and can ask `RateLimitInfo` |
/// | `shadow` | `true`, `false` | `false` | `true`: clients notice nothing, events say what would have happened |
/// | `backend` | name of a registered backend | the limiter's | where the counters are |
/// | `on_error` | `"local"`, `"allow"`, `"deny"` | the limiter's | what happens while that backend is away |
///
/// Functions are given as a path or as a closure; one for `key` writes the type of its argument,
/// `|request: &HttpRequest| …`. They must not block, and cannot name `Self` or the type parameters
/// of the handler.
///
/// Keys: `"ip"`, `"user"`, `"user_or_ip"`, `"header:NAME"`, `"query:NAME"` (or `"param:NAME"`),
/// `"path:NAME"`, `"cookie:NAME"`, `"session"`, `"jwt:CLAIM"`, `"unverified_jwt:CLAIM"`,
/// `"api_key"`, `"tenant"`, `"device"`, `"geo"`, `"global"`, `"global:NAME"`; several are joined by
/// `+`. A request that lacks one is counted by address.
///
/// Everything that can be known to be wrong is a compile error at the argument in question.
///
/// # Consequences
///
/// - The function then takes the head of a request instead of its arguments, so it can be routed
///   but no longer be called; what is called from elsewhere belongs into a function of its own.
/// - Associated functions of one name and module have one default scope, whatever their types: give
///   them scopes.
/// - The attribute may be repeated, for limits with different keys. Each decides for itself, the
///   lowest first, and what an earlier one has charged stays charged; several rates of one
///   attribute are charged together or not at all.
#[proc_macro_attribute]
pub fn rate_limit(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(args.into(), item.into()).into()
}

/// A `Rate`, checked at compile time: `rate!("10/m")`. It is a constant expression.
///
/// ```text
/// const UPLOADS: Rate = rate!("10/m");
/// ```
#[proc_macro]
pub fn rate(text: proc_macro::TokenStream) -> proc_macro::TokenStream {
    constant(text.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The limited handler. After a mistake the item comes back unchanged, so that an editor goes on
/// helping with it.
fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    limited(args, item.clone()).unwrap_or_else(|errors| {
        let errors = errors.into_compile_error();
        quote!(#errors #item)
    })
}

fn limited(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    validate::validate(&args, &mut errors);
    let handler = errors.keep(syn::parse2::<Handler>(item));
    if let Some(handler) = &handler {
        handler.validate(&mut errors);
    }
    errors.finish()?;
    Ok(handler.map_or_else(TokenStream::new, |handler| expand::handler(&args, &handler)))
}

fn constant(text: TokenStream) -> syn::Result<TokenStream> {
    let text: syn::LitStr = syn::parse2(text)?;
    let rate = text.value().parse::<core::Rate>();
    rate.map(expand::rate).map_err(|error| errors::refused(&text, "rate", &error))
}

#[cfg(test)]
mod tests;

//! What the attribute writes: calls of the public builder, and nothing that the builder could not
//! say.
//!
//! Names resolve through `::actix_smart_ratelimit::__private` alone, so nothing that is in scope at
//! the handler matters; local names are hygienic and begin with `__rate_limit_`. That holds for names
//! in patterns too: `#[get]` makes a unit struct of its handler, and a pattern of one lower-case word
//! would mean that struct.

use actix_smart_ratelimit_core::{KeyPart, KeySpec, Rate};
use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{Expr, Ident, ReturnType, spanned::Spanned};

use crate::{
    args::Args,
    handler::{Handler, inferred},
    validate::Setting,
    value::OrFunction,
};

/// The handler, limited.
pub(crate) fn handler(args: &Args, handler: &Handler) -> TokenStream {
    let p = private();
    let Handler { attributes, visibility, signature, inner, .. } = handler;
    let (rule, enter, call) = (rule(args, handler.name()), enter(), call(handler));

    let mut limited = signature.clone();
    limited.inputs = syn::parse_quote_spanned!(mixed()=> __rate_limit_head: #p::Head);
    limited.output = answer(handler);
    let statements = quote_spanned! {mixed()=>
        #(#inner)*
        static __RATE_LIMIT: #p::AttributeLimit = #p::AttributeLimit::new(|| #rule);
        #enter
        #call
    };
    let mut block = Group::new(Delimiter::Brace, statements);
    block.set_span(at(&handler.body));
    quote_spanned!(mixed()=> #(#attributes)* #visibility #limited #block)
}

/// The return type, in the place of the original one, so that its bounds are checked there.
fn answer(handler: &Handler) -> ReturnType {
    let output = handler.output();
    let place = output.map_or_else(mixed, at);
    let p = private_at(place);
    syn::parse_quote_spanned!(place=> -> #p::Reply<#output>)
}

/// A rate as an expression that is evaluated at compile time.
pub(crate) fn rate(rate: Rate) -> TokenStream {
    let p = private();
    let (limit, micros) = (rate.limit(), rate.period_micros());
    quote_spanned!(mixed()=> #p::rate(#limit, #micros))
}

fn private() -> TokenStream {
    private_at(mixed())
}

fn private_at(span: Span) -> TokenStream {
    quote_spanned!(span=> ::actix_smart_ratelimit::__private)
}

fn mixed() -> Span {
    Span::mixed_site()
}

/// Asks the limiter, before anything of the request but its head has been read.
fn enter() -> TokenStream {
    let p = private();
    quote_spanned! {mixed()=>
        let mut __rate_limit_call = match __RATE_LIMIT.enter(__rate_limit_head).await {
            #p::core::result::Result::Ok(__rate_limit_ok) => __rate_limit_ok,
            #p::core::result::Result::Err(__rate_limit_early) => {
                return #p::Reply::Early(__rate_limit_early);
            }
        };
    }
}

/// Runs the extractors, and then what was the function's body.
fn call(handler: &Handler) -> TokenStream {
    let p = private();
    let patterns = handler.inputs().map(|input| &input.pat);
    let types = handler.inputs().map(|input| &input.ty);
    let extract = match handler.inputs().next() {
        Some(first) => quote_spanned!(at(&first.ty)=> __rate_limit_call.extract()),
        None => quote_spanned!(mixed()=> __rate_limit_call.extract()),
    };
    let (expected, body) = (expected_output(handler), &handler.body);
    // The arguments have a name of their own so that `_` drops none before the end.
    quote_spanned! {mixed()=>
        let __rate_limit_arguments: (#(#types,)*) = match #extract.await {
            #p::core::result::Result::Ok(__rate_limit_ok) => __rate_limit_ok,
            #p::core::result::Result::Err(__rate_limit_early) => {
                return #p::Reply::Early(__rate_limit_early);
            }
        };
        let (#(#patterns,)*) = __rate_limit_arguments;
        let __rate_limit_output = async move { #expected #body }.await;
        __rate_limit_call.reply(__rate_limit_output)
    }
}

/// Tells the compiler what the block returns, for `?`, coercions and its own messages: an async
/// block has no place to write its type, and takes it from the first `return`.
fn expected_output(handler: &Handler) -> Option<TokenStream> {
    let p = private();
    let mut output = handler.output()?.clone();
    inferred(&mut output);
    Some(quote_spanned! {at(&output)=>
        if let #p::core::option::Option::Some(__rate_limit_never) =
            #p::core::option::Option::<#output>::None
        {
            return __rate_limit_never;
        }
    })
}

fn rule(args: &Args, function: &Ident) -> TokenStream {
    let p = private();
    let limit = limit(args, function);
    let key = args.key.as_ref().map(|key| {
        let key = key_of(key);
        quote_spanned!(mixed()=> .key(#key))
    });
    let functions = [
        ("rates_by", function_of(args.rate.as_ref())),
        ("cost_by", function_of(args.cost.as_ref())),
        ("skip_if", args.skip_if.as_ref()),
        ("on_refused", args.on_refused.as_ref()),
    ];
    let functions = functions.into_iter().filter_map(|(setter, function)| {
        let function = function?;
        // The setter's bounds say what the function must be: let them point at the function.
        let setter = Ident::new(setter, at(function));
        Some(quote_spanned!(at(function)=> .#setter(#function)))
    });
    quote_spanned!(mixed()=> #p::Rule::new(#limit) #key #(#functions)*)
}

fn limit(args: &Args, function: &Ident) -> TokenStream {
    let p = private();
    let (scope, rates) = (scope(args, function), rates(args));
    let algorithm = args.algorithm.map(|algorithm| {
        let variant = variant(&algorithm);
        quote_spanned!(mixed()=> .algorithm(#p::Algorithm::#variant))
    });
    let settings = args.settings.iter().map(setting);
    let cost = match &args.cost {
        Some(OrFunction::Value(cost)) => Some(quote_spanned!(mixed()=> .cost(#cost))),
        _ => None,
    };
    let flags =
        [("block", args.block), ("shadow", args.shadow), ("count_refused", args.count_refused)];
    let flags = flags.into_iter().filter_map(|(setter, flag)| {
        let (setter, flag) = (format_ident!("{setter}"), flag?);
        Some(quote_spanned!(mixed()=> .#setter(#flag)))
    });
    let backend = args.backend.iter().map(|name| quote_spanned!(mixed()=> .backend(#name)));
    let on_error = args.on_error.iter().map(|variant| {
        let variant = format_ident!("{variant}");
        quote_spanned!(mixed()=> .on_error(#p::OnError::#variant))
    });
    quote_spanned! {mixed()=>
        #p::Limit::new(#scope, #rates)
            #algorithm #(#settings)* #cost #(#flags)* #(#backend)* #(#on_error)*
    }
}

/// The name of the counters; by default where the function is, and what it is called.
fn scope(args: &Args, function: &Ident) -> TokenStream {
    let p = private();
    let Some(scope) = &args.scope else {
        let function = function.to_string();
        let function = function.trim_start_matches("r#");
        return quote_spanned!(mixed()=> #p::scope(#p::core::module_path!(), #function));
    };
    scope.to_token_stream()
}

fn rates(args: &Args) -> TokenStream {
    let p = private();
    let Some(OrFunction::Value(rates)) = &args.rate else {
        return quote_spanned!(mixed()=> [] as [#p::Rate; 0]);
    };
    let rates = rates.iter().map(|it| rate(*it));
    quote_spanned!(mixed()=> [#(#rates),*])
}

fn setting(setting: Setting) -> TokenStream {
    let p = private();
    match setting {
        Setting::BucketSize(permits) => quote_spanned!(mixed()=> .bucket_size(#permits)),
        Setting::RefillRate(speed) => quote_spanned!(mixed()=> .refill_rate(#speed)),
        Setting::InitialTokens(tokens) => quote_spanned!(mixed()=> .initial_tokens(#tokens)),
        Setting::Window(start) => {
            let start = variant(&start);
            quote_spanned!(mixed()=> .window(#p::WindowStart::#start))
        }
    }
}

fn key_of(key: &OrFunction<KeySpec>) -> TokenStream {
    match key {
        OrFunction::Function(function) => {
            let p = private_at(at(function));
            quote_spanned!(at(function)=> #p::Key::from_fn(#function))
        }
        OrFunction::Value(spec) => {
            let mut parts = spec.parts().iter().map(key_part);
            let first = parts.next();
            quote_spanned!(mixed()=> #first #(.and(#parts))*)
        }
    }
}

fn key_part(part: &KeyPart) -> TokenStream {
    let p = private();
    let (constructor, name) = match part {
        KeyPart::Ip => ("ip", None),
        KeyPart::User => ("user", None),
        KeyPart::UserOrIp => ("user_or_ip", None),
        KeyPart::Header(name) => ("header", Some(name)),
        KeyPart::Query(name) => ("query", Some(name)),
        KeyPart::Path(name) => ("path", Some(name)),
        KeyPart::Cookie(name) => ("cookie", Some(name)),
        KeyPart::Session => ("session", None),
        KeyPart::Jwt(claim) => ("jwt", Some(claim)),
        KeyPart::UnverifiedJwt(claim) => ("unverified_jwt", Some(claim)),
        KeyPart::ApiKey => ("api_key", None),
        KeyPart::Tenant => ("tenant", None),
        KeyPart::Device => ("device", None),
        KeyPart::Geo => ("geo", None),
        KeyPart::Global(None) => ("global", None),
        KeyPart::Global(Some(name)) => ("global_named", Some(name)),
    };
    let constructor = format_ident!("{constructor}");
    let name = name.into_iter();
    quote_spanned!(mixed()=> #p::Key::#constructor(#(#name),*))
}

fn function_of<T>(value: Option<&OrFunction<T>>) -> Option<&Expr> {
    match value {
        Some(OrFunction::Function(function)) => Some(function),
        _ => None,
    }
}

/// The variant of a plain enum, by its name in the source.
fn variant(value: &impl std::fmt::Debug) -> Ident {
    format_ident!("{value:?}")
}

/// The place of the user's code, so that what the compiler says about it points there.
fn at(code: &impl Spanned) -> Span {
    mixed().located_at(code.span())
}
